"""Natural batching, and that one bad request harms no other."""

import asyncio
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from spanmill.batch import Batch
from spanmill.component import Outcome, Sender
from spanmill.errors import Busy, Rejected
from spanmill.intake import SignalIntake
from spanmill.journal import Reader
from spanmill.journal.memory import MemoryJournal
from spanmill.names import ComponentId, PipelineId
from spanmill.pipeline import MeasuredTransform, Pipeline
from spanmill.signal import Signal
from spanmill.telemetry.logs import component_log
from spanmill.telemetry.metrics import Metrics
from spanmill.utilization import Utilization
from tests.data import packed_size, span_ids, spans, traces
from tests.garbage import frames_left

TRACES = PipelineId(Signal.TRACES)
SENDER = Sender("127.0.0.1")


@dataclass
class Engine:
    """An intake in front of one pipeline."""

    intake: SignalIntake
    journal: MemoryJournal
    reader: Reader
    metrics: Metrics

    def held(self) -> list[int]:
        """Every span id in the journal, in order."""
        return [number for record in iter(self.reader.read, None) for number in span_ids(record.load())]


class RefuseName:
    """A transform that cannot take spans of one name: a defect in a component."""

    def __call__(self, batch: Batch) -> Batch:
        if "poison" in batch.column("name").to_pylist():
            raise ZeroDivisionError("poison")
        return batch


class DropAll:
    """A transform that drops every row."""

    def __call__(self, batch: Batch) -> Batch:
        return batch.slice(0, 0)


def build(
    *transforms: object, max_bytes: int = 1 << 20, max_batch_bytes: int = 1 << 20, dedup: bool = True,
    utilization: Utilization | None = None,
) -> Engine:  # fmt: skip
    metrics = Metrics()
    journal = MemoryJournal(max_bytes, dedup_window=600 if dedup else 0)
    measured = [MeasuredTransform(ComponentId("t"), TRACES, t, metrics) for t in transforms]  # type: ignore[arg-type]
    intake = SignalIntake(
        ComponentId("otlp"), Signal.TRACES, [Pipeline(TRACES, measured, journal)],
        max_batch_bytes=max_batch_bytes, dedup=dedup, executor=EXECUTOR, utilization=utilization or Utilization(),
        metrics=metrics, log=component_log("receiver", "otlp"),
    )  # fmt: skip
    return Engine(intake, journal, journal.reader("test"), metrics)


EXECUTOR = ThreadPoolExecutor(1)


@pytest.fixture(scope="module", autouse=True)
def _executor() -> object:
    yield
    EXECUTOR.shutdown()


def payload(count: int = 1, first: int = 1, name: str = "chat") -> bytes:
    return traces(count, first=first, name=name).SerializeToString()


async def test_an_accepted_request_is_in_the_journal_when_it_is_acknowledged() -> None:
    engine = build()
    assert await engine.intake.submit(payload(3), "grpc", SENDER) == Outcome(3)
    assert engine.held() == [1, 2, 3]
    assert engine.metrics.value("otelcol_receiver_accepted_spans", transport="grpc") == 3


async def test_requests_that_wait_together_become_one_journal_record() -> None:
    engine = build()
    outcomes = await asyncio.gather(
        *(engine.intake.submit(payload(2, first=10 * n + 1), "http", SENDER) for n in range(20))
    )
    assert outcomes == [Outcome(2)] * 20
    assert engine.reader.unread < 20
    assert sorted(engine.held()) == sorted(n for start in range(20) for n in (10 * start + 1, 10 * start + 2))


async def test_the_time_in_which_requests_are_worked_on_is_seen() -> None:
    clock = iter([0.0, 0.0, 10.0, 10.0]).__next__
    utilization = Utilization(clock)
    engine = build(utilization=utilization)
    await engine.intake.submit(payload(1), "grpc", SENDER)
    assert utilization.share == pytest.approx(1 - math.exp(-1))


async def test_a_batch_takes_no_more_bytes_than_allowed() -> None:
    engine = build(max_batch_bytes=len(payload(1)))
    await asyncio.gather(*(engine.intake.submit(payload(1, first=n), "http", SENDER) for n in range(1, 6)))
    assert engine.reader.unread == 5


async def test_a_request_that_does_not_decode_is_found_and_the_others_are_kept() -> None:
    engine = build()
    answers = await asyncio.gather(
        engine.intake.submit(payload(1, first=1), "http", SENDER),
        engine.intake.submit(payload(1, first=2), "http", SENDER),
        engine.intake.submit(b"\xff\xff\xff", "http", SENDER),
        engine.intake.submit(payload(1, first=3), "http", SENDER),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers] == [Outcome, Outcome, Rejected, Outcome]
    assert sorted(engine.held()) == [1, 2, 3]


async def test_a_request_that_breaks_a_transform_is_rejected_alone() -> None:
    engine = build(RefuseName())
    answers = await asyncio.gather(
        engine.intake.submit(payload(1, first=1), "http", SENDER),
        engine.intake.submit(payload(1, first=2), "http", SENDER),
        engine.intake.submit(payload(1, first=3, name="poison"), "http", SENDER),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers] == [Outcome, Outcome, Rejected]
    assert engine.held() == [1, 2]


async def test_neither_a_request_that_is_taken_nor_one_that_is_not_leaves_garbage() -> None:
    engine = build(max_bytes=1)
    with frames_left() as left:
        with pytest.raises(Rejected):
            await engine.intake.submit(b"not a request", "http", SENDER)
        await engine.intake.submit(payload(1), "http", SENDER)
        with pytest.raises(Busy):
            await engine.intake.submit(payload(2), "http", SENDER)
    assert left == []


async def test_spans_with_invalid_ids_are_rejected_one_by_one() -> None:
    request = traces(6)
    invalid = request.resource_spans[0].scope_spans[0].spans
    invalid[0].trace_id = b"short"
    invalid[1].trace_id = bytes(16)
    invalid[2].span_id = bytes(8)
    invalid[3].span_id = b"\x01" * 9
    invalid[4].parent_span_id = b"\x01"
    engine = build()
    outcome = await engine.intake.submit(request.SerializeToString(), "grpc", SENDER)
    assert (outcome.accepted, outcome.rejected) == (1, 5)
    for text in ("trace_id must be 16 bytes", "trace_id must not be all zero", "span_id must be 8", "parent_span_id"):
        assert text in outcome.reason
    assert engine.held() == [6]
    assert engine.metrics.value("otelcol_receiver_refused_spans") == 5


async def test_rejected_rows_are_counted_for_the_request_they_came_in() -> None:
    bad = traces(2, first=5)
    bad.resource_spans[0].scope_spans[0].spans[0].span_id = b""
    engine = build()
    outcomes = await asyncio.gather(
        engine.intake.submit(payload(1, first=1), "http", SENDER),
        engine.intake.submit(payload(1, first=2), "http", SENDER),
        engine.intake.submit(bad.SerializeToString(), "http", SENDER),
        engine.intake.submit(payload(1, first=3), "http", SENDER),
    )
    assert [(o.accepted, o.rejected) for o in outcomes] == [(1, 0), (1, 0), (1, 1), (1, 0)]


async def test_an_empty_request_succeeds() -> None:
    engine = build()
    assert await engine.intake.submit(b"", "grpc", SENDER) == Outcome(0)
    assert engine.reader.unread == 0


async def test_rows_that_a_processor_drops_count_as_accepted() -> None:
    engine = build(DropAll())
    assert await engine.intake.submit(payload(4), "grpc", SENDER) == Outcome(4)
    assert engine.reader.unread == 0
    assert engine.metrics.value("otelcol_processor_incoming_items") == 4
    assert engine.metrics.value("otelcol_processor_outgoing_items") == 0


async def test_a_full_journal_refuses_before_decoding_and_says_which_pipeline() -> None:
    engine = build(max_bytes=1)
    await engine.intake.submit(payload(1), "grpc", SENDER)
    with pytest.raises(Busy, match="pipeline traces") as refused:
        await engine.intake.submit(b"\xff not even decoded", "grpc", SENDER)
    assert refused.value.retry_after > 0


async def test_nothing_is_appended_anywhere_when_one_journal_is_full() -> None:
    metrics = Metrics()
    roomy, full = MemoryJournal(1 << 20), MemoryJournal(packed_size(spans(1)) * 2)
    readers = roomy.reader("test"), full.reader("test")
    intake = SignalIntake(
        ComponentId("otlp"), Signal.TRACES,
        [Pipeline(TRACES, [], roomy), Pipeline(PipelineId(Signal.TRACES, "b"), [], full)],
        max_batch_bytes=1 << 20, dedup=True, executor=EXECUTOR, utilization=Utilization(), metrics=metrics,
        log=component_log("receiver", "otlp"),
    )  # fmt: skip
    await intake.submit(payload(1), "grpc", SENDER)
    with pytest.raises(Busy):
        await intake.submit(payload(50, first=10), "grpc", SENDER)
    assert [reader.unread for reader in readers] == [1, 1]


async def test_draining_waits_until_everything_submitted_is_answered() -> None:
    engine = build()
    submitted = [
        asyncio.create_task(engine.intake.submit(payload(400, first=n * 1000 + 1), "http", SENDER)) for n in range(5)
    ]
    await asyncio.sleep(0)
    await engine.intake.drain()
    await asyncio.sleep(0)
    assert all(task.done() for task in submitted)


async def test_a_sender_that_goes_away_does_not_disturb_the_others() -> None:
    engine = build()
    gone = asyncio.create_task(engine.intake.submit(payload(1, first=1), "http", SENDER))
    stays = asyncio.create_task(engine.intake.submit(payload(1, first=2), "http", SENDER))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == Outcome(1)


async def test_a_request_that_is_sent_again_is_accepted_and_stored_once() -> None:
    engine = build()
    assert await engine.intake.submit(payload(3), "grpc", SENDER) == Outcome(3)
    assert await engine.intake.submit(payload(3), "grpc", SENDER) == Outcome(0)
    assert engine.held() == [1, 2, 3]
    assert engine.metrics.counter("spanmill_intake_duplicate_requests", receiver="otlp", transport="grpc").value == 1


async def test_a_request_that_is_sent_again_while_it_is_under_way_gets_the_same_answer() -> None:
    engine = build()
    outcomes = await asyncio.gather(*(engine.intake.submit(payload(3), "http", SENDER) for _ in range(3)))
    assert outcomes == [Outcome(3)] * 3
    assert engine.held() == [1, 2, 3]


async def test_the_same_bytes_of_another_sender_are_another_request() -> None:
    engine = build()
    await engine.intake.submit(payload(1), "http", SENDER)
    await engine.intake.submit(payload(1), "http", Sender("127.0.0.2"))
    assert engine.held() == [1, 1]


async def test_a_payload_made_anew_from_the_same_bytes_is_stored_once() -> None:
    engine = build()
    assert await engine.intake.submit(payload(1, first=1), "http", SENDER, sent_as=b"same") == Outcome(1)
    assert await engine.intake.submit(payload(1, first=2), "http", SENDER, sent_as=b"same") == Outcome(0)
    assert await engine.intake.submit(payload(1, first=3), "http", SENDER, sent_as=b"other") == Outcome(1)
    assert engine.held() == [1, 3]


async def test_without_a_window_every_request_is_stored() -> None:
    engine = build(dedup=False)
    await asyncio.gather(*(engine.intake.submit(payload(1), "http", SENDER) for _ in range(3)))
    await engine.intake.submit(payload(1), "http", SENDER)
    assert engine.held() == [1, 1, 1, 1]


class Panic:
    """A transform whose native code panics: what ptars raises then is no `Exception`."""

    def __call__(self, batch: Batch) -> Batch:
        class PanicException(BaseException):
            pass

        raise PanicException("index out of bounds")


async def test_a_panic_of_native_code_is_answered_like_any_defect() -> None:
    engine = build(Panic())
    with pytest.raises(Rejected, match="PanicException"):
        await engine.intake.submit(payload(1), "http", SENDER)
    with pytest.raises(Rejected):
        await engine.intake.submit(payload(1), "http", SENDER)
