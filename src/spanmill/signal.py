"""The three signals. Apart from `batch.py`, so that reading a configuration does not import pyarrow."""

from enum import StrEnum


class Signal(StrEnum):
    """What a pipeline carries; the value is the pipeline's type in the configuration."""

    TRACES = "traces"
    METRICS = "metrics"
    LOGS = "logs"

    @property
    def item(self) -> str:
        """What one row is called in the Collector's metric names (`otelcol_receiver_accepted_spans`)."""
        return _ITEMS[self]

    @property
    def table(self) -> str:
        """The name of the table that holds the rows, in Parquet directories, DuckDB and queries."""
        return _TABLES[self]


_ITEMS = {Signal.TRACES: "spans", Signal.METRICS: "metric_points", Signal.LOGS: "log_records"}
_TABLES = {Signal.TRACES: "spans", Signal.METRICS: "metrics", Signal.LOGS: "logs"}
