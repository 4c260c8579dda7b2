"""The rules for Prometheus: promtool's own tests of them, and that nothing in them names what there is not."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from spanmill.exporters.prometheus.llm.config import Buckets
from tests.deploy.shipped import (
    PROMETHEUS,
    RULE_FILES,
    RULE_TESTS,
    RUNBOOK,
    alerts,
    known_metrics,
    metrics_of,
    rules,
    thresholds,
)

_PROMTOOL = pytest.mark.skipif(not shutil.which("promtool"), reason="needs promtool: apt-get install prometheus")
_THRESHOLD = re.compile(r'spanmill:threshold\{name="(\w+)"\}')


def _promtool(*arguments: str | Path) -> None:
    environment = os.environ | {"GOGC": "400"}  # a quarter of its time is collecting garbage otherwise
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr


@_PROMTOOL
@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.name)
def test_alerts_fire_when_they_should_and_only_then(path: Path) -> None:
    _promtool("test", "rules", path)


@_PROMTOOL
def test_the_configuration_that_is_shipped_loads_every_rule() -> None:
    _promtool("check", "config", PROMETHEUS / "prometheus.yml")
    patterns = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["rule_files"]
    assert sorted(path for pattern in patterns for path in PROMETHEUS.glob(pattern)) == RULE_FILES


def _tested(kind: str) -> list[dict[str, Any]]:
    tests = [test for path in RULE_TESTS for test in yaml.safe_load(path.read_text())["tests"]]
    return [one for test in tests for one in test.get(kind, ())]


def test_every_alert_has_a_test_that_makes_it_fire_and_one_that_does_not() -> None:
    tested = _tested("alert_rule_test")
    fires = {one["alertname"] for one in tested if one["exp_alerts"]}
    silent = {one["alertname"] for one in tested if not one["exp_alerts"]}
    assert (fires, silent) == (set(alerts()), set(alerts()))


def test_every_metric_that_rules_and_their_tests_name_exists() -> None:
    series = [
        one["series"]
        for path in RULE_TESTS
        for test in yaml.safe_load(path.read_text())["tests"]
        for one in test["input_series"]
    ]
    read = {name: rule for rule in rules() for name in metrics_of(str(rule["expr"]))}
    assert sorted((set(read) | {one.partition("{")[0] for one in series}) - known_metrics()) == []


def test_names_of_metrics_are_found_in_expressions() -> None:
    expression = (
        'sum by (model, le) (rate(a_total{x="b_total"}[5m] offset 1d)) / on (model) group_left () c:d:rate5m > 0.5e1'
        " and histogram_quantile(0.9, e_bucket) unless (f or on () vector(0)) > 86400 - hour() * 3600"
    )
    assert metrics_of(expression) == {"a_total", "c:d:rate5m", "e_bucket", "f"}


def test_every_limit_is_used_and_every_limit_used_is_there() -> None:
    used = {name for rule in rules() for name in _THRESHOLD.findall(str(rule["expr"]))}
    assert used == set(thresholds())
    unnamed = [
        rule
        for rule in alerts().values()
        if rule["expr"].count("spanmill:threshold") != len(_THRESHOLD.findall(rule["expr"]))
    ]
    assert unnamed == []


def test_limits_of_latencies_are_bounds_of_their_histograms() -> None:
    """Above the highest bound a percentile never goes, and between two it is a guess."""
    buckets, limits = Buckets(), thresholds()
    assert {limits["llm_latency_p99_seconds"], limits["llm_latency_p50_seconds"]} <= set(buckets.latency)
    assert limits["llm_time_to_first_token_p95_seconds"] in buckets.time_to_first_token


def test_percentiles_are_of_rates_summed_by_bucket() -> None:
    expressions = [str(rule["expr"]) for rule in rules() if "histogram_quantile" in str(rule["expr"])]
    assert len(expressions) >= 3
    wrong = [text for text in expressions if not re.search(r"sum by \(le[^)]*\) \((rate|increase)\(\w+_bucket\[", text)]
    assert wrong == []


@pytest.mark.parametrize(("name", "rule"), alerts().items(), ids=alerts())
def test_an_alert_says_how_urgent_it_is_what_it_means_and_what_to_do(name: str, rule: dict[str, Any]) -> None:
    said = rule["annotations"]
    assert set(said) == {"summary", "description", "runbook_url"}
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert said["description"].endswith(".")
    assert len(said["summary"].splitlines()) == 1
    assert said["runbook_url"] == f"docs/alerts.md#{name.lower()}"
    assert f"\n### {name}\n" in RUNBOOK.read_text(encoding="utf-8")


def test_the_runbook_has_no_alert_or_limit_that_there_is_not() -> None:
    text = RUNBOOK.read_text(encoding="utf-8")
    assert set(re.findall(r"^### (\w+)$", text, re.MULTILINE)) == set(alerts())
    metrics = known_metrics()
    named = set(re.findall(r"`((?:llm|collector)_\w+)`", text))
    assert sorted(named - set(thresholds()) - metrics - {"llm_cost"}) == []
