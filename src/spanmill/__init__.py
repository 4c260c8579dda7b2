"""Spanmill, the collector for LLM telemetry."""

__version__ = "0.1.0"
