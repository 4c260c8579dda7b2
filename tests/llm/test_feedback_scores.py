"""What evaluations say of whole traces."""

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from spanmill.batch import Batch
from spanmill.llm.evaluations import LABEL, NAME, PASSED, SCORE, Evaluation, Source, batch_of
from spanmill.llm.feedback_scores import scores_by_trace
from spanmill.signal import Signal
from tests.data import START
from tests.data import batch_of as batch_of_request
from tests.llm.evaluations import TRACE, judged, sent
from tests.otlp_samples import SAMPLES


def said(trace: int = 1, source: Source = "person", **fields: Any) -> Evaluation:
    """A person's, of the trace with this number."""
    return Evaluation(name="helpful", trace_id=f"{trace:032x}", time_unix_nano=START, source=source, **fields)


def told(batch: Batch) -> dict[int, tuple[float | None, bool]]:
    """By trace the lowest score, if any, and whether it is negative."""
    ids, lowest, negative = scores_by_trace(batch)
    assert [array.dtype.str for array in (ids, lowest, negative)] == ["<u8", "<f8", "|b1"]
    assert ids.shape == (len(lowest), 2)
    numbers = [(int(high) << 64) + int(low) for high, low in ids]
    assert len(set(numbers)) == len(numbers), "each trace once"
    scores = [None if math.isnan(score) else float(score) for score in lowest]
    return dict(zip(numbers, zip(scores, map(bool, negative), strict=True), strict=True))


def of(*evaluations: Evaluation) -> dict[int, tuple[float | None, bool]]:
    return told(batch_of(evaluations, resource_attributes={}))


def test_the_lowest_score_of_a_trace_counts_whoever_gave_it() -> None:
    judge = judged(trace_id=f"{2:032x}", score=0.3)
    assert of(said(score=1.0), said(trace=2, score=0.9), judge, said(trace=3, score=0.5)) == {
        1: (1.0, False),
        2: (0.3, False),
        3: (0.5, False),
    }


def test_people_who_are_not_content_make_a_trace_negative_and_stay_so() -> None:
    assert of(said(score=0.25), said(score=1.0)) == {1: (0.25, True)}
    assert of(said(label="👎")) == of(said(label="Down")) == {1: (None, True)}
    assert of(said(score=0.7, threshold=0.8, passed=False)) == {1: (0.7, True)}
    assert of(judged(trace_id=f"{1:032x}", score=0.0, passed=False)) == {1: (0.0, False)}, "not a person"


def test_evaluations_without_a_verdict_and_without_a_trace_tell_nothing() -> None:
    assert of(said(label="too long"), judged(score=None, label=None, outcome="failed")) == {}
    assert of(said(trace=0, score=0.0)) == {}
    assert told(batch_of_request(sent({SCORE: 4.0}, {SCORE: -1}), Signal.LOGS)) == {}, "on another scale"


def test_logs_that_are_no_evaluations_tell_nothing() -> None:
    request = ExportLogsServiceRequest.FromString(SAMPLES[Signal.LOGS])
    assert told(batch_of_request(request, Signal.LOGS)) == {}
    assert told(batch_of_request(ExportLogsServiceRequest(), Signal.LOGS)) == {}
    among = sent({NAME: "helpful", SCORE: 0.25, LABEL: "no", PASSED: False})
    assert told(batch_of_request(among, Signal.LOGS)) == {int(TRACE, 16): (0.25, False)}


def test_ids_of_another_length_are_not_taken_for_a_trace() -> None:
    request = sent({SCORE: 0.1}, {SCORE: 0.2})
    records = request.resource_logs[0].scope_logs[0].log_records
    records[1].trace_id = b"short"
    assert told(batch_of_request(request, Signal.LOGS)) == {int(TRACE, 16): (0.2, False)}
    assert told(batch_of_request(request, Signal.LOGS).slice(2, 2)) == {int(TRACE, 16): (0.2, False)}


@given(
    st.lists(
        st.builds(
            said,
            trace=st.integers(1, 4) | st.integers(1, 2**128 - 1),
            source=st.sampled_from(["person", "judge", "application"]),
            score=st.none() | st.floats(0, 1),
            label=st.none() | st.sampled_from(["up", "down", "slow"]),
        ),
        max_size=12,
    )
)
def test_it_is_what_looking_at_them_one_by_one_gives(evaluations: list[Evaluation]) -> None:
    expected: dict[int, tuple[float | None, bool]] = {}
    for one in evaluations:
        unhappy = one.label == "down" if one.score is None else one.score < 0.5
        negative = one.source == "person" and unhappy
        if one.score is None and not negative:
            continue
        lowest, before = expected.get(int(one.trace_id, 16), (None, False))
        scores = [score for score in (lowest, one.score) if score is not None]
        expected[int(one.trace_id, 16)] = (min(scores, default=None), before or negative)
    assert of(*evaluations) == expected
