"""Columns of evaluations, whoever sent the event and however."""

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from spanmill.llm.evaluations import COST_USD, EVENT_NAME, NAME, OUTCOME, PASSED, SCORE, SOURCE, batch_of
from spanmill.schema import EVALUATIONS, LOGS
from spanmill.schema.evaluations import EVALUATION_COLUMNS
from spanmill.signal import Signal
from tests import data
from tests.llm.evaluations import judged, sent


def column(name: str, *attributes: dict[str, Any], event_name: str = EVENT_NAME) -> list[Any]:
    """The column of what an application sent, without the plain lines around it."""
    found: list[Any] = data.batch_of(sent(*attributes, event_name=event_name), Signal.LOGS).column(name).to_pylist()
    first, *values, last = found
    assert first is None
    assert last is None
    return values


def test_the_table_evaluations_is_the_one_that_is_promised() -> None:
    promised = """time trace_id span_id name score label explanation source judge_provider judge_model template_hash
        cost_usd outcome sample_weight threshold passed lag_seconds user_id session_id model feature prompt
        prompt_version language response_id error_type service_name""".split()  # noqa: SIM905
    assert list(EVALUATIONS.columns) == promised
    assert set(EVALUATIONS.columns.values()) >= {column.name for column in EVALUATION_COLUMNS}
    assert EVALUATIONS.docs().keys() == EVALUATIONS.columns.keys()


@pytest.mark.parametrize(
    ("value", "score"),
    [
        (0.5, 0.5),
        (1, 1.0),
        (True, 1.0),
        ("0.92", 0.92),
        (" 1e-1 ", 0.1),
        ("4/5", None),
        ("", None),
        ("nan", None),
        (float("nan"), None),
        (float("inf"), None),
        ("1e999", None),
    ],
)
def test_a_score_is_read_however_it_was_sent(value: Any, score: float | None) -> None:
    assert column("evaluation_score", {SCORE: value}) == [score]


def test_other_names_for_the_same_are_read_where_the_usual_one_is_not_there() -> None:
    event = {
        SCORE: "",
        "gen_ai.evaluation.score": 0.75,
        "gen_ai.evaluation.reasoning": "why",
        "gen_ai.evaluation.passed": True,
        "gen_ai.evaluation.evaluator.type": "HUMAN",
        "gen_ai.response_id": "r1",
        "gen_ai.response.model": "gpt-4o",
        "user.id": "u7",
    }
    found = {c.name: column(c.name, event)[0] for c in EVALUATION_COLUMNS}
    assert {name: value for name, value in found.items() if value is not None} == {
        "evaluation_name": "helpful",
        "evaluation_score": 0.75,
        "evaluation_explanation": "why",
        "evaluation_passed": True,
        "evaluation_source": "person",
        "evaluation_outcome": "scored",
        "evaluation_response_id": "r1",
        "evaluation_model": "gpt-4o",
        "evaluation_user_id": "u7",
    }
    assert column("evaluation_score", {"gen_ai.evaluation.score": 0.75}) == [1.0]


def test_the_name_of_the_event_may_be_an_attribute_as_older_sdks_send_it() -> None:
    assert column("evaluation_name", {"event.name": EVENT_NAME}, event_name="") == ["helpful"]
    assert column("evaluation_name", {"event.name": "gen_ai.choice"}, event_name="") == [None]
    assert column("evaluation_name", {"event.name": EVENT_NAME}, event_name="gen_ai.choice") == [None]


def test_who_evaluated_is_the_application_unless_it_says_otherwise() -> None:
    assert column("evaluation_source", {}, {SOURCE: "judge"}, {SOURCE: ""}) == ["application", "judge", "application"]


def test_an_error_without_a_verdict_is_a_failure_and_never_a_score() -> None:
    error: dict[str, Any] = {SCORE: "", "error.type": "timeout"}
    events: tuple[dict[str, Any], ...] = (
        {},
        error,
        error | {"gen_ai.evaluation.score.label": "yes"},
        error | {OUTCOME: "skipped"},
    )
    assert column("evaluation_outcome", *events) == ["scored", "failed", "scored", "skipped"]
    assert column("evaluation_score", error) == [None]


def test_money_has_nine_digits_and_nonsense_is_null() -> None:
    costs = column("evaluation_cost_usd", {COST_USD: 0.1}, {COST_USD: -1.0}, {COST_USD: 1e300}, {COST_USD: "0.002"})
    assert costs == [Decimal("0.1"), None, None, Decimal("0.002")]


def test_passed_is_yes_no_or_unknown() -> None:
    assert column("evaluation_passed", {PASSED: True}, {PASSED: "False"}, {PASSED: "often"}, {}) == [
        True,
        False,
        None,
        None,
    ]


def test_of_equal_keys_the_last_counts_as_in_the_attributes() -> None:
    request = sent({})
    request.resource_logs[0].scope_logs[0].log_records[1].attributes.append(data.key_value(NAME, "safety"))
    assert data.batch_of(request, Signal.LOGS).column("evaluation_name").to_pylist() == [None, "safety", None]


def test_batches_without_evaluations_have_empty_columns() -> None:
    for request in (sent(), ExportLogsServiceRequest()):
        table = data.batch_of(request, Signal.LOGS).table([c.name for c in EVALUATION_COLUMNS])
        assert all(column.null_count == len(column) for column in table.columns)


def test_the_columns_are_those_of_the_rows_that_are_left() -> None:
    batch = data.batch_of(sent({NAME: "a"}, {NAME: "b"}), Signal.LOGS)
    whole = batch.table()
    assert batch.slice(2, 2).table().equals(whole.slice(2))
    assert batch.filter(pa.array([False, True, False, True])).column("evaluation_name").to_pylist() == ["a", None]


def test_stored_evaluations_become_the_same_records_again() -> None:
    batch = batch_of([judged(), judged(score=None)], resource_attributes={"service.name": "judge"})
    assert LOGS.records(batch.stored()).equals(batch.records)
