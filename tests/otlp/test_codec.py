"""What comes in leaves as OTLP unchanged; protobuf's own parser is the judge."""

from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from spanmill.batch import Batch
from spanmill.errors import Rejected
from spanmill.otlp.codec import decode, encode
from spanmill.otlp.messages import SERVICES
from spanmill.signal import Signal
from tests.strategies import REQUESTS

SIGNALS = st.sampled_from(list(Signal))


def parse(signal: Signal, payload: bytes) -> Message:
    """The message, by protobuf's own parser."""
    return SERVICES[signal].request.FromString(payload)


@pytest.mark.parametrize("signal", list(Signal))
def test_any_request_leaves_as_it_came(signal: Signal) -> None:
    @given(REQUESTS[signal])
    def check(request: Message) -> None:
        records = decode(signal, [request.SerializeToString()]).records
        records.validate(full=True)
        assert parse(signal, encode(signal, records)) == request

    check()


@pytest.mark.parametrize("signal", list(Signal))
def test_requests_decoded_together_are_those_decoded_alone(signal: Signal) -> None:
    @given(st.lists(REQUESTS[signal], min_size=1, max_size=4))
    def check(requests: list[Message]) -> None:
        payloads = [request.SerializeToString() for request in requests]
        together = decode(signal, payloads)
        for index, payload in enumerate(payloads):
            rows = [i for i, owner in enumerate(together.requests) if owner == index]
            part = together.records.slice(rows[0], len(rows)) if rows else together.records.slice(0, 0)
            assert regrouped(parse(signal, encode(signal, part))) == regrouped(parse(signal, payload))

    check()


def regrouped(request: Any) -> list[bytes]:
    """Every item with its envelopes, one by one: what stays the same when equal neighbours share an envelope."""
    rows: list[bytes] = []
    for resources in _children(request, "resource_"):
        for scopes in _children(resources, "scope_"):
            heads = [_head(resources, "resource"), _head(scopes, "scope")]
            items = _children(scopes, ("spans", "metrics", "log_records"))
            rows.extend(b"".join([*heads, item.SerializeToString(deterministic=True)]) for item in items)
    return rows


def _head(envelope: Any, name: str) -> bytes:
    """The envelope without its items."""
    message = getattr(envelope, name) if envelope.HasField(name) else None
    serialized: bytes = type(envelope)(**{name: message}, schema_url=envelope.schema_url).SerializeToString(
        deterministic=True
    )
    return serialized


def _children(message: Any, names: str | tuple[str, ...]) -> list[Any]:
    """The elements of the repeated field whose name begins so."""
    return [
        e for field, value in message.ListFields() if field.is_repeated and field.name.startswith(names) for e in value
    ]


@pytest.mark.parametrize("signal", list(Signal))
def test_concatenated_batches_hold_the_rows_of_each_in_order(signal: Signal) -> None:
    @given(st.lists(REQUESTS[signal], min_size=1, max_size=3))
    def check(requests: list[Message]) -> None:
        batches = [Batch(signal, decode(signal, [r.SerializeToString()]).records) for r in requests]
        whole = Batch.concat(batches)
        assert len(whole) == sum(map(len, batches))
        offset = 0
        for batch in batches:
            part = whole.slice(offset, len(batch))
            assert encode(signal, part.records) == encode(signal, batch.records)
            offset += len(batch)

    check()


@pytest.mark.parametrize("payload", [b"\xff" * 20, b"\x0a\x10\x00"], ids=["garbage", "a length past the end"])
def test_what_is_not_protobuf_is_rejected(payload: bytes) -> None:
    with pytest.raises(Rejected, match="ExportTraceServiceRequest"):
        decode(Signal.TRACES, [payload])


def _delimited(tag: int, content: bytes) -> bytes:
    length, out = len(content), bytearray([tag << 3 | 2])
    while length > 127:
        out.append(length & 127 | 128)
        length >>= 7
    return bytes(out) + bytes([length]) + content


def _span_with(value: bytes) -> bytes:
    key_value = _delimited(1, b"k") + _delimited(2, value)
    return _delimited(1, _delimited(2, _delimited(2, _delimited(9, key_value))))


def test_garbage_nested_in_an_array_is_rejected_before_it_is_acknowledged() -> None:
    with pytest.raises(Rejected):
        decode(Signal.TRACES, [_span_with(_delimited(5, _delimited(1, b"\xff\xff\xff")))])


def test_text_nested_in_an_array_must_be_utf8() -> None:
    with pytest.raises(Rejected):
        decode(Signal.TRACES, [_span_with(_delimited(5, _delimited(1, _delimited(1, b"\xff\xfe"))))])


def test_values_nested_too_deep_are_rejected() -> None:
    value = _delimited(1, b"x")
    for _ in range(60):
        value = _delimited(5, _delimited(1, value))
    with pytest.raises(Rejected):
        decode(Signal.TRACES, [_span_with(value)])


def test_an_empty_request_has_no_rows_and_no_bytes() -> None:
    for signal in Signal:
        records = decode(signal, [b""]).records
        assert records.num_rows == 0
        assert encode(signal, records) == b""


def test_equal_resources_of_several_requests_are_kept_once() -> None:
    payload = _delimited(
        1, _delimited(1, _delimited(1, _delimited(1, b"service.name"))) + _delimited(2, _delimited(2, b""))
    )
    decoded = decode(Signal.TRACES, [payload] * 50)
    assert decoded.records.num_rows == 50
    assert len(decoded.records.column("resource").dictionary) == 1
