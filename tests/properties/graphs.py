"""Random graphs of receivers, pipelines, connectors and exporters, and what is to become of a span in each."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from spanmill.config import read_configuration
from spanmill.config.models import Configuration

NAMES = ("chat", "tool", "health")
"""Names of spans; filters drop by them."""
EXPORTERS = ("parquet", "duckdb", "debug/one", "debug/two")
"""Those called debug stand for exporters without a position of their own."""


@dataclass(frozen=True)
class PipelinePlan:
    """One pipeline of a graph."""

    receivers: tuple[str, ...]
    dropped: str
    """The name of the spans that its filter drops; empty: it has none."""
    marked: bool
    """Whether it adds an attribute."""
    exporters: tuple[str, ...]


@dataclass(frozen=True)
class GraphPlan:
    """A graph of pipelines `traces/0`, `traces/1`, ... where connectors lead from earlier ones to later ones."""

    pipelines: tuple[PipelinePlan, ...]

    @property
    def receivers(self) -> list[str]:
        """The receivers in use."""
        return sorted({r for plan in self.pipelines for r in plan.receivers if r.startswith("otlp")})

    @property
    def exporters(self) -> list[str]:
        """The exporters in use."""
        return sorted({e for plan in self.pipelines for e in plan.exporters if not e.startswith("forward")})

    def arrivals(self, receiver: str, name: str) -> Counter[str]:
        """How often a span of that name reaches each exporter. Two connectors from one pipeline to another are one
        way between them."""
        reached: Counter[str] = Counter()
        passed: list[int] = []
        for plan in self.pipelines:
            times = int(receiver in plan.receivers)
            times += sum(n for n, p in zip(passed, self.pipelines, strict=False) if {*p.exporters} & {*plan.receivers})
            passed.append(times if name != plan.dropped else 0)
            reached.update(dict.fromkeys(plan.exporters, passed[-1]))
        return reached

    def configuration(self, directory: Path) -> Configuration:
        """As a user would write it."""
        document: dict[str, Any] = {
            "receivers": {name: {"protocols": {"http": {"endpoint": "127.0.0.1:0"}}} for name in self.receivers},
            "processors": {f"filter/{name}": {"drop": [f"name = '{name}'"]} for name in NAMES}
            | {"attributes": {"actions": [{"key": "seen", "value": True, "action": "upsert"}]}},
            "connectors": {name: {} for plan in self.pipelines for name in _connectors(plan)},
            "exporters": {
                "parquet": {"directory": str(directory / "lake"), "max_age": "1ms"},
                "duckdb": {"path": str(directory / "db" / "x.duckdb"), "max_age": "1ms"},
                "debug/one": {},
                "debug/two": {},
            },
            "service": {
                "journal": {"directory": str(directory / "journal"), "segment_size_mib": 1, "min_free_disk_mib": 0},
                "telemetry": {"metrics": {"level": "none"}},
                "pipelines": {f"traces/{n}": _section(plan) for n, plan in enumerate(self.pipelines)},
            },
        }
        return read_configuration([f"yaml:{json.dumps(document)}"], environ={})


def _connectors(plan: PipelinePlan) -> Iterator[str]:
    yield from (name for name in (*plan.receivers, *plan.exporters) if name.startswith("forward"))


def _section(plan: PipelinePlan) -> dict[str, list[str]]:
    processors = [f"filter/{plan.dropped}"] * bool(plan.dropped) + ["attributes"] * plan.marked
    return {"receivers": list(plan.receivers), "processors": processors, "exporters": list(plan.exporters)}


_WRITERS = {"forward/a": (0, 1), "forward/b": (0, 1, 2)}
_READERS = {"forward/a": (2, 3), "forward/b": (3,)}
"""Which pipelines may stand on either side of a connector, so that data flows one way."""


@st.composite
def graphs(draw: st.DrawFn) -> GraphPlan:
    """Up to four pipelines; up to three exporters each, shared or not; chains, fans and diamonds of connectors."""
    receivers = ["otlp/0", "otlp/1"][: draw(st.integers(1, 2))]
    plans: list[PipelinePlan] = []
    for number in range(draw(st.integers(1, 4))):
        written = {name for plan in plans for name in plan.exporters if number in _READERS.get(name, ())}
        sources = draw(st.lists(st.sampled_from([*receivers, *sorted(written)]), min_size=1, max_size=3, unique=True))
        targets = draw(st.lists(st.sampled_from(EXPORTERS), min_size=1, max_size=3, unique=True))
        targets += [name for name, writers in _WRITERS.items() if number in writers and draw(st.booleans())]
        dropped, marked = draw(st.sampled_from(["", *NAMES])), draw(st.booleans())
        plans.append(PipelinePlan(tuple(sources), dropped, marked, tuple(targets)))
    return _closed(plans)


def _closed(plans: list[PipelinePlan]) -> GraphPlan:
    """Without connectors that nobody reads: the configuration does not allow them."""
    read = {name for plan in plans for name in plan.receivers}
    kept = []
    for plan in plans:
        targets = tuple(name for name in plan.exporters if not name.startswith("forward") or name in read)
        kept.append(PipelinePlan(plan.receivers, plan.dropped, plan.marked, targets))
    return GraphPlan(tuple(kept))
