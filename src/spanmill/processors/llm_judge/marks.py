"""The judge's own spans, and how they are known: they are never judged, or judging would never end.

Any one mark is enough: an attribute, the instrumentation scope, and a trace id that begins with five letters. The last
is for a gateway between judge and model that traces what it forwards: the request carries our `traceparent`, and its
spans are of our trace.
"""

import secrets
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.batch import Batch
from spanmill.otlp.attributes import has

ATTRIBUTE: Final = "spanmill.judge"
SCOPE: Final = "spanmill.judge"
_TRACE_PREFIX: Final = b"judge"
"""The bytes behind it are random, as W3C trace context wants the last seven of an id to be."""


def new_trace_id() -> bytes:
    """The id of a trace of one call of a judge."""
    return _TRACE_PREFIX + secrets.token_bytes(16 - len(_TRACE_PREFIX))


def traceparent(trace_id: bytes, span_id: bytes) -> str:
    """As the header field of that name (W3C Trace Context, level 1); sampled."""
    return f"00-{trace_id.hex()}-{span_id.hex()}-01"


def own_spans(batch: Batch) -> np.ndarray:
    """For each span whether it is of a judge, as booleans."""
    marked = has(batch.record_column("attributes"), ATTRIBUTE)
    scope = batch.record_column("scope")
    scopes = pc.equal(scope.dictionary.field("scope").field("name"), SCOPE).fill_null(False)
    of_scope = scopes.take(scope.indices).fill_null(False)
    of_trace = pc.starts_with(batch.record_column("trace_id"), _TRACE_PREFIX).fill_null(False)
    found: np.ndarray = marked | _booleans(of_scope) | _booleans(of_trace)
    return found


def _booleans(values: pa.BooleanArray) -> np.ndarray:
    return np.asarray(values.to_numpy(zero_copy_only=False))
