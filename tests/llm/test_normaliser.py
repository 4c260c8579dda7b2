"""The engine: how mapping files are applied. What each of them says is tested under `dialects` and `captures`."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanmill.batch import Batch
from spanmill.llm.dialect import COLUMN_TYPES, COMMON, Source, load_canonical, load_dialects
from spanmill.llm.messages import FORMS
from spanmill.llm.normaliser import Normaliser, Options
from spanmill.signal import Signal
from tests.data import batch_of
from tests.llm.rows import Row, Value, logs, spans
from tests.strategies import REQUESTS

CHAT: dict[str, Value] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.usage.input_tokens": 412,
    "gen_ai.usage.output_tokens": 87,
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.response.time_to_first_chunk": 0.25,
}
GEN_AI = "opentelemetry.util.genai.handler"


def filled(batch: Batch, **options: Any) -> list[dict[str, Any]]:
    """For each row the LLM columns that have a value."""
    unreadable: dict[str, int] = {}
    rows = Normaliser(Options(**options), unreadable.__setitem__)(batch).table().to_pylist()
    return [{name: row[name] for name in COLUMN_TYPES if row.get(name) is not None} for row in rows]


def sources(*listed: Any) -> tuple[Source, ...]:
    return tuple(Source.model_validate(source) for source in listed)


def test_a_call_is_read_and_other_spans_stay_as_they_are() -> None:
    chat, plain = filled(spans(Row(CHAT, GEN_AI), Row({"http.route": "/ask"})))
    assert chat == {
        "operation": "chat",
        "provider": "openai",
        "request_model": "gpt-4o-mini",
        "input_tokens": 412,
        "output_tokens": 87,
        "total_tokens": 499,
        "finish_reason": "stop",
        "time_to_first_token_ms": 250.0,
        "dialect": "gen_ai",
        "is_llm_call": True,
    }
    assert plain == {}


def test_rows_of_several_dialects_are_each_read_in_their_own() -> None:
    rows = filled(
        spans(
            Row({"openinference.span.kind": "LLM", "llm.token_count.prompt": 5, "gen_ai.usage.input_tokens": 9}),
            Row({"llm.token_count.prompt": 5, **CHAT}, GEN_AI),
            Row({"session.id": "s"}),
        )
    )
    assert [row.get("dialect") for row in rows] == ["openinference", "gen_ai", None]
    assert [row.get("input_tokens") for row in rows] == [5, 412, None]
    assert rows[2] == {"session_id": "s"}


def test_the_order_and_number_of_rows_does_not_change_what_they_say() -> None:
    rows = [Row(CHAT, GEN_AI), Row({"openinference.span.kind": "TOOL", "tool.name": "t"}), Row({"x": 1})]
    alone = [filled(spans(row))[0] for row in rows]
    assert filled(spans(*rows)) == alone
    assert filled(spans(*rows[::-1], *rows)) == alone[::-1] + alone


def test_a_value_of_the_wrong_type_is_null_and_counted_and_nothing_else_is_lost() -> None:
    counted: dict[str, int] = {}
    batch = spans(Row({**CHAT, "gen_ai.usage.input_tokens": "many"}, GEN_AI), Row(CHAT, GEN_AI))
    columns = Normaliser(Options(), counted.__setitem__)(batch)
    assert columns.column("input_tokens").to_pylist() == [None, 412]
    assert columns.column("output_tokens").to_pylist() == [87, 87]
    assert counted == {"input_tokens": 1}


def test_numbers_sent_as_text_are_read() -> None:
    (row,) = filled(spans(Row({**CHAT, "gen_ai.usage.input_tokens": "412"}, GEN_AI)))
    assert row["input_tokens"] == 412


def test_the_last_of_two_entries_with_one_key_counts() -> None:
    batch = spans(Row({**CHAT}, GEN_AI))
    (row,) = filled(batch)
    assert row["request_model"] == "gpt-4o-mini"


def test_attributes_of_ones_own_come_first_on_every_row() -> None:
    own = {
        "feature": sources("app.part", {"resource": "app.name"}),
        "request_model": sources({"attribute": "app.call", "path": "model.name"}),
        "tags": sources({"attribute": "app.tags", "split": ";"}),
        "agent_name": sources({"name": "run (.*)"}),
        "team": sources({"scope": "^acme/(\\w+)"}),
    }
    chat, plain = filled(
        spans(
            Row({**CHAT, "app.part": "search", "app.call": '{"model": {"name": "m"}}', "app.tags": "a; b"}, GEN_AI),
            Row(resource={"app.name": "shop"}, name="run helper", scope="acme/billing"),
        ),
        custom_mappings=own,
    )
    assert (chat["feature"], chat["request_model"], chat["tags"]) == ("search", "m", ["a", "b"])
    assert plain == {"feature": "shop", "agent_name": "helper", "team": "billing"}


def test_only_the_dialects_that_are_asked_for_are_known() -> None:
    rows = spans(Row(CHAT, GEN_AI), Row({"openinference.span.kind": "LLM"}))
    assert [row.get("dialect") for row in filled(rows, dialects=("openinference",))] == [None, "openinference"]


def test_originals_are_removed_only_where_their_column_has_a_value() -> None:
    batch = spans(Row({**CHAT, "gen_ai.usage.output_tokens": "many", "server.port": 443}, GEN_AI))
    kept = Normaliser(Options(remove_originals=True))(batch)
    assert {key for key, _ in kept.column("attributes").to_pylist()[0]} >= {"gen_ai.usage.output_tokens", "server.port"}
    assert "gen_ai.request.model" not in dict(kept.column("attributes").to_pylist()[0])
    assert kept.column("request_model").to_pylist() == ["gpt-4o-mini"]


def test_columns_are_written_as_attributes_that_the_next_collector_reads_to_the_same_columns() -> None:
    sent: dict[str, Value] = {
        "openinference.span.kind": "LLM",
        "llm.model_name": "claude-sonnet-4-5",
        "llm.provider": "anthropic",
        "llm.token_count.prompt": 508,
        "llm.token_count.completion": 87,
        "llm.token_count.prompt_details.cache_read": 128,
        "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.content": "hello",
        "llm.output_messages.0.message.role": "assistant",
        "llm.output_messages.0.message.content": "hi",
        "session.id": "s",
    }
    first = Normaliser(Options(write_attributes=True, remove_originals=True))(spans(Row(sent)))
    again = filled(Batch(Signal.TRACES, first.records.select(spans(Row(sent)).records.schema.names)))
    (original,) = filled(spans(Row(sent)))
    assert again[0] == original | {"dialect": "gen_ai"}


MESSAGES = [
    {"role": "system", "content": "be brief"},
    {"role": "user", "content": "hello"},
    {"role": "assistant", "content": "hi"},
]
CANONICAL = [
    {"role": "user", "parts": [{"type": "text", "content": "hello"}]},
    {"role": "assistant", "parts": [{"type": "text", "content": "hi"}]},
]


@pytest.mark.parametrize(
    "row",
    [
        Row(
            {"openinference.span.kind": "LLM"}
            | {
                f"llm.input_messages.{place}.message.{key}": value
                for place, message in enumerate(MESSAGES)
                for key, value in message.items()
            }
        ),
        Row({"openinference.span.kind": "LLM", "input.value": orjson.dumps({"messages": MESSAGES}).decode()}),
        Row(
            CHAT
            | {
                "gen_ai.input.messages": orjson.dumps(
                    [{"role": m["role"], "parts": [{"type": "text", "content": m["content"]}]} for m in MESSAGES]
                ).decode()
            },
            GEN_AI,
        ),
        Row(
            {
                **CHAT,
                "gen_ai.input.messages": [
                    {"role": m["role"], "parts": [{"type": "text", "content": m["content"]}]} for m in MESSAGES
                ],
            },
            GEN_AI,
        ),
        Row(
            {"gen_ai.system": "openai", "gen_ai.operation.name": "chat"},
            "opentelemetry.instrumentation.openai_v2",
            events=[(f"gen_ai.{m['role']}.message", 0, {"content": m["content"]}) for m in MESSAGES],
        ),
    ],
    ids=["flattened", "JSON text", "the convention's own JSON", "nested values", "span events"],
)
def test_messages_are_the_same_whatever_form_they_came_in(row: Row) -> None:
    (found,) = filled(spans(row))
    assert orjson.loads(found["input"]) == CANONICAL
    assert orjson.loads(found["system_instructions"]) == [{"type": "text", "content": "be brief"}]


def test_messages_that_came_as_log_records_are_the_same_too() -> None:
    bodies: list[Value] = [{"content": message["content"]} for message in MESSAGES]
    records = [
        Row(
            {"gen_ai.system": "openai"},
            "opentelemetry.instrumentation.openai_v2",
            f"gen_ai.{m['role']}.message",
            body=b,
        )
        for m, b in zip(MESSAGES, bodies, strict=True)
    ]
    found = filled(logs(*records))
    assert orjson.loads(found[0]["system_instructions"]) == [{"type": "text", "content": "be brief"}]
    assert [orjson.loads(row["input"]) for row in found[1:]] == [[message] for message in CANONICAL]


def test_a_tools_arguments_and_result_are_a_call_and_its_response() -> None:
    sent: dict[str, Value] = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "get_order",
        "gen_ai.tool.call.id": "call_1",
        "gen_ai.tool.call.arguments": '{"id": 7}',
        "gen_ai.tool.call.result": "shipped",
    }
    (row,) = filled(spans(Row(sent, GEN_AI)))
    call = {"type": "tool_call", "id": "call_1", "name": "get_order", "arguments": {"id": 7}}
    response = {"type": "tool_call_response", "id": "call_1", "response": "shipped"}
    assert orjson.loads(row["input"]) == [{"role": "assistant", "parts": [call]}]
    assert orjson.loads(row["output"]) == [{"role": "tool", "parts": [response]}]


@pytest.mark.parametrize("signal", [Signal.TRACES, Signal.LOGS])
@given(data=st.data())
def test_any_request_is_normalised_without_an_error_and_nothing_in_it_changes(
    signal: Signal, data: st.DataObject
) -> None:
    batch = batch_of(data.draw(REQUESTS[signal]), signal)
    normalised = Normaliser(Options())(batch)
    assert normalised.records.select(batch.records.schema.names).equals(batch.records)
    assert normalised.table().num_rows == len(batch)


def test_every_mapping_file_names_what_there_is() -> None:
    known = load_dialects()
    for dialect in known.values():
        assert set(dialect.inherits) <= set(known) - {dialect.dialect, COMMON}
        forms = {source.form for listed in dialect.content.values() for source in listed}
        assert forms <= set(FORMS), dialect.dialect
    operations = set(load_canonical().values["operation"])
    assert operations == {
        "chat", "text_completion", "embeddings", "execute_tool", "invoke_agent", "retrieval", "rerank", "chain",
        "guardrail", "evaluator",
    }  # fmt: skip
    assert load_canonical().calls <= operations
