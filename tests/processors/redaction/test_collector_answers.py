"""The same requests under the same configuration become what the OpenTelemetry Collector makes of them.

`collector_answers.jsonl` has, on each line, a configuration, a request in OTLP/JSON, and the answer that the redaction
processor of opentelemetry-collector-contrib 0.164.1 gave. `collector_answers.go` wrote the answers, and says how.
"""

from pathlib import Path
from typing import Any

import orjson
import pytest

from spanmill.signal import Signal
from tests.processors.redaction.asking import answer, read

_ANSWERS = Path(__file__).with_name("collector_answers.jsonl")
_CASES = [orjson.loads(line) for line in _ANSWERS.read_bytes().splitlines()]


@pytest.mark.parametrize("case", _CASES, ids=[case["name"] for case in _CASES])
def test_the_answer_is_that_of_the_collector(case: Any) -> None:
    signal = Signal(case["signal"])
    assert answer(signal, case["config"], case["request"]) == read(signal, case["answer"])
