"""The otlp_http exporter: forwards over OTLP/HTTP."""
