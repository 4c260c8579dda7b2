"""An evaluation made here is the event that an application would send."""

from dataclasses import fields, replace

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from spanmill.llm.evaluations import EVENT_NAME, Evaluation, batch_of, request_bytes
from spanmill.schema import EVALUATIONS
from tests.data import START
from tests.llm.evaluations import SPAN, TRACE, judged

WHOLE = Evaluation(
    name="relevance",
    trace_id=TRACE,
    span_id=SPAN,
    time_unix_nano=START,
    source="judge",
    score=0.25,
    label="off topic",
    explanation="It speaks of something else.",
    outcome="scored",
    error_type="none",
    response_id="resp-1",
    judge_provider="openai",
    judge_model="gpt-4o-mini",
    template_hash="00ff",
    cost_nano_usd=1,
    sample_weight=20.0,
    threshold=0.5,
    passed=False,
    lag_seconds=0.5,
    user_id="u1",
    model="gpt-4o",
    feature="search",
    prompt="answer",
    prompt_version="3",
    language="ko",
    session_id="s1",
    metadata={"channel": "chat"},
    service_name="shop",
)


def test_every_field_comes_back_in_the_column_of_its_name() -> None:
    [row] = batch_of([WHOLE], resource_attributes={}).table().to_pylist()
    expected = {field.name: getattr(WHOLE, field.name) for field in fields(WHOLE)}
    assert None not in expected.values()
    del expected["time_unix_nano"], expected["cost_nano_usd"], expected["metadata"]
    assert {name: row[EVALUATIONS.columns[name]] for name in expected} == expected
    assert ("spanmill.evaluation.metadata.channel", "chat") in row["attributes"]
    assert row["time"].timestamp() * 1e9 == START
    assert row["evaluation_cost_usd"].as_tuple().exponent == -9
    assert int(row["evaluation_cost_usd"].scaleb(9)) == 1


def test_what_is_not_known_is_not_sent() -> None:
    bare = Evaluation(name="thumbs", trace_id=TRACE, time_unix_nano=START, source="person", score=1.0)
    request = ExportLogsServiceRequest.FromString(request_bytes([bare], resource_attributes={}))
    record = request.resource_logs[0].scope_logs[0].log_records[0]
    assert [entry.key for entry in record.attributes] == [
        "gen_ai.evaluation.name",
        "gen_ai.evaluation.score.value",
        "spanmill.evaluation.source",
    ]
    assert (record.event_name, record.trace_id.hex(), record.span_id) == (EVENT_NAME, TRACE, b"")


@pytest.mark.parametrize(
    ("evaluation", "body"),
    [
        (judged(), "relevance: 0.25 (off topic)"),
        (judged(label=None), "relevance: 0.25"),
        (judged(score=None), "relevance: off topic"),
        (judged(score=None, label=None, outcome="failed", error_type="timeout"), "relevance: no score (timeout)"),
        (judged(score=None, label=None, outcome="skipped"), "relevance: no score (skipped)"),
        (judged(score=None, label=None, outcome=None), "relevance: no score"),
    ],
)
def test_the_body_says_the_verdict_in_a_line(evaluation: Evaluation, body: str) -> None:
    assert batch_of([evaluation], resource_attributes={}).column("body").to_pylist() == [body]


def test_each_service_has_its_resource() -> None:
    shop, desk = judged(service_name="shop"), judged(service_name="desk", name="safety")
    own = replace(shop, service_name=None)
    batch = batch_of([shop, desk, own, shop], resource_attributes={"service.name": "judge", "host.name": "h"})
    rows = zip(batch.column("service_name").to_pylist(), batch.column("evaluation_name").to_pylist(), strict=True)
    assert list(rows) == [("shop", "relevance"), ("shop", "relevance"), ("desk", "safety"), ("judge", "relevance")]
    assert all(("host.name", "h") in row for row in batch.column("resource_attributes").to_pylist())


def test_no_evaluations_are_an_empty_batch() -> None:
    assert len(batch_of([], resource_attributes={})) == 0


def test_an_id_that_is_not_hexadecimal_is_refused() -> None:
    with pytest.raises(ValueError, match="hexadecimal"):
        request_bytes([judged(trace_id="not an id")], resource_attributes={})
