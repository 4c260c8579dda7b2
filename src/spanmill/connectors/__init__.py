"""Connectors: what joins two pipelines."""
