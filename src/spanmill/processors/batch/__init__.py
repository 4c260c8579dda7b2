"""The batch processor: says how much exporters are handed at once."""
