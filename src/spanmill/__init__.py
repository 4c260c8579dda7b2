"""Spanmill, the collector for LLM telemetry."""

from importlib.metadata import version

__version__ = version("spanmill")
