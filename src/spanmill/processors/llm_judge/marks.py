"""The judge's own spans, and how they are known: they are never judged, or judging would never end.

Their trace ids begin with five letters. So do those of the spans that a gateway between judge and model makes of what
it forwards: the request carries our `traceparent`, and its spans are of our trace. Attribute and scope are for readers:
to look for them in every span that may be judged would cost more than to choose it.
"""

import secrets
from typing import Final

import numpy as np
import pyarrow.compute as pc

from spanmill.batch import Batch

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
    own = pc.starts_with(batch.record_column("trace_id"), _TRACE_PREFIX).fill_null(False)
    return np.asarray(own.to_numpy(zero_copy_only=False))
