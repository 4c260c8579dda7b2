"""People's feedback over HTTP, as evaluations: plain JSON in, log records out."""
