"""The decoder and protobuf's own parser agree on every mutated request: taken by both, or refused by both.

Nothing that protobuf takes is refused. In the other direction there are rare exceptions, at most one in five hundred,
in three places where the decoder looks less closely: groups, which OTLP never had; field numbers of more than 29 bits;
and packed lists of fixed-width numbers whose length is not a multiple of that width.

A short sample runs always, the same one each time; `pytest -m torture` tries 210,000 and more.
"""

import os
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError

from spanmill.errors import Rejected
from spanmill.otlp import codec
from spanmill.otlp.cost import check_cost
from spanmill.otlp.json import from_json, to_json
from spanmill.otlp.messages import SERVICES
from spanmill.signal import Signal
from tests.hostile.mutations import mutations, seeds
from tests.otlp_samples import traces

_SAMPLE = 700
_EIGHT_BYTES = {FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FIXED64, FieldDescriptor.TYPE_SFIXED64}
_TORTURE = int(os.environ.get("SPANMILL_MUTATIONS", "70000"))


def protobuf_accepts(signal: Signal, payload: bytes) -> bool:
    try:
        SERVICES[signal].request.FromString(payload)
    except DecodeError:
        return False
    return True


def spanmill_accepts(signal: Signal, payload: bytes) -> bool:
    try:
        check_cost(payload, signal, 200_000)
        codec.decode(signal, [payload])
    except Rejected as error:
        return SERVICES[signal].request.DESCRIPTOR.name not in error.reason
    return True


def has_odd_field(payload: bytes, message: Any) -> bool:
    """Whether a message on any level has a group, a field number that no field can have, or a ragged packed list."""
    position = 0
    try:
        while position < len(payload):
            tag, position = read_varint(payload, position)
            if tag & 7 in (3, 4) or not 0 < tag >> 3 < 1 << 29:
                return True
            if tag & 7 == 2:
                length, position = read_varint(payload, position)
                field = message.fields_by_number.get(tag >> 3) if message is not None else None
                inner = payload[position : position + length]
                position += length
                if field is not None and field.type in _EIGHT_BYTES and length % 8:
                    return True
                if field is not None and field.message_type is not None and has_odd_field(inner, field.message_type):
                    return True
            elif tag & 7 == 0:
                _, position = read_varint(payload, position)
            else:
                position += {1: 8, 5: 4}.get(tag & 7, len(payload))
    except IndexError:
        return False
    return False


def read_varint(payload: bytes, position: int) -> tuple[int, int]:
    number, shift = 0, 0
    while True:
        byte = payload[position]
        number |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return number, position


def check(signal: Signal, count: int, seed: int) -> None:
    accepted = exceptions = 0
    for payload in mutations(signal, count, seed):
        expected = protobuf_accepts(signal, payload)
        if spanmill_accepts(signal, payload) != expected:
            assert not expected, f"refused, though protobuf takes it: {payload.hex()}"
            assert has_odd_field(payload, SERVICES[signal].request.DESCRIPTOR), payload.hex()
            exceptions += 1
        accepted += expected
    assert exceptions <= 2 + count // 500
    assert 0.02 < accepted / count < 0.98, "the mutations are too harsh or too mild to tell anything"


@pytest.mark.parametrize("signal", Signal)
def test_seeds_are_valid(signal: Signal) -> None:
    assert all(protobuf_accepts(signal, payload) and spanmill_accepts(signal, payload) for payload in seeds(signal))


_HUGE = b"\xff" * 9 + b"\x01"
"""The largest length that a varint can say."""


@pytest.mark.parametrize(
    "payload",
    [
        b"\x0a" + _HUGE,
        b"\x0a\x0c\x12" + _HUGE + b"\x00",
        b"\x0a\x10\x12\x0e\x12\x0c\x0a" + _HUGE + b"\x00",
        b"\x0a\x13\x0a\x11\x0a\x0f\x12\x0d\x2a\x0b\x0a" + _HUGE[:-1] + b"\x01",
        b"\x0a\xfe" + _HUGE[1:] + b"behind",
    ],
)
def test_a_length_near_the_largest_number_is_refused_and_the_decoder_lives_on(payload: bytes) -> None:
    assert not protobuf_accepts(Signal.TRACES, payload)
    with pytest.raises(Rejected):
        codec.decode(Signal.TRACES, [payload])
    with pytest.raises(Rejected):
        codec.decode(Signal.TRACES, [traces(), payload])
    assert codec.decode(Signal.TRACES, [traces(3)]).records.num_rows == 3


@pytest.mark.parametrize("signal", Signal)
def test_mutated_requests_are_taken_exactly_when_protobuf_takes_them(signal: Signal) -> None:
    check(signal, _SAMPLE, seed=1)


@pytest.mark.torture
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("signal", Signal)
def test_very_many_mutated_requests_are_taken_exactly_when_protobuf_takes_them(signal: Signal) -> None:
    check(signal, _TORTURE, seed=2)


@pytest.mark.parametrize("signal", Signal)
def test_mutated_json_is_read_or_refused_and_never_breaks(signal: Signal) -> None:
    """What is read from JSON is valid protobuf, whatever was done to the JSON."""
    import random

    chosen = random.Random(str(signal))
    samples = [to_json(signal, payload) for payload in seeds(signal)]
    read = 0
    for _ in range(_SAMPLE):
        body = bytearray(chosen.choice(samples))
        place = chosen.randrange(len(body))
        body[place : place + chosen.randrange(3)] = chosen.choice(
            [b"", b"{", b"]", b'"', b"0", b"-", b"null", b",", b"\xff"]
        )
        try:
            payload = from_json(signal, bytes(body))
        except Rejected:
            continue
        assert protobuf_accepts(signal, payload)
        read += 1
    assert read > 0
