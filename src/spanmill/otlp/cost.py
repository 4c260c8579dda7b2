"""What decoding a request would cost, found before it is decoded.

Decoding amplifies: an empty span is two bytes on the wire and hundreds as columns or objects, so that a request of
4 MB can stand for 350 MB. Two counts are bounded: the items (spans, log records, metric points), and everything
repeated inside them (attributes, events, links, exemplars, elements of arrays and maps).
"""

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from google.protobuf.descriptor import FieldDescriptor

from spanmill.errors import Rejected
from spanmill.otlp.messages import SERVICES
from spanmill.signal import Signal

_SMALL_ITEM = 9
_TINY = 3
"""Bytes. What is nested and larger than this is itself a fair part of what it becomes."""
_NESTED_PER_ITEM = 5
_FIELDS_PER_COUNTED = 4
"""A walk that meets so many fields for each item allowed is not walking through telemetry."""
_LONGER_TAG = 1
"""Bytes beyond the first. OTLP's field numbers need no more, and only who means to mislead pads them."""
_VARINT, _LENGTH_DELIMITED = 0, 2
_FIXED_BYTES = {1: 8, 5: 4}
_LONGEST_VARINT_BITS = 63


def check_cost(payload: bytes, signal: Signal, max_items: int) -> None:
    """Raise `Rejected` when decoding would give more than `max_items` items, or five times as many tiny parts of them.

    Payloads that are not valid protobuf pass, or are rejected with the same error as costly ones: the decoder judges.
    Takes no time for payloads up to `2 * max_items` bytes, a few ms/MB for normal ones, and about a second at worst.
    """
    # A message takes two bytes at least: a tag and a length.
    if len(payload) <= 2 * max_items:
        return
    small = int(np.count_nonzero(np.frombuffer(payload, np.uint8) <= _SMALL_ITEM))
    # Items do not contain each other: the length of a small one is a small byte, the others are larger than that.
    if small + len(payload) // (_SMALL_ITEM + 3) > max_items:
        count = _count(payload, _item_tags(signal), max_items)
        if count > max_items:
            raise Rejected(
                f"the request holds more than {max_items} {signal.item.replace('_', ' ')}, or far more envelopes;"
                " send smaller requests"
            )
    most = _NESTED_PER_ITEM * max_items
    suspicious = len(payload) > 2 * most and small > most and _tiny_messages(payload) > most
    if suspicious and _count(payload, _nested_tags(signal), most) > most:
        raise Rejected(
            f"the request holds more than {most} attributes, events and list elements; send smaller requests"
        )


@dataclass(slots=True)
class _Walk:
    """Which fields of a message lead to what is counted, by tag (field number and wire type as on the wire)."""

    counted: frozenset[int] = frozenset()
    below: dict[int, "_Walk"] = field(default_factory=dict)


def _tiny_messages(payload: bytes) -> int:
    """How many tiny messages there may be: small bytes that follow a message's tag, or end a varint that is longer."""
    data = np.frombuffer(payload, np.uint8)
    before, small = data[:-1], data[1:] <= _TINY
    return int(np.count_nonzero(small & (((before & 7) == _LENGTH_DELIMITED) | (before >= 0x80))))


def _count(payload: bytes, walk: _Walk, most: int) -> int:
    """Count the messages that `walk` leads to; stops soon after `most`. What is malformed ends the count.

    Groups are walked as if their fields were the message's own: that counts too much at worst, and never too little.
    """
    position, end, count, fields = 0, len(payload), 0, 0
    counted, below = walk.counted, walk.below
    outer: list[tuple[int, int, _Walk]] = []
    try:
        while count <= most and fields <= _FIELDS_PER_COUNTED * most:
            while position >= end:
                if not outer:
                    return count
                position, end, walk = outer.pop()
                counted, below = walk.counted, walk.below
            fields += 1
            tag = payload[position]
            position += 1
            if tag >= 0x80:
                tag, after = _varint(payload, position - 1)
                if after - position > _LONGER_TAG:
                    return most + 1
                position = after
            kind = tag & 7
            if kind == _LENGTH_DELIMITED:
                length = payload[position]
                position += 1
                if length >= 0x80:
                    length, position = _varint(payload, position - 1)
                count += tag in counted
                inner = below.get(tag)
                if inner is None:
                    position += length
                else:
                    outer.append((position + length, end, walk))
                    end, walk = position + length, inner
                    counted, below = walk.counted, walk.below
            elif kind == _VARINT:
                while payload[position] >= 0x80:
                    position += 1
                position += 1
            else:
                position += _FIXED_BYTES.get(kind, 0)
    except IndexError:
        return count
    return most + 1


def _varint(payload: bytes, position: int) -> tuple[int, int]:
    """The number at `position`, and where it ends."""
    number, shift = 0, 0
    while True:
        byte = payload[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number & 0xFFFF_FFFF, position
        shift += 7
        if shift > _LONGEST_VARINT_BITS:
            raise IndexError("not a varint")


def _tag(number: int) -> int:
    return number << 3 | _LENGTH_DELIMITED


@cache
def _item_tags(signal: Signal) -> _Walk:
    """Down to spans, log records or metric points, and no further."""
    service = SERVICES[signal]
    resources = service.request.DESCRIPTOR.fields_by_name[service.resources]
    scopes = _message(resources).fields_by_name[service.scopes]
    items = _message(scopes).fields_by_name[service.items]
    if signal is Signal.METRICS:
        points = _Walk(counted=frozenset({_tag(1)}))
        data = _message(items).oneofs_by_name["data"].fields
        last = _Walk(below={_tag(items.number): _Walk(below={_tag(each.number): points for each in data})})
    else:
        last = _Walk(counted=frozenset({_tag(items.number)}))
    return _Walk(below={_tag(resources.number): _Walk(below={_tag(scopes.number): last})})


@cache
def _nested_tags(signal: Signal) -> _Walk:
    """Everything that is a repeated message, at every level."""
    walks: dict[str, _Walk] = {}

    def walk_of(message: Any) -> _Walk:
        if message.full_name in walks:
            return walks[message.full_name]
        walk = walks[message.full_name] = _Walk()
        messages = [each for each in message.fields if each.type == FieldDescriptor.TYPE_MESSAGE]
        walk.counted = frozenset(_tag(each.number) for each in messages if each.is_repeated)
        walk.below.update({_tag(each.number): walk_of(each.message_type) for each in messages})
        return walk

    return walk_of(SERVICES[signal].request.DESCRIPTOR)


def _message(field: Any) -> Any:
    """The type of a message field."""
    return field.message_type
