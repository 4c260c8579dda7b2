"""Mutated requests: what a broken proxy, a buggy encoder or an attacker makes of valid ones. Deterministic by seed."""

import random
from collections.abc import Iterator

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from spanmill.signal import Signal
from tests.otlp_samples import logs, metrics, traces

_INTERESTING = [0x00, 0x01, 0x02, 0x07, 0x08, 0x0A, 0x12, 0x2A, 0x32, 0x7F, 0x80, 0xFE, 0xFF]


def seeds(signal: Signal) -> list[bytes]:
    """Valid requests with everything in them that nests."""
    if signal is Signal.TRACES:
        return [traces(1, 1), traces(3, 3), _rich_trace()]
    if signal is Signal.METRICS:
        return [metrics(1), metrics(3), _rich_metrics()]
    return [logs(1), logs(3)]


def mutations(signal: Signal, count: int, seed: int) -> Iterator[bytes]:
    """`count` payloads, each one to four random edits away from a valid one."""
    chosen, samples = random.Random(f"{signal} {seed}"), seeds(signal)
    for _ in range(count):
        payload = bytearray(chosen.choice(samples))
        for _ in range(chosen.randint(1, 4)):
            _edit(payload, chosen)
        yield bytes(payload)


def _edit(payload: bytearray, chosen: random.Random) -> None:
    place = chosen.randrange(len(payload) + 1) if payload else 0
    size = chosen.randint(1, 8)
    match chosen.randrange(7):
        case 0:
            if place < len(payload):
                payload[place] ^= 1 << chosen.randrange(8)
        case 1:
            if place < len(payload):
                payload[place] = chosen.choice(_INTERESTING)
        case 2:
            del payload[place:]
        case 3:
            del payload[place : place + size]
        case 4:
            payload[place:place] = payload[place : place + size]
        case 5:
            payload[place:place] = bytes(chosen.choice(_INTERESTING) for _ in range(size))
        case _:
            payload[place : place + size] = chosen.randbytes(size)


def _rich_trace() -> bytes:
    request = ExportTraceServiceRequest()
    span = (
        request.resource_spans.add().scope_spans.add().spans.add(name="agent", trace_id=bytes(16), span_id=b"12345678")
    )
    span.status.message = "tool timed out"
    event = span.events.add(name="exception", time_unix_nano=5)
    nested = event.attributes.add(key="calls").value
    for depth in range(3):
        if depth % 2:
            nested = nested.array_value.values.add()
        else:
            nested = nested.kvlist_value.values.add(key=f"level {depth}").value
    nested.int_value = -1
    span.links.add(trace_id=bytes(range(16)), span_id=b"87654321").attributes.add(key="k").value.bool_value = True
    span.attributes.add(key="bytes").value.bytes_value = b"\x00\xff"
    span.attributes.add(key="double").value.double_value = 0.5
    return request.SerializeToString()


def _rich_metrics() -> bytes:
    request = ExportMetricsServiceRequest()
    scope = request.resource_metrics.add().scope_metrics.add()
    histogram = scope.metrics.add(name="duration", unit="s").histogram
    point = histogram.data_points.add(count=3, sum=1.5, bucket_counts=[1, 2], explicit_bounds=[0.5])
    point.exemplars.add(as_double=0.25, span_id=b"12345678", trace_id=bytes(16))
    exponential = scope.metrics.add(name="size").exponential_histogram.data_points.add(count=2, scale=3)
    exponential.positive.bucket_counts.extend([1, 1])
    scope.metrics.add(name="quantiles").summary.data_points.add(count=1).quantile_values.add(quantile=0.5, value=2)
    scope.metrics.add(name="total").sum.data_points.add(as_int=7).attributes.add(key="k").value.string_value = "v"
    return request.SerializeToString()
