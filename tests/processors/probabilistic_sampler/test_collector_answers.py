"""The same spans and log records are kept as the OpenTelemetry Collector keeps, in every mode, and carry the same.

`collector_answers.jsonl` has, on each line, a configuration, a request in OTLP/JSON, and the answer that the
probabilistic sampler of opentelemetry-collector-contrib 0.164.1 gave: what it kept, and what that carries.
`collector_answers.go` wrote the answers, and says how. `here` has what Spanmill writes on purpose otherwise: the
Collector says `th:0` of what it could not decide and kept all the same, and leaves texts that it cannot parse.
"""

from pathlib import Path
from typing import Any

import orjson
import pytest

from spanmill.signal import Signal
from tests.processors.probabilistic_sampler.asking import kept_by

_ANSWERS = Path(__file__).with_name("collector_answers.jsonl")
_CASES = [orjson.loads(line) for line in _ANSWERS.read_bytes().splitlines()]


@pytest.mark.parametrize("case", _CASES, ids=[case["name"] for case in _CASES])
def test_what_is_kept_and_what_it_carries_is_as_with_the_collector(case: Any) -> None:
    signal = Signal(case["signal"])
    assert kept_by(signal, case["config"], case["request"]) == case["answer"] | case["here"]


def test_what_is_written_otherwise_was_kept_undecided_or_asked_for_by_itself() -> None:
    """Under fail_closed, and without an attribute that asks, nothing differs from the Collector."""
    for case in _CASES:
        closed = case["config"].get("fail_closed", True)
        asking = {
            str(number)
            for number, item in enumerate(_items(case))
            if any(attribute["key"] in ("sampling.priority", "pri") for attribute in item["attributes"])
        }
        assert not closed or case["here"].keys() <= asking


def _items(case: Any) -> Any:
    if case["signal"] == "traces":
        return case["request"]["resourceSpans"][0]["scopeSpans"][0]["spans"]
    return case["request"]["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
