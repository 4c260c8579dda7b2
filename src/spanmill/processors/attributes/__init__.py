"""The attributes processor: changes attributes of spans, log records and metric points."""
