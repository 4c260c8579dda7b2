"""The table `spans` and back. `types`: one letter for the status (`n`: no Status message, `e`: one), then the letters
of the attributes, of the attributes of all events, and of those of all links."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from spanmill.otlp.letters import EMPTY, NOTHING
from spanmill.otlp.messages import handler
from spanmill.schema.inverse import Inverse, envelopes
from spanmill.schema.inverse.fields import (
    ids,
    nanoseconds,
    not_zero,
    numbers,
    odd_ids,
    odd_numbers,
    odd_times,
    text,
)
from spanmill.schema.inverse.messages import only, parse, scatter, serialize
from spanmill.schema.inverse.rows import (
    Letters,
    Part,
    attributes_of,
    join,
    mask_of,
    of_attributes,
    offsets_of,
    one_each,
    row_of,
    within,
)
from spanmill.schema.inverse.wholes import replace_wholes

KINDS = pa.array(["unspecified", "internal", "server", "client", "producer", "consumer"], pa.string())
STATUS_CODES = pa.array(["unset", "ok", "error"], pa.string())
_TYPE = pa.struct([("types", pa.string()), ("rest", pa.binary()), *envelopes.FIELDS])
_DROPPED = ("dropped_attributes_count", "dropped_events_count", "dropped_links_count")
_OF_LINKS = ("dropped_attributes_count", "flags")


def _remainder(records: pa.RecordBatch, table: pa.Table) -> pa.StructArray:
    parts = list(_parts(records, table))
    odd = mask_of(len(records), *(part.odd for part in parts), *_odd(records, table))
    of_envelopes = envelopes.remainder(records)
    return pa.StructArray.from_arrays([join(parts, odd), _rest(records, odd), *of_envelopes], fields=list(_TYPE))


def _parts(records: pa.RecordBatch, table: pa.Table) -> Iterator[Part]:
    status = records.column("status")
    yield one_each(np.where(status.is_valid().to_numpy(zero_copy_only=False), EMPTY, NOTHING).astype(np.uint8))
    yield of_attributes(records.column("attributes"), _column(table, "attributes"))
    for name in ("events", "links"):
        lists = records.column(name)
        elements = lists.flatten()
        if len(elements):
            maps = _column(table, name).flatten().field("attributes")
            yield within(lists, of_attributes(elements.field("attributes"), maps))


def _odd(records: pa.RecordBatch, table: pa.Table) -> Iterator[np.ndarray]:
    """Rows with a value that its column cannot show."""
    for name in ("trace_id", "span_id", "parent_span_id"):
        yield odd_ids(records.column(name), _column(table, name))
    for name in ("start_time", "end_time"):
        yield odd_times(records.column(f"{name}_unix_nano"), _column(table, name))
    yield odd_numbers(records.column("kind"), KINDS)
    yield odd_numbers(records.column("status").flatten()[1], STATUS_CODES)
    events, links = records.column("events"), records.column("links")
    if len(events.flatten()):
        raw, shown = events.flatten(), _column(table, "events").flatten()
        yield row_of(offsets_of(events))[odd_times(raw.field("time_unix_nano"), shown.field("time"))]
    if len(links.flatten()):
        raw, shown = links.flatten(), _column(table, "links").flatten()
        for name in ("trace_id", "span_id"):
            yield row_of(offsets_of(links))[odd_ids(raw.field(name), shown.field(name))]


def _rest(records: pa.RecordBatch, odd: np.ndarray) -> pa.BinaryArray:
    """The whole span in odd rows; elsewhere what has no column, if there is any of it."""
    whole = np.flatnonzero(odd)
    spans = records.take(pa.array(whole)) if len(whole) else None
    wholes = serialize(Span, len(whole), **_fields_of(spans)) if spans is not None else None
    few = np.flatnonzero(mask_of(len(records), *_without_column(records)) & ~odd)
    rests = _partial(records.take(pa.array(few))) if len(few) else None
    return scatter(len(records), *((rows, held) for rows, held in ((whole, wholes), (few, rests)) if held is not None))


def _fields_of(records: pa.RecordBatch) -> dict[str, pa.Array]:
    return {field.name: records.column(field.name) for field in handler(Span).schema()}


def _without_column(records: pa.RecordBatch) -> Iterator[np.ndarray]:
    """Rows with something that has no column."""
    yield from (not_zero(records.column(name)) for name in _DROPPED)
    for name, fields in (("events", _OF_LINKS[:1]), ("links", _OF_LINKS)):
        lists = records.column(name)
        elements = lists.flatten()
        if len(elements):
            owners = row_of(offsets_of(lists))
            yield from (owners[not_zero(elements.field(field))] for field in fields)


def _partial(records: pa.RecordBatch) -> pa.BinaryArray:
    """Spans with only what has no column. Those of events and links are lists as long as the columns' own."""
    given = {name: records.column(name) for name in _DROPPED}
    for name, fields in (("events", _OF_LINKS[:1]), ("links", _OF_LINKS)):
        lists = records.column(name)
        elements, owners = lists.flatten(), row_of(offsets_of(lists))
        rows = mask_of(len(records), *(owners[not_zero(elements.field(field))] for field in fields))
        given[name] = only(lists, rows, *fields)
    return serialize(Span, len(records), **given)


def _records(table: pa.Table) -> pa.RecordBatch:
    otlp = _column(table, "otlp")
    types, rest = otlp.flatten()[:2]
    attributes, events, links = (_column(table, name) for name in ("attributes", "events", "links"))
    of_event, of_link = events.flatten().field("attributes"), links.flatten().field("attributes")
    letters, _ = Letters(types).split(
        [
            np.arange(len(table) + 1),
            offsets_of(attributes),
            offsets_of(of_event)[offsets_of(events)],
            offsets_of(of_link)[offsets_of(links)],
        ]
    )
    fields = {field.name: field for field in handler(Span).schema()}
    partial = parse(Span, rest)
    columns = {
        **{name: ids(_column(table, name)) for name in ("trace_id", "span_id", "parent_span_id")},
        "trace_state": text(_column(table, "trace_state")),
        "name": text(_column(table, "name")),
        "kind": numbers(_column(table, "kind"), KINDS),
        "start_time_unix_nano": nanoseconds(_column(table, "start_time")),
        "end_time_unix_nano": nanoseconds(_column(table, "end_time")),
        "attributes": attributes_of(attributes, letters[1], fields["attributes"].type),
        "events": _events(events, letters[2], partial.field("events")),
        "links": _links(links, letters[3], partial.field("links")),
        **{name: partial.field(name) for name in _DROPPED},
        "status": _status(table, letters[0], fields["status"].type),
        "flags": _column(table, "flags").fill_null(0),
    }
    named = {
        "resource": envelopes.resource_column(table, otlp),
        "scope": envelopes.scope_column(table, otlp),
        **{name: columns[name] for name in fields},
    }
    records = pa.RecordBatch.from_arrays(list(named.values()), names=list(named))
    return replace_wholes(records, types, rest, lambda whole: {f: parse(Span, whole).field(f) for f in fields})


def _status(table: pa.Table, letters: np.ndarray, kind: pa.StructType) -> pa.StructArray:
    message, code = text(_column(table, "status_message")), numbers(_column(table, "status_code"), STATUS_CODES)
    nothing = (letters != EMPTY) & (pc.binary_length(message).to_numpy() == 0) & (code.to_numpy() == 0)
    return pa.StructArray.from_arrays([message, code], fields=list(kind), mask=pa.array(nothing))


def _events(events: pa.ListArray, letters: np.ndarray, partial: pa.ListArray) -> pa.ListArray:
    kind, elements = partial.type, events.flatten()
    given = {
        "time_unix_nano": nanoseconds(elements.field("time")),
        "name": text(elements.field("name")),
        "attributes": attributes_of(elements.field("attributes"), letters, kind.value_type.field("attributes").type),
        **_spread(events, partial, _OF_LINKS[:1]),
    }
    return _listed(events, given, kind)


def _links(links: pa.ListArray, letters: np.ndarray, partial: pa.ListArray) -> pa.ListArray:
    kind, elements = partial.type, links.flatten()
    given = {
        "trace_id": ids(elements.field("trace_id")),
        "span_id": ids(elements.field("span_id")),
        "trace_state": text(elements.field("trace_state")),
        "attributes": attributes_of(elements.field("attributes"), letters, kind.value_type.field("attributes").type),
        **_spread(links, partial, _OF_LINKS),
    }
    return _listed(links, given, kind)


def _listed(lists: pa.ListArray, given: dict[str, pa.Array], kind: pa.ListType) -> pa.ListArray:
    structs = pa.StructArray.from_arrays([given[field.name] for field in kind.value_type], fields=list(kind.value_type))
    return pa.ListArray.from_arrays(pa.array(offsets_of(lists).astype(np.int32)), structs, type=kind)


def _spread(lists: pa.ListArray, partial: pa.ListArray, names: tuple[str, ...]) -> dict[str, pa.Array]:
    """The fields of the remainder's elements, for every element; 0 in rows where the remainder has none of them."""
    lengths = np.diff(offsets_of(lists))
    given = np.diff(offsets_of(partial)) == lengths
    of_given = np.repeat(given, lengths)
    elements = partial.flatten().filter(pa.array(np.repeat(given, np.diff(offsets_of(partial)))))
    spread = {}
    for name in names:
        values = np.zeros(len(of_given), np.uint32)
        values[of_given] = elements.field(name).to_numpy()
        spread[name] = pa.array(values)
    return spread


def _column(table: pa.Table, name: str) -> pa.Array:
    return table.column(name).chunk(0)


SPANS = Inverse(_TYPE, _remainder, _records)
