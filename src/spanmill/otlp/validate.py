"""Which rows OTLP says are not valid, so that they are refused one by one and the rest is kept."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from spanmill.signal import Signal

_TRACE_ID, _SPAN_ID = 16, 8


@dataclass(frozen=True, slots=True)
class Invalid:
    """Rows that cannot be taken."""

    rows: pa.BooleanArray
    reason: str


def invalid_rows(signal: Signal, records: pa.RecordBatch) -> Invalid | None:
    """Spans whose ids have the wrong length or are all zero (trace.proto, `Span`); None when every row is valid.

    A log record's ids may be absent and are then merely not used (logs.proto, `LogRecord`), so that none is invalid.
    """
    if signal is not Signal.TRACES or records.num_rows == 0:
        return None
    trace, span, parent = (records.column(name) for name in ("trace_id", "span_id", "parent_span_id"))
    faults = {
        f"trace_id must be {_TRACE_ID} bytes": pc.not_equal(pc.binary_length(trace), _TRACE_ID),
        "trace_id must not be all zero": pc.equal(trace, pa.scalar(bytes(_TRACE_ID), pa.binary())),
        f"span_id must be {_SPAN_ID} bytes": pc.not_equal(pc.binary_length(span), _SPAN_ID),
        "span_id must not be all zero": pc.equal(span, pa.scalar(bytes(_SPAN_ID), pa.binary())),
        f"parent_span_id must be empty or {_SPAN_ID} bytes": pc.invert(
            pc.is_in(pc.binary_length(parent), pa.array([0, _SPAN_ID], pa.int32()))
        ),
    }
    found = {text: rows for text, rows in faults.items() if pc.any(rows).as_py()}
    if not found:
        return None
    rows = None
    for fault in found.values():
        rows = fault if rows is None else pc.or_(rows, fault)
    return Invalid(rows, "; ".join(found))
