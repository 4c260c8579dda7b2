"""The dashboards for Grafana as files: complete, movable from one Grafana to another, without names there are not."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spanmill.exporters.prometheus.llm.families import EVALUATIONS, GEN_AI, LLM
from tests.deploy.shipped import DASHBOARDS, dashboard, known_metrics, metrics_of, panels, queries, thresholds

_EACH = pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
_DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
_SCHEMA_VERSION = 42
_COLUMNS = 24


def _parts(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a JSON value, at any depth."""
    if isinstance(value, dict):
        yield value
        for one in value.values():
            yield from _parts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _parts(one)


@_EACH
def test_a_dashboard_can_be_imported_into_any_grafana(path: Path) -> None:
    board = dashboard(path)
    assert board["schemaVersion"] == _SCHEMA_VERSION
    assert board["id"] is None
    assert board["uid"] == f"spanmill-{'llm' if path.stem == 'llm-calls' else path.stem}"
    assert "spanmill" in board["tags"]
    assert board["description"].endswith(".")
    named = [part["datasource"] for part in _parts(board) if "datasource" in part]
    assert named
    assert [source for source in named if source != _DATASOURCE] == []
    first = board["templating"]["list"][0]
    assert (first["type"], first["name"], first["query"]) == ("datasource", "datasource", "prometheus")
    assert first["current"] == {}


@_EACH
def test_every_panel_says_what_it_shows_and_in_what_unit(path: Path) -> None:
    shown = list(panels(dashboard(path)))
    assert len({panel["title"] for panel in shown}) == len(shown) > 0
    for panel in shown:
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references) > 0, panel["title"]
        unnamed = [target["expr"] for target in panel["targets"] if not target["legendFormat"]]
        assert unnamed == [] or panel["type"] == "table", panel["title"]


@_EACH
def test_panels_have_places_and_numbers_of_their_own(path: Path) -> None:
    board = dashboard(path)
    every = [*board["panels"], *(inner for panel in board["panels"] for inner in panel.get("panels", ()))]
    assert len({panel["id"] for panel in every}) == len(every)
    taken: dict[tuple[int, int], str] = {}
    for panel in every:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= _COLUMNS
        cells = [(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])]
        assert [taken[cell] for cell in cells if cell in taken] == [], panel["title"]
        taken.update(dict.fromkeys(cells, panel["title"]))


@_EACH
def test_queries_name_variables_that_the_dashboard_has(path: Path) -> None:
    board = dashboard(path)
    variables = {variable["name"] for variable in board["templating"]["list"]}
    used = {
        name
        for panel in panels(board)
        for target in panel["targets"]
        for name in re.findall(r"\$\{?(\w+)", target["expr"])
    }
    assert used - {"__rate_interval"} <= variables
    assert variables <= used | {"datasource"}


def test_every_metric_that_dashboards_name_exists() -> None:
    read = {name: query for query in queries() for name in metrics_of(query.expression)}
    assert {name: query for name, query in read.items() if name not in known_metrics()} == {}
    boards = [dashboard(path) for path in DASHBOARDS]
    others = [
        *(variable["definition"] for board in boards for variable in board["templating"]["list"][1:]),
        *(annotation["expr"] for board in boards for annotation in board["annotations"]["list"]),
    ]
    named = {name for text in others for name in re.findall(r"(\w+)[{,]", text)} - {"label_values"}
    assert named <= known_metrics()


def test_every_metric_of_llm_calls_is_on_a_dashboard() -> None:
    read = {re.sub(r"_(bucket|sum|count)$", "", name) for query in queries() for name in metrics_of(query.expression)}
    names = [definition.name for definition in (*LLM, *GEN_AI)] + [definition.name for definition in EVALUATIONS]
    assert [name for name in names if name not in read] == []


def test_limits_that_dashboards_draw_are_those_of_alerts() -> None:
    drawn = {name for query in queries() for name in re.findall(r'spanmill:threshold\{name="(\w+)"', query.expression)}
    assert drawn
    assert drawn <= set(thresholds())


def test_percentiles_are_of_rates_summed_by_bucket() -> None:
    asked = [query for query in queries() if "histogram_quantile" in query.expression]
    assert asked
    summed = re.compile(
        r"^histogram_quantile\([\d.]+, sum by \(le[^)]*\) \(rate\(\w+_bucket\{[^}]*\}\[\$__rate_interval\]\)\)\)$"
    )
    assert [query for query in asked if not summed.match(query.expression)] == []


def test_a_zero_stands_in_only_where_there_is_nothing_at_all() -> None:
    """`or vector(0)` adds a line without labels beside those that have some; `or on ()` does not."""
    assert [query for query in queries() if re.search(r"or\s+vector", query.expression)] == []
