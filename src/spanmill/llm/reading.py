"""Reading a column's sources from a batch. Whole columns; Python sees each distinct text once."""

import ast
import re
from collections import Counter
from functools import cached_property

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.arrays import spread
from spanmill.batch import Batch
from spanmill.llm.attribute_index import AttributeIndex
from spanmill.llm.dialect import Source
from spanmill.llm.texts import NANOSECONDS_PER_MS, parser
from spanmill.signal import Signal

_MAX_REPR = 4096
"""Characters of a text that is read as Python's own notation when it is not JSON."""


class Reading:
    """One batch, read source by source. Not for use by several threads."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.unreadable: Counter[str] = Counter()
        """By column, values that were not of the column's type."""
        self._first_events: dict[str, pa.Array | None] = {}
        self._parsed: dict[tuple[str | None, ...], tuple[pa.Array, list[object]]] = {}

    def column(self, name: str, source: Source, kind: pa.DataType) -> pa.Array | None:
        """What the source says, of type `kind`, null where it says nothing. None when it does so in every row."""
        place = self._place(source)
        if place is None:
            return None
        if source.event is not None and source.attribute is None:
            return self._since_start(self.event_times(source.event), kind)
        index, key, indices = place
        values = self._direct(index, key, source, kind) if index is not None else None
        if values is None:
            values = self._converted(name, source, kind, place)
        return values if indices is None else values.take(indices)

    @cached_property
    def attributes(self) -> AttributeIndex:
        """Of the rows themselves."""
        return AttributeIndex(self.batch.records.column("attributes"))

    @cached_property
    def events(self) -> pa.StructArray:
        """The span events of all rows."""
        return self.batch.records.column("events").flatten()

    @cached_property
    def event_rows(self) -> np.ndarray:
        """For each event its row."""
        return np.asarray(pc.list_parent_indices(self.batch.records.column("events")).to_numpy())

    @cached_property
    def event_names(self) -> pa.DictionaryArray:
        """For each event its name."""
        if self.batch.signal is not Signal.TRACES:
            return pa.array([], pa.string()).dictionary_encode()
        return self.events.field("name").dictionary_encode()

    @cached_property
    def event_attributes(self) -> AttributeIndex:
        """Of the events, a row for each event."""
        return AttributeIndex(self.events.field("attributes"))

    @cached_property
    def _resources(self) -> AttributeIndex:
        return AttributeIndex(self.batch.records.column("resource").dictionary.field("resource").field("attributes"))

    def first_events(self, name: str) -> pa.Array | None:
        """For each row the number of its first event of this name; None when there is none at all."""
        if name not in self._first_events:
            code = self.event_names.dictionary.index(name).as_py()
            found = np.flatnonzero(self.event_names.indices.to_numpy() == code)[::-1]
            events = spread(pa.array(found), self.event_rows[found], len(self.batch)) if len(found) else None
            self._first_events[name] = events
        return self._first_events[name]

    def event_times(self, name: str) -> pa.Array:
        """For each row when its first event of this name was, nanoseconds since 1970; null for none."""
        return self.events.field("time_unix_nano").take(self.first_events(name)).cast(pa.int64(), safe=False)

    def _place(self, source: Source) -> tuple[AttributeIndex | None, str, pa.Array | None] | None:
        """The index and the key to look up, and for each row which value it has, if not its own."""
        if source.event is not None:
            first = self.first_events(source.event)
            if first is None or (source.attribute is not None and source.attribute not in self.event_attributes):
                return None
            return self.event_attributes, source.attribute or "", first
        if source.attribute is not None:
            return (self.attributes, source.attribute, None) if source.attribute in self.attributes else None
        if source.resource is not None:
            if source.resource not in self._resources:
                return None
            return self._resources, source.resource, self.batch.records.column("resource").indices
        return None, "", None

    def _direct(self, index: AttributeIndex, key: str, source: Source, kind: pa.DataType) -> pa.Array | None:
        """The values as they are, or a number times a number."""
        if source.reads_part() or source.values or source.otherwise or source.as_ or source.split:
            return None
        values = index.typed(key, kind)
        if values is not None and kind == pa.string() and pc.any(pc.starts_with(values, '"')).as_py():
            return None  # JSON texts of texts
        if values is not None and source.times is not None:
            if kind != pa.float64():
                return None
            values = pc.multiply(values, source.times)
        return values

    def _converted(
        self, name: str, source: Source, kind: pa.DataType, place: tuple[AttributeIndex | None, str, pa.Array | None]
    ) -> pa.Array:
        """The values by way of text."""
        texts = self._texts(source, place)
        encoded = texts if pa.types.is_dictionary(texts.type) else texts.dictionary_encode()
        if source.match is not None:
            found_in = _searched(encoded.dictionary, source.match)
            encoded = pa.DictionaryArray.from_arrays(encoded.indices, found_in)
        parse = parser(kind, source)
        to = pa.int64() if source.as_ else kind
        found = []
        for text in encoded.dictionary.to_pylist():
            value = None if text is None else parse(text)
            if value is None and text and not source.values:
                self.unreadable[name] += 1
            found.append(value)
        values = pa.array(found, to).take(encoded.indices)
        if source.as_ is None:
            return values
        return self._since_start(values, kind)

    def _texts(self, source: Source, place: tuple[AttributeIndex | None, str, pa.Array | None]) -> pa.Array:
        index, key, _ = place
        if index is not None:
            return self._at_path(source, index, key) if source.path or source.sum else index.encoded(key)
        if source.scope is not None:
            scopes = self.batch.records.column("scope")
            names = scopes.dictionary.field("scope").field("name")
            return _searched(names, source.scope).take(scopes.indices).dictionary_encode()
        encoded = self.batch.column("name").dictionary_encode()
        return pa.DictionaryArray.from_arrays(encoded.indices, _searched(encoded.dictionary, source.name or ""))

    def _at_path(self, source: Source, index: AttributeIndex, key: str) -> pa.Array:
        """What stands at the first of the paths that leads anywhere. The text is parsed once for all columns."""
        identity = (source.attribute, source.resource, source.event)
        if identity not in self._parsed:
            encoded = index.encoded(key)
            self._parsed[identity] = (encoded.indices, [_parsed(text or "") for text in encoded.dictionary.to_pylist()])
        indices, documents = self._parsed[identity]
        paths = [path.split(".") for path in source.path or source.sum]
        look = _sum if source.sum else _first
        found = pa.array([look(document, paths) for document in documents], pa.string())
        return pa.DictionaryArray.from_arrays(indices, found)

    def _since_start(self, times: pa.Array, kind: pa.DataType) -> pa.Array:
        start = self.batch.records.column("start_time_unix_nano").cast(pa.int64(), safe=False)
        return pc.divide(pc.subtract(times, start).cast(pa.float64(), safe=False), NANOSECONDS_PER_MS).cast(kind)


def _searched(texts: pa.StringArray, pattern: str) -> pa.StringArray:
    compiled = re.compile(pattern)

    def search(text: str | None) -> str | None:
        found = compiled.search(text) if text else None
        return None if found is None else found[1] if compiled.groups else found[0]

    return pa.array([search(text) for text in texts.to_pylist()], pa.string())


def _parsed(text: str) -> object:
    """JSON, JSON in a JSON text, or Python's own notation of a dict or list; else the text."""
    try:
        value: object = orjson.loads(text)
    except ValueError:
        if text[:1] not in ("{", "[") or len(text) > _MAX_REPR:
            return text
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return text
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return orjson.loads(value)
        except ValueError:
            return value
    return value


def _first(document: object, paths: list[list[str]]) -> str | None:
    for path in paths:
        value = _walk(document, path)
        if value is not None:
            return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    return None


def _sum(document: object, paths: list[list[str]]) -> str | None:
    numbers = [found for path in paths if type(found := _walk(document, path)) in (int, float)]
    return repr(sum(numbers)) if numbers else None  # type: ignore[arg-type]


def _walk(value: object, path: list[str]) -> object:
    """The value at the path. A key may have dots in it."""
    for position, step in enumerate(path):
        if isinstance(value, dict):
            rest = ".".join(path[position:])
            if rest in value:
                found: object = value[rest]
                return found
            value = value.get(step)
        elif isinstance(value, (list, tuple)):
            value = value[int(step)] if step.isdigit() and int(step) < len(value) else None
        else:
            return None
    return value
