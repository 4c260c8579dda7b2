"""The daemon's own page: what `Metrics` recorded, under the Collector's names.

The Collector leaves type and unit suffixes out by default, and so does this page. A counter without `_total` is not a
counter to Prometheus' linter nor to OpenMetrics, so it is shown as untyped; queries do not mind.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from uuid import uuid4

from spanmill import __version__
from spanmill.telemetry.definitions import MetricDefinition
from spanmill.telemetry.exposition import Family, FamilyType, LabelSet, Sample, escape_label_name, join_equal_names
from spanmill.telemetry.metrics import Metrics, Reading

_SCOPE = "spanmill"


@dataclass(frozen=True, slots=True)
class OwnPage:
    """Collects the families of the daemon's own metrics; `families` is what `Pages.serve` takes."""

    metrics: Metrics
    resource: Mapping[str, str]
    """Attributes of the daemon, put on `target_info`."""
    without_type_suffix: bool = True
    without_units: bool = True
    without_scope_info: bool = True

    def families(self) -> list[Family]:
        """Every metric that has a series, and `target_info`."""
        found = [
            self._family(definition, list(readings))
            for definition, readings in groupby(self.metrics.read(), lambda r: r.definition)
        ]
        labels = join_equal_names((escape_label_name(key), value) for key, value in sorted(self.resource.items()))
        info = Family("target_info", "info", "What this process is.", [Sample("", LabelSet(labels), 1)])
        return [*found, info] if labels else found

    def _family(self, definition: MetricDefinition, readings: list[Reading]) -> Family:
        samples: list[Sample] = []
        for reading in readings:
            labels = LabelSet((*reading.labels, *self._scope()))
            if reading.value is not None:
                samples.append(Sample("", labels, reading.value))
            else:
                samples += _histogram(definition, reading, labels)
        name, kind = self._name(definition)
        return Family(name, kind, definition.help, samples, definition.unit)

    def _name(self, definition: MetricDefinition) -> tuple[str, FamilyType]:
        name = definition.name
        if not self.without_units and definition.unit and not name.endswith("_" + definition.unit):
            name = f"{name}_{definition.unit}"
        if definition.type != "counter":
            return name, definition.type
        return (name, "unknown") if self.without_type_suffix else (f"{name}_total", "counter")

    def _scope(self) -> tuple[tuple[str, str], ...]:
        if self.without_scope_info:
            return ()
        return ("otel_scope_name", _SCOPE), ("otel_scope_version", __version__)


def own_resource(configured: Mapping[str, object]) -> dict[str, str]:
    """The daemon's resource attributes: `service.name`, `.version`, a new `.instance.id`, and what is configured."""
    found = {"service.name": "spanmill", "service.version": __version__, "service.instance.id": str(uuid4())}
    return found | {key: str(value) for key, value in configured.items()}


def _histogram(definition: MetricDefinition, reading: Reading, labels: LabelSet) -> list[Sample]:
    bounds = (*definition.buckets, float("inf"))
    buckets = [
        Sample("_bucket", labels, count, ("le", bound)) for bound, count in zip(bounds, reading.buckets, strict=True)
    ]
    return [*buckets, Sample("_sum", labels, reading.sum), Sample("_count", labels, reading.buckets[-1])]
