"""The filter processor: rows for which a condition holds are gone, all others stay as they were."""

from typing import Any

import pytest

from spanmill.component import Settings
from spanmill.errors import Rejected
from spanmill.names import ComponentId, Kind
from spanmill.processors.filter.config import FilterProcessorConfig
from spanmill.processors.filter.processor import FilterProcessor
from spanmill.signal import Signal
from spanmill.telemetry.metrics import Metrics
from tests.data import span_ids, spans
from tests.logs import CapturedLog
from tests.processors.building import attributes_of, batch_of, pairs

NUMBERS = [pairs(n="1"), pairs(n="one"), pairs(n="3")]


class Filtered:
    """A filter for one signal and what it logged."""

    def __init__(self, signal: Signal = Signal.TRACES, **config: Any) -> None:
        self.captured = CapturedLog()
        settings = Settings(Kind.PROCESSORS, ComponentId("filter"), self.captured, Metrics(), signal)
        self.filter = FilterProcessor(FilterProcessorConfig.model_validate(config), settings)


def test_a_row_is_dropped_when_any_condition_holds() -> None:
    chosen = Filtered(drop=["span_id like '%2'", "attributes['gen_ai.usage.input_tokens'] = '4'"])
    assert span_ids(chosen.filter(spans(5))) == [1, 3, 5]


def test_a_batch_of_which_nothing_is_dropped_comes_out_itself() -> None:
    batch = spans(3)
    assert Filtered(drop=["name = 'other'"]).filter(batch) is batch


def test_a_filter_without_conditions_for_the_signal_drops_nothing() -> None:
    batch = spans(1)
    assert Filtered(drop={"logs": ["body = 'x'"]}).filter(batch) is batch


def test_conditions_for_a_signal_are_added_to_those_for_all() -> None:
    drop = {"any": ["attributes['n'] = '1'"], "logs": ["body is null and attributes['n'] = '3'"], "traces": ["true"]}
    result = Filtered(Signal.LOGS, drop=drop).filter(batch_of(Signal.LOGS, NUMBERS))
    assert attributes_of(result) == [NUMBERS[1]]


def test_a_row_that_cannot_be_worked_out_is_kept_and_logged_by_default() -> None:
    chosen = Filtered(drop=["attributes['n']::int > 2"])
    assert attributes_of(chosen.filter(batch_of(Signal.TRACES, NUMBERS))) == NUMBERS[:2]
    (call,) = chosen.captured.entries
    assert "kept" in call["event"]
    assert "'one'" in call["reason"]


def test_silent_keeps_it_without_a_word() -> None:
    chosen = Filtered(drop=["attributes['n']::int > 2"], error_mode="silent")
    assert attributes_of(chosen.filter(batch_of(Signal.TRACES, NUMBERS))) == NUMBERS[:2]
    assert chosen.captured.entries == []


def test_propagate_refuses_the_batch_with_the_condition_and_the_reason() -> None:
    chosen = Filtered(drop=["attributes['n']::int > 2"], error_mode="propagate")
    with pytest.raises(Rejected, match=r"attributes\['n'\]::int > 2 cannot be worked out: .*'one'"):
        chosen.filter(batch_of(Signal.TRACES, NUMBERS))


def test_every_wrong_condition_is_found_with_its_path() -> None:
    body = {"drop": ["nam = 'x'", "name = 'x'", "name"]}
    misfits = list(FilterProcessorConfig.model_validate(body).misfits(Signal.TRACES))
    assert [misfit.path for misfit in misfits] == [("drop", 0), ("drop", 2)]
    assert misfits[0].problem == "spans has no column nam"
    assert misfits[0].hint.startswith('Did you mean "name"?')
    each = FilterProcessorConfig.model_validate({"drop": {"any": ["true"], "logs": ["x"], "traces": ["y"]}})
    assert [misfit.path for misfit in each.misfits(Signal.LOGS)] == [("drop", "logs", 0)]
