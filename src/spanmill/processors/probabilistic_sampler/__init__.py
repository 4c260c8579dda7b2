"""The probabilistic_sampler processor: keeps a share of the traces, or of the log records."""
