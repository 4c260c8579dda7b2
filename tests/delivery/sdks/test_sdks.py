"""The SDKs that record LLM calls, themselves: the same application gives the same rows and the same cost in each."""

from decimal import Decimal
from typing import Any

import orjson

from tests.delivery.sdks.conftest import Recorded
from tests.delivery.sdks.expected import cost_of, row_of

Row = dict[str, Any]
_CONTENT = ("input", "output", "system_instructions")
_MAYBE_ZERO = ("cache_read_tokens", "reasoning_tokens", "output_tokens")


def test_the_same_call_is_the_same_row_whichever_sdk_recorded_it(recorded: Recorded) -> None:
    left_out = set(_CONTENT) if recorded.sdk.content_in_logs else set()
    found = []
    for call, row in recorded.calls:
        expected = row_of(recorded.sdk, call)
        found += [
            f"{call.answer.name}: {column}: {_known(column, row)!r}, expected {_known(column, expected)!r}"
            for column in expected.keys() - left_out
            if _known(column, row) != _known(column, expected)
        ]
    assert found == [], "\n".join(sorted(found))


def test_messages_that_are_log_records_are_the_same_messages(recorded: Recorded) -> None:
    for call, row in recorded.calls if recorded.sdk.content_in_logs else ():
        expected = row_of(recorded.sdk, call)
        records = [record for record in recorded.logs if record["span_id"] == row["span_id"]]
        assert bool(records) == (call.answer.name != "embedding")
        assert {record["provider"] for record in records} <= {"openai"}
        for column in _CONTENT if records else ():
            assert _joined(records, column) == expected[column], (call.answer.name, column)


def test_an_agents_trace_costs_what_its_calls_cost_and_no_more(recorded: Recorded) -> None:
    agent = [row for call, row in recorded.calls if call.answer.name.startswith("agent")]
    trace = [row for row in recorded.spans if row["trace_id"] == agent[0]["trace_id"]]
    assert sorted(row["operation"] for row in trace) == ["chain", "chat", "chat", "execute_tool", "invoke_agent"]
    assert [row for row in trace if row["is_llm_call"]] == agent
    assert _total(trace) == sum(
        cost_of(recorded.sdk, call) or 0 for call in recorded.served if call.answer.name.startswith("agent")
    )


def test_all_that_an_sdk_sent_costs_what_the_provider_bills(recorded: Recorded) -> None:
    assert _total(recorded.spans) == sum(cost_of(recorded.sdk, call) or 0 for call in recorded.served)


def test_a_call_that_two_instrumentations_report_counts_once(recorded_twice: Recorded) -> None:
    found = [row for row in recorded_twice.spans if row["operation"] in ("chat", "embeddings")]
    assert len(found) == 2 * len(recorded_twice.served)
    assert len([row for row in found if row["is_llm_call"]]) == len(recorded_twice.served)
    assert _total(recorded_twice.spans) == sum(cost_of(recorded_twice.sdk, call) or 0 for call in recorded_twice.served)


def test_a_call_without_a_price_says_why(recorded: Recorded) -> None:
    reasons = {call.answer.name: row["price_source"] for call, row in recorded.calls if row["cost_usd"] is None}
    assert reasons == {"fails": "no usage", "streamed without usage": "unpriced: no token counts"}


def test_streams_and_no_other_calls_have_a_time_to_the_first_token(recorded: Recorded) -> None:
    for call, row in recorded.calls:
        name, began = call.answer.name, row["time_to_first_token_ms"]
        known = name.startswith("streamed") and not recorded.sdk.difference("time_to_first_token_ms", name)
        assert 0 < began <= row["duration_ms"] if known else began is None, name


def _known(column: str, row: Row) -> Any:
    """Some SDKs send a count of 0, others leave it out."""
    return row[column] or 0 if column in _MAYBE_ZERO else row[column]


def _joined(records: list[Row], column: str) -> str | None:
    parts = [part for record in records if record[column] is not None for part in orjson.loads(record[column])]
    return orjson.dumps(parts).decode() if parts else None


def _total(rows: list[Row]) -> Decimal:
    return sum((row["cost_usd"] for row in rows if row["cost_usd"] is not None), Decimal(0))
