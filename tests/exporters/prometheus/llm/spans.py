"""Batches of LLM calls as they come out of the processors, and the page that shows them as numbers."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from prometheus_client.parser import text_string_to_metric_families

from spanmill.batch import Batch
from spanmill.exporters.prometheus.llm.aggregator import LlmMetrics
from spanmill.exporters.prometheus.llm.config import LlmMetricsConfig
from spanmill.schema.spans import SPANS
from spanmill.telemetry.exposition import Format, merge, render
from tests.data import START, batch_of, key_value

Row = dict[str, Any]
Series = tuple[str, frozenset[tuple[str, str]]]

_OF_SPANS = ("seconds", "status", "status_message", "attributes", "resource")
"""Keys of a row that are the span's own; every other key is a column."""


def call(**columns: Any) -> Row:
    """A call of a model that took two seconds, with these columns besides."""
    return {"is_llm_call": True, "request_model": "gpt-4o", "seconds": 2.0, **columns}


def batch(*rows: Row) -> Batch:
    """The rows as a batch of spans; columns that no row names are not there, as when no processor added them."""
    request = ExportTraceServiceRequest()
    for number, row in enumerate(rows, start=1):
        resource = request.resource_spans.add()
        resource.resource.attributes.extend(key_value(*pair) for pair in row.get("resource", {}).items())
        seconds = row.get("seconds", 2.0)
        resource.scope_spans.add().spans.add(
            trace_id=number.to_bytes(16, "big"),
            span_id=number.to_bytes(8, "big"),
            name="chat",
            start_time_unix_nano=START,
            end_time_unix_nano=0 if seconds is None else START + round(seconds * 1e9),
            status=Status(code=row.get("status", 0), message=row.get("status_message", "")),
            attributes=[key_value(*pair) for pair in row.get("attributes", {}).items()],
        )
    made = batch_of(request)
    for name in {key: None for row in rows for key in row if key not in _OF_SPANS}:
        values = [row.get(name) for row in rows]
        made = made.with_record_column(name, pa.array(values, SPANS.column(name).type))
    return made


def usd(amount: float) -> Decimal:
    """As the column `cost_usd` has it."""
    return Decimal(str(amount)).quantize(Decimal("1e-9"))


class Clock:
    """A clock that is set."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Counted:
    """The metrics of LLM calls by themselves."""

    def __init__(self, *, max_lines: int = 100_000, exemplars: bool = False, **config: Any) -> None:
        self.clock = Clock()
        self.metrics = LlmMetrics(
            LlmMetricsConfig.model_validate(config), max_lines=max_lines, exemplars=exemplars, clock=self.clock
        )

    def send(self, *rows: Row) -> int:
        return self.metrics.consume(batch(*rows))

    def text(self, page: Format | None = None) -> str:
        page = page or Format()
        return render(merge(self.metrics.families(), page.utf8).families, page)

    def series(self) -> dict[Series, float]:
        """Every line of the page."""
        return read(self.text())

    def value(self, name: str, **labels: str) -> float | None:
        """The value of the line with exactly these labels."""
        return self.series().get((name, frozenset(labels.items())))

    def named(self, name: str) -> dict[frozenset[tuple[str, str]], float]:
        return {labels: value for (held, labels), value in self.series().items() if held == name}


def read(text: str) -> dict[Series, float]:
    """A page as its lines; fails where one stands twice."""
    found: dict[Series, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            series = (sample.name, frozenset(sample.labels.items()))
            assert series not in found, series
            found[series] = sample.value
    return found


def totals(series: dict[Series, float], names: Sequence[str]) -> dict[str, float]:
    """Sums over all labels."""
    return {name: sum(value for (held, _), value in series.items() if held == name) for name in names}
