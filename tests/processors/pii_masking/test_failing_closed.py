"""Nothing goes on unmasked because something fails, and nobody says what the text was."""

import asyncio
from collections.abc import Callable

import pyarrow as pa
import pytest

from spanmill.batch import Batch
from spanmill.errors import Busy
from spanmill.names import Kind
from spanmill.otlp.codec import encode
from spanmill.pii.detector import Detector, Form
from spanmill.pii.finder import Finder
from spanmill.pii.masker import Masker
from spanmill.pii.places import Options
from spanmill.processors.pii_masking.config import PiiMaskingProcessorConfig
from spanmill.processors.pii_masking.processor import PiiMaskingProcessor
from spanmill.signal import Signal
from tests.processors.building import attributes_of, batch_of, pairs, settings
from tests.processors.pii_masking.masks import Running

SECRET = "jane@example.com"


def _broken_check(found: bytes) -> int:
    raise ValueError(f"what is {found!r}?")


class _BrokenOptions(Options):
    """Something is wrong with the walk over the places, which no masker can help."""

    def covers(self, place: str) -> bool:
        raise LookupError(f"where is {SECRET}?")


def _batch() -> Batch:
    return batch_of(Signal.TRACES, [pairs(said=f"I am {SECRET}"), pairs(said="nothing")], name=f"call {SECRET}")


def test_a_value_that_cannot_be_masked_is_replaced_and_no_other() -> None:
    running = Running()
    running.processor._masker = Masker(Finder([Detector("broken", (Form("@", _broken_check),))]))
    first, second = attributes_of(running.processor(_batch()))
    assert [first[0][1].string_value, second[0][1].string_value] == ["<MASKING FAILED>", "nothing"]
    assert running.count("failures", outcome="value_replaced") >= 2


def test_a_batch_that_cannot_be_masked_keeps_no_text_and_its_shape() -> None:
    running, batch = Running(), _batch()
    running.processor._options = _BrokenOptions()
    masked = running.processor(batch)
    assert SECRET.encode() not in encode(Signal.TRACES, masked.records)
    assert masked.column("name").to_pylist() == ["<MASKING FAILED>"] * 2
    assert masked.column("span_id").equals(batch.column("span_id"))
    assert running.count("failures", outcome="batch_replaced") == 1
    assert "LookupError" in str(running.log.entries)
    assert SECRET not in str(running.log.entries)


def test_a_batch_that_cannot_even_be_emptied_is_refused_for_now() -> None:
    running, batch = Running(), _batch()
    odd = pa.array([{SECRET: SECRET}, {}], pa.map_(pa.string(), pa.string()))
    with pytest.raises(Busy) as caught:
        running.processor(batch.with_record_column("odd", odd))
    assert caught.value.retry_after > 0
    assert running.count("failures", outcome="batch_refused") == 1
    assert SECRET not in str(caught.value) + str(running.log.entries)


def test_a_dry_run_fails_nobody() -> None:
    running, batch = Running(dry_run=True), _batch()
    running.processor._options = _BrokenOptions()
    assert running.processor(batch) is batch
    assert running.count("failures", outcome="batch_not_counted") == 1


def test_nothing_passes_a_processor_that_has_not_started() -> None:
    processor = PiiMaskingProcessor(PiiMaskingProcessorConfig(), settings(Kind.PROCESSORS, "pii_masking"))
    with pytest.raises(Busy):
        processor(_batch())


def test_findings_are_counted_by_detector_and_kind_of_place_and_hold_no_text() -> None:
    running = Running()
    running.processor(batch_of(Signal.TRACES, [pairs(**{f"key.of.{SECRET}": SECRET})], name=f"call {SECRET}"))
    assert running.count("findings", detector="email", place="attributes") == 1
    assert running.count("findings", detector="email", place="name") == 1
    assert running.count("scanned_bytes") > 0
    assert SECRET not in str([(reading.definition.name, reading.labels) for reading in running.metrics.read()])


def test_a_batch_without_findings_is_the_very_same_batch() -> None:
    batch = batch_of(Signal.TRACES, [pairs(said="nothing to see")])
    assert Running().processor(batch) is batch


def test_two_threads_mask_at_once() -> None:
    running = Running(mode="hmac", hmac={"key": "k" * 16, "key_id": "k1"})
    alone = encode(Signal.TRACES, running.processor(_batch()).records)

    async def both() -> list[bytes]:
        work: Callable[[], bytes] = lambda: encode(Signal.TRACES, running.processor(_batch()).records)  # noqa: E731
        return await asyncio.gather(*(asyncio.to_thread(work) for _ in range(4)))

    assert asyncio.run(both()) == [alone] * 4
