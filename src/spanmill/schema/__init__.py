"""The public tables: one for each signal, each column with its type, its meaning and how it comes from the records."""

from spanmill.schema.derived import DERIVED, EVALUATIONS, Derived
from spanmill.schema.logs import LOGS
from spanmill.schema.metrics import METRICS
from spanmill.schema.spans import SPANS
from spanmill.schema.table import Column, Table
from spanmill.signal import Signal

TABLES: dict[Signal, Table] = {Signal.TRACES: SPANS, Signal.METRICS: METRICS, Signal.LOGS: LOGS}

__all__ = ["DERIVED", "EVALUATIONS", "LOGS", "METRICS", "SPANS", "TABLES", "Column", "Derived", "Table"]
