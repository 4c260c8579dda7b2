"""Filters written for the Collector: the simple ones run and drop the same rows, the others say what to write."""

from typing import Any

import pytest

from spanmill.component import Settings
from spanmill.config.base import Notes
from spanmill.names import ComponentId, Kind
from spanmill.processors.filter.config import FilterProcessorConfig
from spanmill.processors.filter.processor import FilterProcessor
from spanmill.signal import Signal
from tests.processors.building import attributes_of, batch_of, pairs, settings


def kept(signal: Signal, rows: list[Any], body: dict[str, Any], **more: Any) -> list[Any]:
    """What is left of rows of attributes."""
    plain = settings(Kind.PROCESSORS, "filter")
    own = Settings(Kind.PROCESSORS, ComponentId("filter"), plain.log, plain.metrics, signal)
    config = FilterProcessorConfig.model_validate(body, context=Notes())
    return attributes_of(FilterProcessor(config, own)(batch_of(signal, rows, **more)))


HEALTH, SHOP, NONE = pairs(route="/health"), pairs(route="/shop"), pairs()


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ('attributes["route"] == "/health"', [SHOP, NONE]),
        ('span.attributes["route"] != "/health"', [HEALTH]),
        ('attributes["route"] == nil', [HEALTH, SHOP]),
        ('attributes["route"] != nil', [NONE]),
        ('IsMatch(attributes["route"], "^/h") or attributes["route"] == "/shop"', [NONE]),
        ('name == "GET" and kind == SPAN_KIND_SERVER and attributes["route"] != nil', [NONE]),
        ('resource.attributes["zone"] == "a" and status.code == STATUS_CODE_UNSET', []),
        ('status.message != "x"', []),
    ],
)
def test_simple_conditions_drop_what_the_collector_drops(condition: str, expected: list[Any]) -> None:
    body = {"traces": {"span": [condition]}}
    rows = [HEALTH, SHOP, NONE]
    assert kept(Signal.TRACES, rows, body, resource=pairs(zone="a"), name="GET", kind=2) == expected


def test_conditions_on_the_resource_look_at_the_resource() -> None:
    body = {"logs": {"resource": ['attributes["route"] == "/health"']}}
    assert kept(Signal.LOGS, [HEALTH], body, resource=pairs(route="/other")) == [HEALTH]
    assert kept(Signal.LOGS, [SHOP], body, resource=pairs(route="/health")) == []


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({"include": {"match_type": "strict", "metric_names": ["m", "n"]}}, 1),
        ({"include": {"match_type": "strict", "metric_names": ["n"]}}, 0),
        ({"exclude": {"match_type": "regexp", "metric_names": ["^x", "^m$"]}}, 0),
        ({"exclude": {"match_type": "regexp", "metric_names": ["^x"]}}, 1),
    ],
)
def test_metrics_by_name_in_the_older_form(match: dict[str, Any], expected: int) -> None:
    assert len(kept(Signal.METRICS, [[]], {"metrics": match})) == expected


def test_what_was_read_is_a_warning_with_the_sql_to_write() -> None:
    notes = Notes()
    body = {"error_mode": "ignore", "trace_conditions": ['span.attributes["route"] == "/health"']}
    FilterProcessorConfig.model_validate(body, context=notes)
    (warning,) = notes.warnings
    assert warning[0] == "trace_conditions"
    assert "drop: {traces: [\"attributes['route'] = '/health'\"]}" in warning[1]


@pytest.mark.parametrize(
    "body",
    [
        {"traces": {"span": ['not attributes["a"] == "x"']}},
        {"traces": {"span": ['attributes["a"] == 200']}},
        {"traces": {"span": ['attributes["a"] == true']}},
        {"traces": {"span": ['status.message == ""']}},
        {"traces": {"span": ['Len(name) > "x"']}},
        {"traces": {"spanevent": ['name == "x"']}},
        {"traces": {"resource": ['name == "x"']}},
        {"metrics": {"include": {"match_type": "expr", "metric_names": ["a"]}}},
        {"spans": {"include": {"match_type": "strict", "services": ["a"]}}},
        {"traces": {"span": ['name == "x"']}, "drop": ["true"]},
    ],
)
def test_what_might_mean_something_else_is_an_error(body: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="OTTL conditions are not supported, unless they are simple"):
        FilterProcessorConfig.model_validate(body)
