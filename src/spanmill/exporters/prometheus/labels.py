"""Labels of a series: const labels, the target, resource attributes, the scope, the point's own attributes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from spanmill.exporters.prometheus.config import PrometheusExporterConfig
from spanmill.exporters.prometheus.naming import Naming
from spanmill.telemetry.exposition import join_equal_names

_SERVICE = ("service.name", "service.namespace", "service.instance.id")
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Labels:
    """Makes labels as the configuration says. Attributes come as mappings of text to text."""

    config: PrometheusExporterConfig
    naming: Naming

    def constant(self) -> dict[str, str]:
        """`const_labels`, named properly."""
        return self._named(self.config.const_labels)

    def target(self, resource: Mapping[str, str]) -> dict[str, str]:
        """`job` and `instance`, as far as the resource says."""
        name, namespace, instance = (resource.get(key, "") for key in _SERVICE)
        job = f"{namespace}/{name}" if namespace and name else name
        return {key: value for key, value in (("job", job), ("instance", instance)) if value}

    def target_info(self, resource: Mapping[str, str]) -> Pairs:
        """Labels of `target_info`: every attribute that `job` and `instance` do not hold. Empty when there is none."""
        rest = {key: value for key, value in resource.items() if key not in _SERVICE}
        return _pairs(self._named(rest) | self.target(resource) | self.constant()) if rest else ()

    def scope(self, scope: Mapping[str, str]) -> dict[str, str]:
        """`otel_scope_` labels from `name`, `version`, `schema_url` and the scope's attributes under their own keys."""
        if self.config.without_scope_info:
            return {}
        return self._named({f"otel_scope_{key}": value for key, value in scope.items() if value})

    def shared(self, resource: Mapping[str, str], scope: Mapping[str, str]) -> dict[str, str]:
        """What all series of a resource and scope have; where names meet the more general one wins."""
        chosen = {key: value for key, value in resource.items() if self._is_label(key)}
        return self.scope(scope) | self._named(chosen) | self.target(resource) | self.constant()

    def series(self, attributes: Mapping[str, str], shared: Mapping[str, str], reserved: str) -> Pairs:
        """All labels of one series, sorted. `reserved` is the label that its lines bring along (`le`, `quantile`)."""
        labels = {**self._named(attributes), **shared}
        if reserved in labels:
            labels[f"exported_{reserved}"] = labels.pop(reserved)
        return _pairs(labels)

    def _is_label(self, key: str) -> bool:
        """Whether a resource attribute goes on every series."""
        chosen = self.config.resource_constant_labels
        if chosen.included or chosen.excluded:
            return _matches(key, chosen.included or ("*",)) and not _matches(key, chosen.excluded)
        conversion = self.config.resource_to_telemetry_conversion
        return conversion.enabled and not (conversion.exclude_service_attributes and key in _SERVICE)

    def _named(self, attributes: Mapping[str, str]) -> dict[str, str]:
        """Attributes under label names. Those that meet in one name are joined in the order of their own keys."""
        named = ((self.naming.label(key), attributes[key]) for key in sorted(attributes))
        return dict(join_equal_names((name, value) for name, value in named if name))


def _pairs(labels: Mapping[str, str]) -> Pairs:
    """Sorted, and without empty values, which are the same as no label to Prometheus."""
    return tuple(sorted((name, value) for name, value in labels.items() if value))


def _matches(key: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(key, pattern) for pattern in patterns)
