"""The prometheus exporter: keeps the last value of every series received, and serves them for Prometheus to scrape.

In a traces pipeline it counts LLM calls, in a logs pipeline evaluations, which come to the same page.
"""

import asyncio
from collections import Counter
from functools import partial

from spanmill.batch import Batch
from spanmill.component import BatchPreference, Host, Position, Settings
from spanmill.exporters.prometheus.accumulator import Accumulator
from spanmill.exporters.prometheus.config import PrometheusExporterConfig
from spanmill.exporters.prometheus.labels import Labels
from spanmill.exporters.prometheus.llm.aggregator import LlmMetrics
from spanmill.exporters.prometheus.llm.subjects import CALLS, EVALUATED
from spanmill.exporters.prometheus.naming import Naming
from spanmill.exporters.prometheus.series import Store
from spanmill.signal import Signal
from spanmill.telemetry.exposition import Family
from spanmill.telemetry.pages import Contribution

_ADVICE = {
    "conflict": "another metric of another type has the same Prometheus name; rename one of them",
    "llm_limit": "raise `max_series`, or lower `max_values` of labels under `llm`",
    "limit": "raise `max_series`, or send fewer attributes",
    "out_of_order": "points must arrive in the order of their time",
    "overlap": "two senders write one delta series; give each a `service.instance.id`",
    "malformed": "a point has no value, or bounds and counts that do not fit together",
    "unspecified_temporality": "the sender must say whether it sends delta or cumulative values",
    "delta_not_monotonic": "let the sender use cumulative temporality for up-down counters",
}


class PrometheusExporter:
    """An exporter whose output is a page. `export` returns when the batch is on it."""

    def __init__(self, config: PrometheusExporterConfig, settings: Settings) -> None:
        self._config = config
        self._settings = settings
        self._owner = f"{settings.kind}.{settings.id}"
        self._store = Store(config.max_series, config.metric_expiration)
        naming = Naming(config.translation_strategy, config.namespace)
        labels = Labels(config, naming)
        self._accumulator = Accumulator(
            naming,
            labels,
            self._store,
            exemplars=config.enable_open_metrics,
            max_cached=2 * config.max_series,
        )
        count = partial(
            LlmMetrics,
            config.llm,
            max_lines=config.max_series,
            name=lambda name, kind: naming.metric(name, "", kind, False),
            constant=labels.constant(),
            exemplars=config.enable_open_metrics,
        )
        self._llm = {Signal.TRACES: count(subject=CALLS), Signal.LOGS: count(subject=EVALUATED)}
        self._contribution: Contribution | None = None

    @property
    def port(self) -> int:
        """The port in use, once started."""
        return self._contribution.port if self._contribution else 0

    def preference(self, signal: Signal) -> BatchPreference:
        return BatchPreference()

    async def start(self, host: Host) -> None:
        """Put the series on the page of the endpoint. Raises `StartError` when it cannot be served."""
        name = str(self._settings.id)
        self._settings.metrics.gauge("spanmill_prometheus_series", self._lines, exporter=name)
        config = self._config
        self._contribution = await host.pages.serve(
            config.endpoint, self._owner, self.collect, tls=config.tls, open_metrics=config.enable_open_metrics
        )

    async def committed(self, journal: str, signal: Signal) -> int | None:
        return None

    async def export(self, batch: Batch, position: Position) -> None:
        """Take the points or calls in. Those that cannot be shown are counted, and do not fail the batch.

        Nothing of a batch is counted when this raises, so that it may be tried again.
        """
        dropped = await asyncio.to_thread(self._consume, batch)
        for reason, count in dropped.items():
            labels = {"exporter": str(self._settings.id), "reason": reason}
            self._settings.metrics.counter("spanmill_prometheus_dropped_points", **labels).add(count)
            lacking = "evaluations" if batch.signal is Signal.LOGS else "LLM calls"
            what = f"{lacking} lack series" if reason == "llm_limit" else "metric points dropped"
            self._settings.log.warning(what, reason=reason, points=count, advice=_ADVICE[reason])

    def _consume(self, batch: Batch) -> Counter[str]:
        """How many items are not on the page, by reason."""
        counted = self._llm.get(batch.signal)
        if counted is None:
            return self._accumulator.consume(batch.records)
        return +Counter({"llm_limit": counted.consume(batch)})

    def _lines(self) -> int:
        return self._store.lines + sum(counted.lines for counted in self._llm.values())

    def collect(self) -> list[Family]:
        """What is on the page now."""
        with self._store.lock:
            self._store.purge()
            received = self._store.snapshot(self._config.send_timestamps)
        return received + [family for counted in self._llm.values() for family in counted.families()]

    async def stop(self) -> None:
        """Take the series off the page. Safe twice."""
        if self._contribution is not None:
            await self._contribution.withdraw()
            self._contribution = None
