"""OTLP names and units as Prometheus names (OpenTelemetry's compatibility specification, "Metric Metadata").

The four strategies differ in two questions: whether units and types become suffixes, and whether characters outside
Prometheus' classic alphabet become underscores.
"""

import re
from dataclasses import dataclass
from typing import Final

from spanmill.exporters.prometheus.config import TranslationStrategy
from spanmill.telemetry.exposition import FamilyType

_UNITS: Final = {
    "d": "days", "h": "hours", "min": "minutes", "s": "seconds", "ms": "milliseconds", "us": "microseconds",
    "ns": "nanoseconds",
    "By": "bytes", "KiBy": "kibibytes", "MiBy": "mebibytes", "GiBy": "gibibytes", "TiBy": "tebibytes",
    "KBy": "kilobytes", "kBy": "kilobytes", "MBy": "megabytes", "GBy": "gigabytes", "TBy": "terabytes",
    "m": "meters", "V": "volts", "A": "amperes", "J": "joules", "W": "watts", "g": "grams",
    "Cel": "celsius", "Hz": "hertz", "1": "", "%": "percent",
}  # fmt: skip
_PER_UNITS: Final = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month", "y": "year"}

_OUTSIDE_NAME: Final = re.compile(r"[^a-zA-Z0-9:]+", re.ASCII)
_OUTSIDE_LABEL: Final = re.compile(r"[^a-zA-Z0-9]+", re.ASCII)
_DIGIT_FIRST: Final = re.compile(r"[0-9]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Naming:
    """A translation strategy and the namespace that goes before every metric's name."""

    strategy: TranslationStrategy
    namespace: str = ""

    @property
    def _suffixes(self) -> bool:
        return self.strategy.endswith("WithSuffixes")

    @property
    def _escapes(self) -> bool:
        return self.strategy.startswith("UnderscoreEscaping")

    def metric(self, name: str, unit: str, kind: FamilyType, is_gauge: bool) -> str:
        """The family's name. `is_gauge`: an OTLP gauge, which alone shows unit `1` as `_ratio`."""
        main, per = unit_words(unit) if self._suffixes else ("", "")
        ending = ""
        if self._suffixes and kind == "counter":
            ending = "total"
        elif self._suffixes and unit.strip() == "1" and is_gauge:
            ending = "ratio"
        if self._escapes:
            return _escaped_name(name, self.namespace, main, per, ending)
        return _verbatim_name(name, self.namespace, main, per, ending)

    def label(self, name: str) -> str:
        """A label's name; empty when there can be none."""
        if not self._escapes:
            return "" if name == "__name__" else name
        escaped = _OUTSIDE_LABEL.sub("_", name)
        return f"key_{escaped}" if _DIGIT_FIRST.match(escaped) else escaped

    def unit(self, name: str, unit: str) -> str:
        """The unit as OpenMetrics' UNIT line wants it: only when the name ends with it (before `_total`)."""
        main, per = unit_words(unit)
        text = "_per_".join(part for part in (main, per) if part)
        return text if text and name.removesuffix("_total").endswith(f"_{text}") else ""


def unit_words(unit: str) -> tuple[str, str]:
    """A UCUM unit as words, before and after the slash: `By/s` -> `bytes`, `second`. What is in braces says nothing."""
    main, _, per = (part.strip() for part in unit.partition("/"))
    return _word(main, _UNITS), _word(per, _PER_UNITS)


def _word(unit: str, words: dict[str, str]) -> str:
    if "{" in unit or "}" in unit:
        return ""
    return _OUTSIDE_NAME.sub("_", words.get(unit, unit)).strip("_")


def _escaped_name(name: str, namespace: str, main: str, per: str, ending: str) -> str:
    tokens = [token for token in _OUTSIDE_NAME.split(name) if token] or ["_"]
    if main in tokens:
        main = ""
    if per in tokens:
        per = ""
    if ending:
        tokens = [token for token in tokens if token != ending]
    tokens += [main] * bool(main) + ["per", per] * bool(per) + [ending] * bool(ending)
    if namespace:
        tokens.insert(0, _OUTSIDE_NAME.sub("_", namespace))
    joined = "_".join(tokens)
    return f"_{joined}" if _DIGIT_FIRST.match(joined) else joined


def _verbatim_name(name: str, namespace: str, main: str, per: str, ending: str) -> str:
    """The name untouched, with the suffixes it does not end with yet: unit, per, type."""
    whole = f"{namespace}_{name}" if namespace else name
    per_suffix = f"_per_{per}" if per else ""
    end_suffix = f"_{ending}" if ending else ""
    # A name is more than its suffixes: OpenMetrics takes them off again.
    whole = whole.removesuffix(end_suffix).removesuffix(per_suffix) or "_"
    if main and not whole.endswith(main):
        whole = f"{whole}_{main}"
    return whole + per_suffix + end_suffix
