"""What spans and log records say of the sampling that they have come through."""

import numpy as np
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from spanmill.batch import Batch
from spanmill.sampling import randomness_of, thresholds_of
from spanmill.sampling.arriving import arrival_of
from tests.data import batch_of
from tests.sampling.rows import log_records, spans

HALF = 1 << 55


def test_randomness_is_the_low_56_bits_of_the_trace_id() -> None:
    assert randomness_of(spans([(0, ""), (HALF + 7, ""), (2**56 - 1, "")])).tolist() == [0, HALF + 7, 2**56 - 1]


def test_a_randomness_that_is_carried_goes_before_the_trace_id() -> None:
    batch = spans([(1, "ot=rv:00000000000002"), (1, "a=b , ot=p:1;rv:FFFFFFFFFFFFFF"), (1, "ot=rv:123"), (1, "rv=x")])
    assert randomness_of(batch).tolist() == [2, 2**56 - 1, 1, 1]


@pytest.mark.parametrize("trace_id", [b"", bytes(16), b"\x01" * 8])
def test_without_a_trace_id_there_is_no_randomness_and_every_threshold_is_passed(trace_id: bytes) -> None:
    request = ExportTraceServiceRequest()
    items = request.resource_spans.add().scope_spans.add().spans
    items.add(trace_id=trace_id)
    items.add(trace_id=bytes(range(16)))
    values, known = arrival_of(batch_of(request)).randomness
    assert values.tolist() == [2**56 - 1, 0x090A0B0C0D0E0F]
    assert known.tolist() == [False, True]


def test_a_slice_is_read_like_a_batch_of_its_own() -> None:
    rows = [(number, f"ot=rv:{number + 5:014x};th:{number:014x}" if number % 2 else "") for number in range(1, 9)]
    whole, part = spans(rows), spans(rows).slice(3, 4)
    for read in (randomness_of, lambda batch: thresholds_of(batch).values):
        assert read(part).tolist() == read(whole)[3:7].tolist()


@pytest.mark.parametrize(
    ("state", "value", "known", "false"),
    [
        ("", 0, False, False),
        ("vendor=th:8", 0, False, False),
        ("ot=p:8", 0, False, False),
        ("ot=th:8", HALF, True, False),
        ("ot=th:0", 0, True, False),
        ("vendor=x y,\tot=a:b;th:8", HALF, True, False),
        ("ot=th:4;th:8", HALF, True, False),
        ("ot=th:c", 0, False, True),
        ("ot=rv:f0000000000000;th:c", 3 << 54, True, False),
        ("ot=th:nonsense", 0, False, True),
        ("ot=th:", 0, False, True),
    ],
)
def test_a_threshold_counts_where_it_can_be_read_and_was_passed(
    state: str, value: int, known: bool, false: bool
) -> None:
    arriving = thresholds_of(spans([(HALF, state)]))
    assert (arriving.values.tolist(), arriving.known.tolist(), arriving.false.tolist()) == ([value], [known], [false])


def test_log_records_carry_theirs_in_attributes() -> None:
    batch = log_records(
        [
            (HALF, {}),
            (HALF, {"sampling.threshold": "8"}),
            (0, {"sampling.threshold": "8", "sampling.randomness": "ffffffffffffff"}),
            (0, {"sampling.threshold": "8"}),
            (0, {"sampling.threshold": ""}),
        ]
    )
    assert thresholds_of(batch).known.tolist() == [False, True, True, False, False]
    assert thresholds_of(batch).false.tolist() == [False, False, False, True, False]
    assert randomness_of(batch).tolist() == [HALF, HALF, 2**56 - 1, 0, 0]


def test_an_empty_batch_has_nothing_to_say() -> None:
    empty: Batch = spans([(1, "ot=th:8")]).slice(0, 0)
    assert randomness_of(empty).dtype == np.uint64
    assert [len(part) for part in thresholds_of(empty)] == [0, 0, 0]
