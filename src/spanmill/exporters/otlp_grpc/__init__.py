"""The otlp_grpc exporter: forwards over OTLP/gRPC."""
