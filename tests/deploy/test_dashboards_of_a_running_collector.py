"""Every query of the dashboards, asked of a real Prometheus that watches a real collector under traffic."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from spanmill.generate.collector import Collector, free_ports, storing_configuration
from tests.deploy.prometheus_configuration import configure
from tests.deploy.shipped import DASHBOARDS, dashboard, queries, rules
from tests.deploy.traffic import flowing
from tests.prometheus_server import INSTALL, PROGRAM, Server, running, wait_until

_PORTS = ("grpc", "http", "health", "metrics", "exporter", "prometheus")
_WARM_SECONDS = 40


def _configuration(ports: dict[str, int], directory: str) -> dict[str, Any]:
    exporters = {
        "parquet": {"directory": f"{directory}/parquet", "max_age": "500ms"},
        "prometheus": {"endpoint": f"127.0.0.1:{ports['exporter']}"},
    }
    configuration = storing_configuration(ports, **exporters)
    limits = {
        "everything": {"daily_usd": 100, "monthly_usd": 1000},
        "features": {"per": "feature", "hourly_usd": 10},
    }
    configuration["processors"] = {
        "memory_limiter": {"check_interval": "1s", "limit_mib": 4000},
        "gen_ai_normalizer": {},
        "llm_cost": {"budgets": {"limits": limits}},
    }
    traces = configuration["service"]["pipelines"]["traces"]
    traces["processors"] = list(configuration["processors"])
    traces["exporters"] = list(exporters)
    configuration["service"]["pipelines"]["logs"] = {"receivers": traces["receivers"], "exporters": list(exporters)}
    return configuration


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if PROGRAM is None:
        pytest.skip(INSTALL)
    directory = tmp_path_factory.mktemp("collector")
    ports = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
    targets = {"spanmill": ports["metrics"], "spanmill-exporter": ports["exporter"]}
    configuration = configure(tmp_path_factory.mktemp("prometheus"), targets)
    with (
        Collector(directory, _configuration(ports, str(directory)), ports["health"]),
        flowing(ports["http"]),
        running(configuration, ports["prometheus"]) as server,
    ):
        yield server


def _as_grafana_asks(expression: str) -> str:
    """With the variables of the dashboards filled in, everything chosen."""
    return re.sub(r"\$(model|feature|instance)\b", ".*", expression).replace("$__rate_interval", "10s")


def test_every_query_of_every_panel_returns_data(prometheus: Server) -> None:
    missing = queries()
    assert len(missing) > 100

    def none_is_missing() -> bool:
        missing[:] = [query for query in missing if not prometheus.has_data(_as_grafana_asks(query.expression))]
        return not missing

    assert wait_until(none_is_missing, _WARM_SECONDS), missing


def test_variables_offer_what_there_is_to_choose(prometheus: Server) -> None:
    offered = {}
    for path in DASHBOARDS:
        for variable in dashboard(path)["templating"]["list"]:
            if variable["type"] == "query":
                found = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"])
                assert found is not None
                metric, label = found.groups()

                def values(metric: str = metric, label: str = label) -> list[str]:
                    return list(prometheus.ask(f"/api/v1/label/{label}/values", **{"match[]": metric}))

                assert wait_until(values, _WARM_SECONDS)
                offered[variable["name"]] = values()
    assert set(offered["model"]) == {"gpt-4o", "gpt-4o-mini", "house-model"}
    assert set(offered["feature"]) == {"search", "support"}
    assert len(offered["instance"]) == 1


# By panel, what its first query tells of `traffic.CALLS`: numbers by the values of the labels.
_TOLD: dict[str, dict[str, float]] = {
    "Errors": {"": 0.25},
    "Errors by model": {"gpt-4o": 0, "gpt-4o-mini": 1, "house-model": 0},
    "Cost per call by model": {"gpt-4o": 0.00575},
    "Input tokens per request by prompt version": {"greeting 1": 1000, "greeting 2": 3000},
    "Output tokens per request by prompt version": {"greeting 1": 100, "greeting 2": 100},
    "Cache hit ratio by model": {"gpt-4o": 0.1, "house-model": 0},
    "First token, p95": {"": 0.4875},
    "Score by evaluator": {"relevance judge": 0.75},
    "Score by model": {"relevance gpt-4o": 0.75},
    "Score by prompt": {"relevance greeting": 0.75},
}
_NAMED: dict[str, set[str]] = {
    "Calls by feature": {"support", "search", ""},
    "Calls by provider": {"openai"},
    "Errors by type": {"429"},
    "Evaluations by outcome": {"scored judge", "unparsable failed judge"},
    "Calls without a price": {"house-model no price for this model"},
    "Budgets used": {
        "everything day", "everything month", "features hour", "features hour search", "features hour support",
    },
}  # fmt: skip


def _told(prometheus: Server, title: str) -> dict[str, float]:
    expression = next(_as_grafana_asks(query.expression) for query in queries() if query.panel == title)
    return {" ".join(sample.labels.values()): sample.value for sample in prometheus.query(expression)}


def test_panels_tell_what_was_sent(prometheus: Server) -> None:
    found: dict[str, Any] = {}

    def as_sent() -> bool:
        found.update({title: _told(prometheus, title) for title in _TOLD})
        found.update({title: set(_told(prometheus, title)) for title in _NAMED})
        return found == {title: pytest.approx(numbers, rel=0.02) for title, numbers in _TOLD.items()} | _NAMED

    wait_until(as_sent, _WARM_SECONDS)
    assert found == {title: pytest.approx(numbers, rel=0.02) for title, numbers in _TOLD.items()} | _NAMED


def test_rules_are_evaluated_without_an_error(prometheus: Server) -> None:
    def answered() -> list[dict[str, Any]]:
        return [rule for group in prometheus.ask("/api/v1/rules")["groups"] for rule in group["rules"]]

    assert wait_until(lambda: {rule["health"] for rule in answered()} <= {"ok", "err"}, _WARM_SECONDS)
    assert [(rule["name"], rule.get("lastError")) for rule in answered() if rule["health"] != "ok"] == []
    assert len(answered()) == len(rules())
