"""What the intake says when something else fails in a pipeline that masks: nothing of what was sent."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from spanmill.batch import Batch
from spanmill.component import Outcome, Sender
from spanmill.errors import Rejected
from spanmill.intake import SignalIntake
from spanmill.journal.memory import MemoryJournal
from spanmill.names import ComponentId, PipelineId
from spanmill.pipeline import MeasuredTransform, Pipeline
from spanmill.signal import Signal
from spanmill.telemetry.metrics import Metrics
from spanmill.utilization import Utilization
from tests.data import traces
from tests.logs import CapturedLog
from tests.processors.pii_masking.masks import Running

SECRET = "jane@example.com"
TRACES = PipelineId(Signal.TRACES)


def _quote(batch: Batch) -> Batch:
    """A defect in a component, whose error shows what it was given."""
    raise ArithmeticError(f"cannot work with {batch.column('name').to_pylist()}")


def _pipeline(*transforms: object, journal: MemoryJournal | None = None) -> Pipeline:
    measured = [MeasuredTransform(ComponentId("t"), TRACES, each, Metrics()) for each in transforms]  # type: ignore[arg-type]
    return Pipeline(TRACES, measured, journal)


def _submitted(pipeline: Pipeline, log: CapturedLog) -> Outcome:
    with ThreadPoolExecutor(1) as executor:
        intake = SignalIntake(
            ComponentId("otlp"),
            Signal.TRACES,
            [pipeline],
            max_batch_bytes=1 << 20,
            dedup=True,
            executor=executor,
            utilization=Utilization(),
            metrics=Metrics(),
            log=log,
        )
        payload = traces(name=f"call {SECRET}").SerializeToString()
        return asyncio.run(intake.submit(payload, "grpc", Sender("127.0.0.1")))


@pytest.mark.parametrize("behind_a_connector", [False, True])
def test_a_defect_before_masking_is_logged_without_its_words(behind_a_connector: bool) -> None:
    log, masking = CapturedLog(), Running().processor
    pipeline = _pipeline(_quote) if behind_a_connector else _pipeline(_quote, masking)
    pipeline.connected = (_pipeline(masking),) if behind_a_connector else ()
    with pytest.raises(Rejected) as caught:
        _submitted(pipeline, log)
    (entry,) = log.entries
    assert entry["trace"].startswith("ArithmeticError < ")
    assert "_quote" in entry["trace"]
    assert SECRET not in str(entry) + str(caught.value)


def test_where_nothing_is_masked_the_whole_error_is_logged() -> None:
    log, dry = CapturedLog(), Running(dry_run=True).processor
    with pytest.raises(Rejected):
        _submitted(_pipeline(_quote, dry), log)
    assert SECRET in str(log.entries[0]["exc_info"])


def test_what_reaches_the_journal_is_masked() -> None:
    journal = MemoryJournal(1 << 20)
    reader = journal.reader("test")
    assert _submitted(_pipeline(Running().processor, journal=journal), CapturedLog()) == Outcome(1)
    record = reader.read()
    assert record is not None
    assert record.load().column("name").to_pylist() == ["call <EMAIL>"]
