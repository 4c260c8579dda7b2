"""What a request weighs: items counted as protobuf's own parser finds them, and memory told from bytes."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spanmill.otlp.weight import DECODED_PER_BYTE, count_items, weigh
from spanmill.signal import Signal
from tests.delivery.overload.requests import NumberedRequests
from tests.otlp.test_cost import ITEM_BOMBS, field, in_scope, items_of_message
from tests.otlp_samples import SAMPLES, traces
from tests.strategies import REQUESTS


@pytest.mark.parametrize("signal", Signal)
@given(data=st.data())
@settings(max_examples=15)
def test_items_are_counted_as_protobuf_has_them(signal: Signal, data: st.DataObject) -> None:
    message: Any = data.draw(REQUESTS[signal])
    assert count_items(message.SerializeToString(), signal) == items_of_message(message, signal)


@pytest.mark.parametrize("signal", Signal)
@given(payload=st.binary(max_size=200))
def test_any_bytes_have_a_weight_and_no_fewer_than_they_are(signal: Signal, payload: bytes) -> None:
    assert weigh(payload, signal) >= len(payload)
    assert count_items(payload, signal) >= 0


def test_bytes_that_are_not_protobuf_hold_no_items() -> None:
    assert count_items(b"\x0a\xff\xff", Signal.TRACES) == 0
    assert weigh(b"\x0a\xff\xff", Signal.TRACES) == 3


@pytest.mark.parametrize("attributes", [3, 15, 50])
def test_ordinary_spans_weigh_little_more_than_their_bytes(attributes: int) -> None:
    payload = traces(spans=100, attributes=attributes)
    assert weigh(payload, Signal.TRACES) <= 1.7 * len(payload)


def test_spans_with_texts_weigh_their_bytes() -> None:
    payload = NumberedRequests(0, spans=100, span_bytes=1000).next()[1]
    assert weigh(payload, Signal.TRACES) == len(payload)


@pytest.mark.parametrize("signal", Signal)
def test_the_smallest_ordinary_requests_weigh_little_more(signal: Signal) -> None:
    assert weigh(SAMPLES[signal], signal) <= 5 * len(SAMPLES[signal])


@pytest.mark.parametrize("name", ["empty spans", "empty log records", "empty points"])
def test_what_explodes_when_decoded_weighs_many_times_its_bytes(name: str) -> None:
    """An empty item takes 180 to 550 bytes at the peak."""
    signal, payload = ITEM_BOMBS[name]
    decoded = DECODED_PER_BYTE * weigh(payload, signal)
    assert 180 <= decoded / count_items(payload, signal) <= 550


@pytest.mark.parametrize("spread", ["resources", "scopes", "metrics"])
def test_of_very_many_envelopes_a_sample_tells_the_weight(spread: str) -> None:
    signal = Signal.METRICS if spread == "metrics" else Signal.TRACES
    payload = {
        "resources": lambda: in_scope(in_span_of_30_bytes()) * 30_000,
        "scopes": lambda: field(1, field(2, in_span_of_30_bytes()) * 30_000),
        "metrics": lambda: in_scope(field(2, field(5, field(1, bytes(25)))) * 30_000),
    }[spread]()
    together = {
        Signal.TRACES: lambda: in_scope(in_span_of_30_bytes() * 30_000),
        Signal.METRICS: lambda: in_scope(field(2, field(5, field(1, bytes(25)) * 30_000))),
    }[signal]()
    assert weigh(together, signal) < weigh(payload, signal) < 4 * weigh(together, signal)
    assert count_items(together, signal) == 30_000
    assert count_items(payload, signal) == 0


def in_span_of_30_bytes() -> bytes:
    return field(2, field(1, bytes(16)) + field(2, bytes(8)))
