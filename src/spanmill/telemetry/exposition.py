"""Prometheus exposition: families of samples as text, in the classic format (0.0.4, 1.0.0) and in OpenMetrics 1.0.

Values, names and labels are written here and nowhere else, so that escaping is done in one place. What a family is
called and which labels it has is up to those who make it.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Literal, NamedTuple

FamilyType = Literal["counter", "gauge", "histogram", "summary", "info", "unknown"]
Pairs = Sequence[tuple[str, str]]

_METRIC_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)
_LABEL_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_NOT_METRIC: Final = re.compile(r"[^a-zA-Z0-9_:]", re.ASCII)
_NOT_LABEL: Final = re.compile(r"[^a-zA-Z0-9_]", re.ASCII)
_RESERVED: Final = re.compile(r"^__+")
_ESCAPES: Final = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_HELP_ESCAPES: Final = str.maketrans({"\\": r"\\", "\n": r"\n"})
_CLAIMS: Final[dict[str, tuple[str, ...]]] = {
    "histogram": ("", "_bucket", "_sum", "_count"),
    "summary": ("", "_sum", "_count"),
}


@dataclass(frozen=True, slots=True)
class Format:
    """How a page is written."""

    open_metrics: bool = False
    utf8: bool = False
    """Names outside the classic alphabet are quoted. Off: their other characters become underscores."""
    version: str = "0.0.4"

    @property
    def content_type(self) -> str:
        kind = "application/openmetrics-text" if self.open_metrics else "text/plain"
        escaping = "; escaping=allow-utf-8" if self.utf8 else ""
        return f"{kind}; version={self.version}; charset=utf-8{escaping}"


class LabelSet:
    """Labels with distinct names, in order. Rendered once for each format: series are scraped again and again."""

    __slots__ = ("_classic", "_quoted", "pairs")

    def __init__(self, pairs: Pairs = ()) -> None:
        self.pairs = tuple(pairs)
        self._classic: str | None = None
        self._quoted: str | None = None

    def text(self, utf8: bool) -> str:
        """`a="b",c="d"`, without braces."""
        if not utf8:
            if self._classic is None:
                self._classic = _labels(
                    join_equal_names((escape_label_name(name), value) for name, value in self.pairs)
                )
            return self._classic
        if self._quoted is None:
            self._quoted = _labels((_quoted(name, _LABEL_NAME), value) for name, value in self.pairs)
        return self._quoted


class Sample(NamedTuple):
    """One line of a family."""

    suffix: str
    """What follows the family's name: nothing, `_bucket`, `_sum`, `_count`."""
    labels: LabelSet
    value: float
    """An int is written with all its digits."""
    bound: tuple[str, float] | None = None
    """`le` or `quantile`."""
    timestamp_ns: int | None = None
    exemplar: "Exemplar | None" = None


class Exemplar(NamedTuple):
    """A single observation. Written in OpenMetrics only."""

    labels: LabelSet
    value: float
    timestamp_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Family:
    """The samples that share a `# TYPE` line."""

    name: str
    """As in the classic format: a counter's name holds its `_total`, an info metric's its `_info`."""
    type: FamilyType
    help: str
    samples: Iterable[Sample]
    unit: str = ""

    def claims(self) -> tuple[str, ...]:
        """Every name of a line that parsers take to be of this family."""
        return tuple(self.name + suffix for suffix in _CLAIMS.get(self.type, ("",)))


class Merged(NamedTuple):
    """Families under distinct names, and the names of those left out because an earlier one has the name."""

    families: list[Family]
    conflicts: list[str]


def merge(families: Iterable[Family], utf8: bool = True) -> Merged:
    """One family for each name: the first decides type and help, equal series of later ones are left out.

    A page with two `# TYPE` lines for one name is not valid, and scrapers throw all of it away.
    """
    held: dict[str, list[Family]] = {}
    owner: dict[str, str] = {}
    conflicts: list[str] = []
    for family in families if utf8 else map(_escaped, families):
        same = held.get(family.name)
        if same is not None and same[0].type == family.type:
            same.append(family)
        elif any(name in owner for name in family.claims()):
            conflicts.append(family.name)
        else:
            held[family.name] = [family]
            owner.update(dict.fromkeys(family.claims(), family.name))
    return Merged([group[0] if len(group) == 1 else _joined(group) for group in held.values()], conflicts)


def _escaped(family: Family) -> Family:
    if _METRIC_NAME.fullmatch(family.name):
        return family
    return replace(family, name=escape_metric_name(family.name))


def _joined(group: list[Family]) -> Family:
    first = group[0]
    seen: set[tuple[str, tuple[tuple[str, str], ...], tuple[str, float] | None]] = set()
    samples = []
    for family in group:
        for sample in family.samples:
            key = (sample.suffix, tuple(sorted(sample.labels.pairs)), sample.bound)
            if key not in seen:
                seen.add(key)
                samples.append(sample)
    return Family(first.name, first.type, first.help, samples, first.unit)


def render(families: Iterable[Family], page: Format) -> str:
    """The page. Names must be distinct: see `merge`. Families without samples are left out."""
    lines: list[str] = []
    for family in families:
        samples = list(family.samples)
        if samples:
            _head(family, page, lines)
            _body(family, samples, page, lines)
    if page.open_metrics:
        lines.append("# EOF")
    return "\n".join(lines) + "\n" if lines else ""


def _head(family: Family, page: Format, lines: list[str]) -> None:
    name, kind = family.name, str(family.type)
    if page.open_metrics:
        suffix = {"counter": "_total", "info": "_info"}.get(kind)
        if suffix and name.endswith(suffix):
            name = name.removesuffix(suffix)
        elif suffix:
            kind = "unknown"  # OpenMetrics has no counter without _total
    else:
        kind = {"info": "gauge", "unknown": "untyped"}.get(kind, kind)
    shown = _quoted(name, _METRIC_NAME)
    if family.help:
        lines.append(f"# HELP {shown} {family.help.translate(_ESCAPES if page.open_metrics else _HELP_ESCAPES)}")
    lines.append(f"# TYPE {shown} {kind}")
    if page.open_metrics and family.unit and name.endswith("_" + family.unit):
        lines.append(f"# UNIT {shown} {family.unit}")


def _body(family: Family, samples: list[Sample], page: Format, lines: list[str]) -> None:
    classic = _METRIC_NAME.fullmatch(family.name) is not None
    bound_text = open_metrics_number if page.open_metrics else go_number
    for suffix, labels, value, bound, timestamp, exemplar in samples:
        inner = labels.text(page.utf8)
        if bound is not None:
            label = f'{bound[0]}="{bound_text(bound[1])}"'
            inner = f"{inner},{label}" if inner else label
        if classic:
            line = (
                f"{family.name}{suffix}{{{inner}}} {number(value)}"
                if inner
                else f"{family.name}{suffix} {number(value)}"
            )
        else:
            quoted = _quoted(family.name + suffix, _METRIC_NAME)
            line = f"{{{quoted},{inner}}} {number(value)}" if inner else f"{{{quoted}}} {number(value)}"
        if timestamp is not None:
            line += " " + _timestamp(timestamp, page)
        if exemplar is not None and page.open_metrics:
            line += f" # {{{exemplar.labels.text(page.utf8)}}} {number(exemplar.value)}"
            if exemplar.timestamp_ns is not None:
                line += " " + _timestamp(exemplar.timestamp_ns, page)
        lines.append(line)


def _timestamp(nanoseconds: int, page: Format) -> str:
    """OpenMetrics counts seconds, the classic format milliseconds."""
    if not page.open_metrics:
        return str(nanoseconds // 1_000_000)
    return f"{nanoseconds // 1_000_000_000}.{nanoseconds // 1_000_000 % 1000:03d}"


def number(value: float) -> str:
    """The shortest digits that read back equal; integers in full."""
    if isinstance(value, int):
        return str(value)
    if math.isfinite(value):
        return repr(value).removesuffix(".0")
    return _not_finite(value)


@lru_cache(4096)
def go_number(value: float) -> str:
    """As Go writes a float (`%g`, shortest): `5`, `0.005`, `1e+06`. A bound is part of a series' identity, so that
    one that moves here from the Collector keeps it."""
    if not math.isfinite(value):
        return _not_finite(value)
    if value == 0 or 1e-4 <= abs(value) < 1e6:
        return number(value)
    return next(text for places in range(17) if float(text := f"{value:.{places}e}") == value)


@lru_cache(4096)
def open_metrics_number(value: float) -> str:
    """OpenMetrics' canonical form of a bound: always a float."""
    return repr(value) if math.isfinite(value) else _not_finite(value)


def _not_finite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "+Inf" if value > 0 else "-Inf"


def escape_metric_name(name: str) -> str:
    """Underscores for what the classic format does not allow in a metric's name."""
    escaped = _NOT_METRIC.sub("_", name) or "_"
    return f"_{escaped}" if escaped[0].isdigit() else escaped


def escape_label_name(name: str) -> str:
    """Underscores for what the classic format does not allow in a label's name; one in front, as two are reserved."""
    escaped = _RESERVED.sub("_", _NOT_LABEL.sub("_", name)) or "_"
    return f"_{escaped}" if escaped[0].isdigit() else escaped


def join_equal_names(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Values of one name joined by `;`, in the order given (compatibility specification, "Metric Attributes")."""
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]};{value}" if name in joined else value
    return list(joined.items())


def _labels(pairs: Iterable[tuple[str, str]]) -> str:
    return ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in pairs)


def _quoted(name: str, alphabet: re.Pattern[str]) -> str:
    return name if alphabet.fullmatch(name) else f'"{name.translate(_ESCAPES)}"'
