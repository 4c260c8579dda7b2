"""What is in `deploy/prometheus` and `deploy/grafana`, read; and the metrics that there are."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from spanmill.exporters.prometheus.llm.families import EVALUATIONS, GEN_AI, LLM
from spanmill.exporters.prometheus.llm.subjects import CALLS, EVALUATED
from spanmill.telemetry.definitions import DEFINITIONS

ROOT: Final = Path(__file__).parents[2]
PROMETHEUS: Final = ROOT / "deploy" / "prometheus"
RULE_FILES: Final = sorted((PROMETHEUS / "rules").glob("*.yml"))
RULE_TESTS: Final = sorted((Path(__file__).parent / "rules").glob("*.test.yml"))
DASHBOARDS: Final = sorted((ROOT / "deploy" / "grafana").glob("*.json"))
RUNBOOK: Final = ROOT / "docs" / "alerts.md"

Rule = dict[str, Any]


@cache
def rules() -> list[Rule]:
    """Every recording and alert rule."""
    return [
        rule for path in RULE_FILES for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]
    ]


def alerts() -> dict[str, Rule]:
    """Alert rules by name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def thresholds() -> dict[str, float]:
    """Every limit by its name."""
    found = [rule for rule in rules() if rule.get("record") == "spanmill:threshold"]
    return {rule["labels"]["name"]: float(rule["expr"].removeprefix("vector(").removesuffix(")")) for rule in found}


class Query(NamedTuple):
    """An expression of a dashboard, and where it stands."""

    dashboard: str
    panel: str
    expression: str


def dashboard(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def panels(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Those that show something: rows are left out, what is folded into them is not."""
    for panel in board["panels"]:
        yield from panels(panel) if panel["type"] == "row" else [panel]


def queries() -> list[Query]:
    """Of every panel of every dashboard."""
    return [
        Query(path.stem, panel["title"], target["expr"])
        for path in DASHBOARDS
        for panel in panels(dashboard(path))
        for target in panel["targets"]
    ]


@cache
def known_metrics() -> set[str]:
    """Names of samples: of the daemon's own page, of the prometheus exporter's, of recording rules, of Prometheus."""
    names = {"up", "ALERTS", *(rule["record"] for rule in rules() if "record" in rule)}
    typed = [(one.name, one.type) for one in DEFINITIONS.values()]
    typed += [(one.name, one.type) for one in (*LLM, *GEN_AI)] + [(one.name, one.type) for one in EVALUATIONS]
    for name, kind in typed:
        names |= {name + end for end in (("_bucket", "_sum", "_count") if kind == "histogram" else ("",))}
    return names | {CALLS.overflowed, EVALUATED.overflowed}


_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
_NOT_NAMES = re.compile(
    r"\{[^}]*\}|\[[^\]]*\]|\b(?:by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)|\boffset\s+\w+"
)
_WORDS = {"and", "or", "unless", "by", "on", "without", "ignoring", "group_left", "group_right", "bool", "offset"}


def metrics_of(expression: str) -> set[str]:
    """The names of metrics that an expression reads."""
    rest = _NOT_NAMES.sub(" ", _TEXT.sub('""', expression))
    return set(re.findall(r"(?<![\w:.])[a-zA-Z_:][\w:]*(?!\s*\(|[\w:])", rest)) - _WORDS
