"""Requests of numbered spans, made quickly: a template in which the ids are written over."""

import itertools
from typing import Final

import numpy as np
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_NOWHERE: Final = 0xA1B2C3D4_E5F60718
"""The first id of the template; nothing else in it reads like its ids."""
_TEXT: Final = "The answer follows from what the handbook says about returns, deliveries, invoices and accounts. "


class NumberedRequests:
    """Serialized requests of `spans` spans of about `span_bytes` bytes. No two hold the same span id."""

    def __init__(self, sender: int, spans: int, span_bytes: int) -> None:
        self.spans = spans
        self._first = (sender + 1) << 40
        self._counter = itertools.count()
        self._template = np.frombuffer(_request(spans, span_bytes), np.uint8).copy()
        raw = self._template.tobytes()
        starts = [-1]
        for number in range(spans):
            starts.append(raw.index((_NOWHERE + number).to_bytes(8, "big"), starts[-1] + 1))
        self._places = np.array(starts[1:])[:, None] + np.arange(8)

    @property
    def size(self) -> int:
        """Bytes of each request."""
        return len(self._template)

    def next(self) -> tuple[int, bytes]:
        """The first span id of a request, the others follow it, and its bytes."""
        first = self._first + next(self._counter) * self.spans
        ids = np.arange(first, first + self.spans, dtype=">u8")
        self._template[self._places] = ids.view(np.uint8).reshape(self.spans, 8)
        return first, self._template.tobytes()


def _request(spans: int, span_bytes: int) -> bytes:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "flood"
    scope = resource.scope_spans.add()
    for number in range(spans):
        span = scope.spans.add(name="chat", trace_id=bytes(range(1, 17)))
        span.span_id = (_NOWHERE + number).to_bytes(8, "big")
        span.start_time_unix_nano, span.end_time_unix_nano = 1_767_225_600_000_000_000, 1_767_225_601_000_000_000
        text = (_TEXT * (span_bytes // len(_TEXT) + 1))[: max(1, span_bytes - 120)]
        span.attributes.add(key="gen_ai.output.messages").value.string_value = text
    return request.SerializeToString()
