"""Attributes of senders on the resources of what they send; protobuf's own parser is the judge."""

import copy
import time
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from spanmill.component import Sender
from spanmill.otlp.codec import decode, encode
from spanmill.otlp.messages import SERVICES
from spanmill.senders import with_sender_attributes
from spanmill.signal import Signal
from tests.data import key_value, traces
from tests.otlp.test_codec import regrouped
from tests.strategies import REQUESTS

KEYS = st.sampled_from(["sender", "tenant", "service.name", "gpt-4o"])
SENDERS = st.builds(
    Sender, st.sampled_from(["a", "b", "10.0.0.1"]), st.dictionaries(KEYS, st.text(max_size=5), max_size=2)
)


def expected(signal: Signal, request: Message, sender: Sender) -> Message:
    """The request with the sender's attributes on every resource, set one by one: slow and plain."""
    changed: Any = copy.deepcopy(request)
    for group in getattr(changed, SERVICES[signal].resources):
        for key, value in sorted(sender.attributes.items()):
            there = [attribute for attribute in group.resource.attributes if attribute.key == key]
            for attribute in there or [group.resource.attributes.add(key=key)]:
                attribute.value.Clear()
                attribute.value.string_value = value
    return changed  # type: ignore[no-any-return]


@pytest.mark.parametrize("signal", list(Signal))
def test_each_request_gets_the_attributes_of_its_own_sender(signal: Signal) -> None:
    @given(st.lists(st.tuples(REQUESTS[signal], SENDERS), min_size=1, max_size=4))
    def check(sent: list[tuple[Message, Sender]]) -> None:
        payloads = [request.SerializeToString() for request, _ in sent]
        decoded = decode(signal, payloads)
        records = with_sender_attributes(decoded, [sender for _, sender in sent])
        records.validate(full=True)
        assert records.schema.equals(decoded.records.schema)
        for index, (request, sender) in enumerate(sent):
            rows = np.flatnonzero(decoded.requests == index)
            part = records.take(pa.array(rows)) if len(rows) else records.slice(0, 0)
            found = SERVICES[signal].request.FromString(encode(signal, part))
            assert regrouped(found) == regrouped(expected(signal, request, sender))

    check()


def test_records_of_senders_without_attributes_are_left_as_they_are() -> None:
    decoded = decode(Signal.TRACES, [traces().SerializeToString()])
    assert with_sender_attributes(decoded, [Sender("10.0.0.1")]) is decoded.records


def test_a_sender_cannot_pass_itself_off_as_another() -> None:
    """What it says itself is replaced, wherever it says it."""
    request = traces()
    request.resource_spans[0].resource.attributes.extend([key_value("tenant", "b"), key_value("tenant", "c")])
    decoded = decode(Signal.TRACES, [request.SerializeToString()])
    records = with_sender_attributes(decoded, [Sender("a", {"tenant": "a"})])
    (resource,) = ExportTraceServiceRequest.FromString(encode(Signal.TRACES, records)).resource_spans
    assert [each.value.string_value for each in resource.resource.attributes if each.key == "tenant"] == ["a", "a"]


def test_equal_resources_are_kept_once_for_each_sender() -> None:
    """A dictionary that grew with the requests would be work for everything behind it."""
    payloads = [traces(2, first=number).SerializeToString() for number in range(1, 101)]
    decoded = decode(Signal.TRACES, payloads)
    senders = [Sender(name, {"sender": name}) for name in ("a", "b") * 50]
    records = with_sender_attributes(decoded, senders)
    assert len(records.column("resource").dictionary) == 2 * len(decoded.records.column("resource").dictionary)
    names = records.column("resource").dictionary.field("resource").field("attributes").flatten()
    assert sorted(names.filter(pa.compute.equal(names.field("key"), "sender")).field("value").field(0).to_pylist()) == [
        "a",
        "b",
    ]


def test_a_batch_of_many_requests_takes_little_time() -> None:
    """Columns, not rows: the bound is a hundred times what it takes."""
    payloads = [traces(100, first=100 * number + 1).SerializeToString() for number in range(200)]
    decoded = decode(Signal.TRACES, payloads)
    senders = [Sender(f"team-{number % 10}", {"sender": f"team-{number % 10}"}) for number in range(200)]
    began = time.perf_counter()
    with_sender_attributes(decoded, senders)
    seconds = time.perf_counter() - began
    assert seconds < 1.0, seconds
