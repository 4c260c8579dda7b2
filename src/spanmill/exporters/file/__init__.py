"""The file exporter: OTLP in files."""
