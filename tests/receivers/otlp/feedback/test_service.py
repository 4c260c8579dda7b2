"""Feedback over HTTP: it is let in, limited, answered and handed on like any other logs."""

import gzip
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
import orjson
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from spanmill.batch import Batch
from spanmill.component import Outcome, Sender
from spanmill.errors import Busy
from spanmill.intake import SignalIntake
from spanmill.journal.memory import MemoryJournal
from spanmill.names import ComponentId, PipelineId
from spanmill.pipeline import MeasuredTransform, Pipeline
from spanmill.signal import Signal
from spanmill.telemetry.metrics import Metrics
from spanmill.utilization import Utilization
from tests.extensions.credentials import authenticator
from tests.logs import CapturedLog
from tests.processors.pii_masking.masks import Running as Masking
from tests.receivers.otlp.receiving import JSON, KeepingHost, Reply, Running, configured, running

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GOOD = {"trace_id": TRACE, "span_id": SPAN, "name": "helpful", "value": "down", "comment": "wrong city"}
LOGS = PipelineId(Signal.LOGS)


async def give(it: Running, said: Any, path: str = "/v1/feedback", **headers: str) -> Reply:
    return await it.post(path, orjson.dumps(said), **(JSON | headers))


def answered(reply: Reply) -> Any:
    assert reply.headers["Content-Type"] == "application/json"
    return orjson.loads(reply.body)


async def test_feedback_is_handed_on_as_an_evaluation_by_a_person() -> None:
    async with running(http={}) as it:
        reply = await give(it, GOOD | {"user_id": "u-7", "session_id": "s-9", "metadata": {"page": 3}})
        assert (reply.status, answered(reply)) == (200, {"accepted": 1})
        (payload,) = it.kept(Signal.LOGS)
        (record,) = ExportLogsServiceRequest.FromString(payload).resource_logs[0].scope_logs[0].log_records
        values = {entry.key: getattr(entry.value, str(entry.value.WhichOneof("value"))) for entry in record.attributes}
        assert (record.event_name, record.trace_id.hex(), record.span_id.hex()) == (
            "gen_ai.evaluation.result",
            TRACE,
            SPAN,
        )
        assert values == {
            "gen_ai.evaluation.name": "helpful",
            "gen_ai.evaluation.score.value": 0.0,
            "gen_ai.evaluation.score.label": "down",
            "gen_ai.evaluation.explanation": "wrong city",
            "spanmill.evaluation.source": "person",
            "spanmill.evaluation.user_id": "u-7",
            "session.id": "s-9",
            "spanmill.evaluation.metadata.page": 3,
        }
        assert it.outcomes("accepted") == 1
        assert it.host.intakes[Signal.LOGS].transports == ["http"]


async def test_a_list_is_taken_whole_or_refused_with_everything_that_is_wrong() -> None:
    async with running(http={}) as it:
        reply = await give(it, [GOOD, GOOD | {"value": {"stars": 4}}, GOOD])
        assert (reply.status, answered(reply)) == (200, {"accepted": 2, "duplicates": 1})
        reply = await give(it, [GOOD, GOOD | {"value": 4}, GOOD | {"coment": "call 555-0100", "name": 1}])
        said = answered(reply)
        assert (reply.status, said["code"], len(it.kept(Signal.LOGS))) == (400, 3, 1)
        assert said["message"].splitlines()[2] == '[2].coment: unknown field. Did you mean "comment"?'
        assert said["problems"] == [
            {
                "where": "[1].value",
                "wrong": "a number without a scale",
                "expected": "one from 0 to 1",
                "found": "4",
                "hint": said["problems"][0]["hint"],
            },
            {
                "where": "[2].name",
                "wrong": "not text",
                "expected": "a text",
                "found": "1",
                "hint": "Put it in quotes.",
            },
            {"where": "[2].coment", "wrong": "unknown field", "hint": 'Did you mean "comment"?'},
        ]
        assert it.bad("malformed") == it.outcomes("rejected") == 1


async def test_the_log_does_not_quote_what_people_sent() -> None:
    async with running(http={}) as it:
        for said in (GOOD | {"trace_id": "jane@example.com"}, {"jane@example.com": 1}, "jane@example.com"):
            assert (await give(it, said)).status == 400
        (entry,) = it.logs
        assert entry["example"] == "feedback: the id is not hex"
        assert "jane" not in str(it.logs)


async def test_only_those_whom_the_receiver_knows_may_give_feedback() -> None:
    host = KeepingHost()
    async with authenticator("bearertokenauth", {"named_tokens": {"web-shop": "s3cret"}}) as extension:
        host.extensions[ComponentId("bearertokenauth", "x")] = extension
        auth = {"authenticator": "bearertokenauth/x", "sender_attribute": "tenant"}
        async with running(host, http={"auth": auth}) as it:
            for headers in ({}, {"Authorization": "Bearer other"}):
                assert (await give(it, GOOD, **headers)).status == 401
            assert (await give(it, GOOD, Authorization="Bearer s3cret")).status == 200
            assert host.intakes[Signal.LOGS].senders == [Sender("web-shop", {"tenant": "web-shop"})]


async def test_a_web_page_of_an_allowed_origin_may_send_and_read_the_answer() -> None:
    page = {"Origin": "https://app.example.com"}
    async with running(http={"cors": {"allowed_origins": ["https://app.example.com"]}}) as it:
        asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
        async with (
            aiohttp.ClientSession() as session,
            session.options(it.url + "/v1/feedback", headers=page | asks) as reply,
        ):
            assert reply.status == 204
            assert reply.headers["Access-Control-Allow-Headers"] == "content-type"
        for said, status in ((GOOD, 200), ({}, 400)):
            answer = await give(it, said, **page)
            assert answer.status == status
            assert answer.headers["Access-Control-Allow-Origin"] == page["Origin"]


async def test_compressed_feedback_is_taken_and_too_much_of_it_is_not() -> None:
    async with running(http={"max_request_body_size": 2000}) as it:
        reply = await it.post("/v1/feedback", gzip.compress(orjson.dumps(GOOD)), **JSON, Content_Encoding="gzip")
        assert reply.status == 200
        assert (await give(it, GOOD | {"comment": "x" * 2000})).status == 413
        body = gzip.compress(orjson.dumps(GOOD | {"comment": "x" * 2000}))
        assert (await it.post("/v1/feedback", body, **JSON, Content_Encoding="gzip")).status == 413
        assert len(it.kept(Signal.LOGS)) == 1
        assert it.host.admission.in_flight_bytes == 0


async def test_a_large_list_is_read_beside_the_loop_and_arrives() -> None:
    async with running(http={}) as it:
        reply = await give(it, [GOOD | {"user_id": str(n), "comment": "x" * 100} for n in range(1000)])
        assert answered(reply) == {"accepted": 1000}


async def test_without_a_logs_pipeline_the_answer_says_what_to_configure() -> None:
    async with running(KeepingHost((Signal.TRACES,)), http={}) as it:
        reply = await give(it, GOOD)
        assert reply.status == 404
        assert answered(reply)["message"] == (
            "feedback becomes log records, and no pipeline takes logs from this receiver;"
            " add it to `service.pipelines.logs.receivers`"
        )


async def test_it_can_be_served_elsewhere_and_takes_json_by_post_alone() -> None:
    async with running(http={"feedback_url_path": "/rate"}) as it:
        assert (await give(it, GOOD, "/rate")).status == 200
        reply = await give(it, GOOD)
        assert reply.status == 404
        assert answered(reply)["message"].endswith("/v1/traces, /v1/metrics, /v1/logs, /rate")
        for kind in ("application/x-protobuf", "text/plain", "application/x-www-form-urlencoded"):
            reply = await it.post("/rate", b"{}", Content_Type=kind)
            assert reply.status == 415
            assert b"expected application/json" in reply.body
        async with aiohttp.ClientSession() as session, session.get(it.url + "/rate") as got:
            assert (got.status, got.headers["Allow"]) == (405, "POST")


def test_two_things_cannot_be_served_at_one_path() -> None:
    with pytest.raises(ValueError, match="/v1/logs is the path of two things"):
        configured({"http": {"feedback_url_path": "/v1/logs"}})


async def test_a_full_journal_is_503_and_what_came_is_counted_as_refused() -> None:
    async with running(http={}) as it:
        it.host.intakes[Signal.LOGS].answer = Busy("the journal is full", 3.0)
        reply = await give(it, [GOOD, GOOD | {"value": "up"}])
        assert (reply.status, reply.headers["Retry-After"]) == (503, "3")
        assert it.metrics.value("otelcol_receiver_refused_log_records") == 2


async def test_records_that_are_not_taken_stand_in_the_answer() -> None:
    async with running(http={}) as it:
        it.host.intakes[Signal.LOGS].answer = Outcome(1, 1, "not this one")
        reply = await give(it, [GOOD, GOOD | {"value": "up"}])
        assert (reply.status, answered(reply)) == (200, {"accepted": 1, "rejected": 1, "reason": "not this one"})


@pytest.fixture
def masked() -> Iterator[tuple[KeepingHost, MemoryJournal]]:
    """A host whose logs go through a pipeline that masks, and its journal."""
    host, metrics, journal = KeepingHost(), Metrics(), MemoryJournal(1 << 20, dedup_window=600)
    masking = MeasuredTransform(ComponentId("pii_masking"), LOGS, Masking().processor, metrics)
    with ThreadPoolExecutor(1) as threads:
        host.intakes[Signal.LOGS] = SignalIntake(  # type: ignore[assignment]
            ComponentId("otlp"), Signal.LOGS, [Pipeline(LOGS, [masking], journal)],
            max_batch_bytes=1 << 20, dedup=True, executor=threads, utilization=Utilization(), metrics=metrics,
            log=CapturedLog(),
        )  # fmt: skip
        yield host, journal


async def test_feedback_is_masked_before_it_is_stored_and_the_same_body_is_stored_once(
    masked: tuple[KeepingHost, MemoryJournal],
) -> None:
    host, journal = masked
    reader = journal.reader("test")
    async with running(host, http={}) as it:
        said = GOOD | {"comment": "write to jane@example.com"}
        replies = [answered(await give(it, each)) for each in (said, said, said | {"user_id": "u-8"})]
        assert replies == [{"accepted": 1}] * 3, "what is stored already is accepted too"
    records = [record.load() for record in iter(reader.read, None)]
    rows = Batch.concat(records).table(["trace_id", "event_name", "attributes"]).to_pylist()
    assert [dict(row["attributes"])["gen_ai.evaluation.explanation"] for row in rows] == ["write to <EMAIL>"] * 2
    assert {row["trace_id"] for row in rows} == {TRACE}
