"""The same policies over the same traces keep what the OpenTelemetry Collector keeps.

`collector_answers.jsonl` has, on each line, policies, the file with the traces, and the numbers (the last bytes of the
ids) of those that the tail_sampling processor of opentelemetry-collector-contrib 0.161.0 kept; `collector_answers.go`
wrote them, and says how. What is not compared, since it is different on purpose: attributes of another type than the
policy's where the Collector takes them for 0, "" or false; the upper bound of latency in traces of several spans.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from spanmill.batch import Batch
from spanmill.otlp.codec import decode
from spanmill.otlp.json import from_json
from spanmill.signal import Signal
from tests.processors.tail_sampling.asking import asked, compiled, traces

_HERE = Path(__file__).parent
_CASES = [orjson.loads(line) for line in (_HERE / "collector_answers.jsonl").read_bytes().splitlines()]
_FILES = sorted({case["traces"] for case in _CASES})


@cache
def _asked_about(name: str) -> tuple[Batch, np.ndarray]:
    """The spans, and the numbers of their traces."""
    payload = from_json(Signal.TRACES, (_HERE / name).read_bytes())
    batch = Batch(Signal.TRACES, decode(Signal.TRACES, [payload]).records)
    ids = batch.records.column("trace_id").to_pylist()
    return batch, np.array([int.from_bytes(each[-2:]) for each in ids])


def _kept(case: Any) -> list[int]:
    batch, numbers = _asked_about(case["traces"])
    count = int(numbers.max()) + 1
    verdicts = asked(compiled(*case["policies"]), batch, numbers.tolist(), traces(np.full(count, 0.5)))
    return np.flatnonzero(verdicts.policy >= 0).tolist()


@pytest.mark.parametrize("name", _FILES)
def test_the_traces_that_are_kept_are_those_of_the_collector(name: str) -> None:
    cases = [case for case in _CASES if case["traces"] == name]
    different = [(case, kept) for case in cases if (kept := _kept(case)) != case["kept"]]
    assert different == []


def test_every_type_that_says_yes_or_no_was_asked_for() -> None:
    text = (_HERE / "collector_answers.jsonl").read_text(encoding="utf-8")
    types = (
        "always_sample latency numeric_attribute string_attribute boolean_attribute status_code span_count trace_state"
        " trace_flags ottl_condition and not drop"
    )
    assert [kind for kind in types.split() if f'"type":"{kind}"' not in text] == []
