"""The redaction processor, as the Collector's: removes attributes by key and masks what patterns find in values."""
