"""What decoding would cost: ordinary requests pass at once, requests made to explode are found before they do."""

import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spanmill.errors import Rejected
from spanmill.otlp.cost import check_cost
from spanmill.otlp.wire import varint
from spanmill.signal import Signal
from tests.otlp_samples import logs, metrics, traces
from tests.strategies import REQUESTS

MIB = 1024 * 1024


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def in_scope(content: bytes) -> bytes:
    return field(1, field(2, content))


def in_span(content: bytes) -> bytes:
    return in_scope(field(2, content))


EMPTY = 1_500_000
"""Messages of two bytes each: 3 MB."""
ITEM_BOMBS = {
    "empty spans": (Signal.TRACES, in_scope(b"\x12\x00" * EMPTY)),
    "empty spans in many scopes": (Signal.TRACES, field(1, field(2, b"\x12\x00" * 2) * (EMPTY // 3))),
    "spans of a few bytes": (Signal.TRACES, in_scope(field(2, b"\x2a\x08chat gpt") * 500_000)),
    "padded lengths": (Signal.TRACES, in_scope(b"\x12\x80\x80\x00" * EMPTY)),
    "padded tags": (Signal.TRACES, in_scope(b"\x92\x80\x00\x00" * EMPTY)),
    "inside a group": (Signal.TRACES, in_scope(b"\x9b\x01" + b"\x12\x00" * EMPTY + b"\x9c\x01")),
    "empty log records": (Signal.LOGS, in_scope(b"\x12\x00" * EMPTY)),
    "empty points": (Signal.METRICS, in_scope(field(2, field(7, b"\x0a\x00" * EMPTY)))),
    "empty points in many metrics": (Signal.METRICS, in_scope(field(2, field(5, b"\x0a\x00")) * 500_000)),
}
NESTED_BOMBS = {
    "attributes in one span": (Signal.TRACES, in_span(b"\x4a\x00" * EMPTY)),
    "events": (Signal.TRACES, in_span(b"\x5a\x00" * EMPTY)),
    "links": (Signal.TRACES, in_span(b"\x6a\x00" * EMPTY)),
    "attributes of the resource": (Signal.TRACES, field(1, field(1, b"\x0a\x00" * EMPTY))),
    "resources": (Signal.TRACES, b"\x0a\x00" * EMPTY),
    "scopes": (Signal.LOGS, field(1, b"\x12\x00" * EMPTY)),
    "metrics without points": (Signal.METRICS, in_scope(b"\x12\x00" * EMPTY)),
    "elements of a list": (Signal.LOGS, in_scope(field(2, field(5, field(5, b"\x0a\x00" * EMPTY))))),
    "exemplars": (Signal.METRICS, in_scope(field(2, field(5, field(1, b"\x2a\x00" * EMPTY))))),
    "padded tags": (Signal.TRACES, in_span(b"\xca\x80\x00\x00" * EMPTY)),
}


@pytest.mark.parametrize("name", ITEM_BOMBS)
def test_too_many_items_are_refused_and_named(name: str) -> None:
    signal, payload = ITEM_BOMBS[name]
    with pytest.raises(Rejected, match=f"more than 200000 {signal.item.replace('_', ' ')}"):
        check_cost(payload, signal, 200_000)


@pytest.mark.parametrize("name", NESTED_BOMBS)
def test_too_much_inside_the_items_is_refused(name: str) -> None:
    signal, payload = NESTED_BOMBS[name]
    with pytest.raises(Rejected, match=r"more than (1000000|200000 .*envelopes)"):
        check_cost(payload, signal, 200_000)


@pytest.mark.parametrize("name", ["empty spans", "padded lengths", "inside a group"])
def test_finding_out_takes_little_memory_and_time(name: str) -> None:
    signal, payload = ITEM_BOMBS[name]
    tracemalloc.start()
    try:
        started = time.process_time()
        with pytest.raises(Rejected):
            check_cost(payload, signal, 5_000)
        elapsed = time.process_time() - started
        assert tracemalloc.get_traced_memory()[1] < 2 * len(payload)
    finally:
        tracemalloc.stop()
    assert elapsed < 5  # a hundredth of that by itself; tracing and coverage slow it down


@pytest.mark.parametrize(
    ("signal", "payload"),
    [
        (Signal.TRACES, traces(spans=20_000, attributes=15)),
        (Signal.METRICS, metrics(points=100_000)),
        (Signal.LOGS, logs(records=100_000)),
        (Signal.TRACES, in_span(field(9, field(1, b"k") + field(2, field(7, b"\x80\x00" * 8 * MIB))))),
    ],
    ids=["spans", "points", "records", "one large binary"],
)
def test_large_ordinary_requests_pass(signal: Signal, payload: bytes) -> None:
    check_cost(payload, signal, 200_000)


@pytest.mark.parametrize("signal", Signal)
@given(data=st.data())
@settings(max_examples=20)
def test_the_limit_is_exact(signal: Signal, data: st.DataObject) -> None:
    message: Any = data.draw(REQUESTS[signal])
    payload = message.SerializeToString() * 20
    count = 20 * items_of_message(message, signal)
    if len(payload) <= 2 * count or count < 2:
        return
    check_cost(payload, signal, count + _nested(payload))
    with pytest.raises(Rejected):
        check_cost(payload, signal, count - 1)


def _nested(payload: bytes) -> int:
    """Room enough for what is inside the items."""
    return len(payload) // 10


def items_of_message(message: Any, signal: Signal) -> int:
    if signal is Signal.TRACES:
        return sum(len(s.spans) for r in message.resource_spans for s in r.scope_spans)
    if signal is Signal.LOGS:
        return sum(len(s.log_records) for r in message.resource_logs for s in r.scope_logs)
    metrics_of = [m for r in message.resource_metrics for s in r.scope_metrics for m in s.metrics]
    return sum(len(getattr(m, kind).data_points) for m in metrics_of if (kind := m.WhichOneof("data")))


@pytest.mark.parametrize("signal", Signal)
@given(payload=st.binary(max_size=200), most=st.integers(1, 5))
def test_any_bytes_pass_or_are_refused(signal: Signal, payload: bytes, most: int) -> None:
    try:
        check_cost(payload, signal, most)
    except Rejected as error:
        assert "send smaller requests" in error.reason  # noqa: PT017
