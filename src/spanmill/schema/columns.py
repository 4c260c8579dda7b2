"""How OTLP's fields become public columns. Pure functions over records; shared by the three tables."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.arrays import words
from spanmill.otlp.anyvalue import TEXT_MAP, attribute_values, attributes_to_map, values_to_text
from spanmill.schema.table import Column, Compute

TIMESTAMP = pa.timestamp("ns")
_HEX = np.frombuffer(b"".join(b"%02x" % i for i in range(256)), dtype=np.uint16)
"""The two digits of each byte; taken with `mode="clip"`, for none is out of range and not to look saves half."""
_LAST_NANOSECOND = 2**63 - 1


def hex_text(ids: pa.BinaryArray) -> pa.StringArray:
    """Lower-case hex of binary ids of any length; null where the id is empty or all zeros, which OTLP calls absent."""
    if len(ids) == 0:
        return pa.array([], pa.string())
    offsets = np.frombuffer(ids.buffers()[1], dtype=np.int32)[ids.offset : ids.offset + len(ids) + 1]
    data = np.frombuffer(ids.buffers()[2] or b"", dtype=np.uint8)[offsets[0] : offsets[-1]]
    ends = (offsets - offsets[0]) * np.int32(2)
    text = pa.StringArray.from_buffers(len(ids), pa.py_buffer(ends), pa.py_buffer(_HEX.take(data, mode="clip")))
    found = words(ids)
    if found is not None:  # ids as they should be: a tenth of the time
        return _null_where(np.asarray(~found.any(axis=1)), text)
    set_bytes = np.concatenate(([0], np.cumsum(data != 0)))
    absent = set_bytes[offsets[1:] - offsets[0]] == set_bytes[offsets[:-1] - offsets[0]]
    return _null_where(absent, text)


def _null_where(rows: np.ndarray, values: pa.Array) -> pa.Array:
    if not rows.any():
        return values
    return pc.if_else(pa.array(rows, pa.bool_()), pa.scalar(None, values.type), values)


def timestamp(nanoseconds: pa.UInt64Array) -> pa.TimestampArray:
    """Nanoseconds since 1970, UTC. Null for 0, which OTLP calls unknown, and beyond the year 2262."""
    numbers = nanoseconds.fill_null(0).to_numpy() if nanoseconds.null_count else nanoseconds.to_numpy()
    unknown = (numbers == 0) | (numbers > _LAST_NANOSECOND)
    return pa.array(numbers.view(np.int64), pa.int64(), mask=unknown if unknown.any() else None).cast(TIMESTAMP)


def text_or_null(strings: pa.StringArray) -> pa.StringArray:
    """Null instead of the empty string, which is how protobuf says that a text is unknown."""
    return _null_where(pc.equal(strings, _EMPTY).fill_null(False).to_numpy(zero_copy_only=False), strings)


_EMPTY = pa.scalar("", pa.string())


def named(numbers: pa.Int32Array, names: pa.StringArray, default: int = 0) -> pa.StringArray:
    """The names of an enumeration's numbers; the name of `default` for a number that has none, and for null."""
    codes = numbers.fill_null(default).to_numpy()
    codes = np.where((codes < 0) | (codes >= len(names)), default, codes)
    return names.take(pa.array(codes, pa.int32()))


def field(name: str) -> Compute:
    """The record column as it is."""
    return lambda records: records.column(name)


def of_field(name: str, convert: "Compute") -> Compute:
    """The record column through a conversion."""
    return lambda records: convert(records.column(name))


def of_resource(convert: Compute) -> Compute:
    """A value of the resource message, worked out once for each distinct resource."""
    return lambda records: _of_envelope(records, "resource", convert)


def of_scope(convert: Compute) -> Compute:
    """A value of the instrumentation scope message, worked out once for each distinct scope."""
    return lambda records: _of_envelope(records, "scope", convert)


def _of_envelope(records: pa.RecordBatch, name: str, convert: Compute) -> pa.Array:
    column = records.column(name)
    message = column.dictionary.field(name)
    return convert(message).take(column.indices)


def _attributes(message: pa.StructArray) -> pa.MapArray:
    return attributes_to_map(_child(message, "attributes"))


def _service_name(message: pa.StructArray) -> pa.StringArray:
    return values_to_text(attribute_values(_child(message, "attributes"), "service.name"))


def _child(message: pa.StructArray, name: str) -> pa.Array:
    return message.field(name)


RESOURCE_COLUMNS = (
    Column("service_name", pa.string(), "Attribute `service.name` of the resource.", of_resource(_service_name)),
    Column("scope_name", pa.string(), "Instrumentation scope.", of_scope(lambda m: text_or_null(_child(m, "name")))),
    Column("scope_version", pa.string(), "Its version.", of_scope(lambda m: text_or_null(_child(m, "version")))),
    Column(
        "resource_attributes",
        TEXT_MAP,
        "Resource attributes; values that are not text as JSON.",
        of_resource(_attributes),
    ),
)
ATTRIBUTES_COLUMN = Column(
    "attributes",
    TEXT_MAP,
    "Attributes; values that are not text as JSON.",
    of_field("attributes", attributes_to_map),
)
