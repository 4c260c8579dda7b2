"""Masking whole batches: every text in every column of the records, whatever the signal.

The columns are walked by their Arrow types, not by a list of names, so that a field that OTLP gets, or a column that a
processor adds, is masked without a word here. Resources, scopes and metrics are dictionaries: each is masked once.

Trace and span ids are bytes and stay. Public tables are computed from the records, so what is masked here is masked in
everything that is stored or sent.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.arrays import relisted, replaced
from spanmill.batch import Batch
from spanmill.pii.any_values import Flags, Gathering, Values
from spanmill.pii.places import MaskedBatch, Masker, Options
from spanmill.pii.texts import Column
from spanmill.schema.inverse.messages import with_fields

_OUR_OWN = {"metric": ("type",)}
"""Texts that no sender wrote: the codec's own words, by column."""
_NAMELESS = "metric"
"""What is in this column is named as if it stood in the records themselves."""


class _Part(Protocol):
    """A column, or a part of one, whose texts are gathered."""

    def masked(self) -> pa.Array | None:
        """The array after masking; None when nothing in it changed."""


def mask_batch(batch: Batch, masker: Masker, options: Options = Options()) -> MaskedBatch:  # noqa: B008 - frozen
    """Every text that `options` cover is masked, or `<MASKING FAILED>` where that is not possible.

    A column in which nothing changed stays the very array, and the batch the very batch if none did.
    """
    gathering = Gathering(masker, options)
    names, columns = batch.records.schema.names, batch.records.columns
    parts = [
        _part(gathering, "" if name == _NAMELESS else name, column, _OUR_OWN.get(name, ()))
        for name, column in zip(names, columns, strict=True)
    ]
    counts = gathering.texts.mask(masker)
    changed = {
        index: new for index, part in enumerate(parts) if part is not None and (new := part.masked()) is not None
    }
    if not changed:
        return MaskedBatch(batch, counts)
    columns = [changed.get(index, column) for index, column in enumerate(columns)]
    return MaskedBatch(Batch(batch.signal, pa.RecordBatch.from_arrays(columns, schema=batch.records.schema)), counts)


def _part(gathering: Gathering, place: str, array: pa.Array, without: Sequence[str] = ()) -> _Part | None:
    """None where there is no text. `without`: fields of the structs that are left out."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        part = _part(gathering, place, array.dictionary, without)
        return None if part is None else _Dictionary(array, part)
    if pa.types.is_string(kind):
        return _Texts(gathering, place, array) if gathering.options.covers(place) else None
    if pa.types.is_list(kind):
        if _is_key_value(kind.value_type):
            return _Attributes(gathering, place, array)
        part = _part(gathering, place, array.flatten(), without)
        return None if part is None else _Lists(array, part)
    if pa.types.is_struct(kind):
        if _is_any_value(kind):
            return _AnyValues(gathering, place, array) if gathering.options.covers(place) else None
        parts = {
            field.name: part
            for field in kind
            if field.name not in without
            and (part := _part(gathering, _below(place, field.name), array.field(field.name))) is not None
        }
        return _Structs(array, parts) if parts else None
    if pa.types.is_primitive(kind) or pa.types.is_binary(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind):
        return None
    raise TypeError(f"{place}: texts in a column of type {kind} cannot be masked")


def _below(place: str, name: str) -> str:
    """The envelope `resource` has the message `resource`: that is one place, and so is `scope`."""
    if place in {"", name}:
        return name
    return f"{place}.{name}"


def _is_any_value(kind: pa.DataType) -> bool:
    return bool(pa.types.is_struct(kind) and kind.get_field_index("kvlist_value") >= 0)


def _is_key_value(kind: pa.DataType) -> bool:
    return bool(pa.types.is_struct(kind) and kind.get_field_index("key") >= 0) and _is_any_value(
        kind.field("value").type
    )


class _Texts:
    def __init__(self, gathering: Gathering, place: str, texts: pa.StringArray) -> None:
        self._column = gathering.texts.add(place, texts)

    def masked(self) -> pa.Array | None:
        return self._column.masked if len(self._column.changes()[0]) else None


class _Dictionary:
    def __init__(self, codes: pa.DictionaryArray, part: _Part) -> None:
        self._codes, self._part = codes, part

    def masked(self) -> pa.Array | None:
        dictionary = self._part.masked()
        return None if dictionary is None else pa.DictionaryArray.from_arrays(self._codes.indices, dictionary)


class _Lists:
    def __init__(self, lists: pa.ListArray, part: _Part) -> None:
        self._lists, self._part = lists, part

    def masked(self) -> pa.Array | None:
        elements = self._part.masked()
        return None if elements is None else relisted(self._lists, elements)


class _Structs:
    def __init__(self, structs: pa.StructArray, parts: Mapping[str, _Part]) -> None:
        self._structs, self._parts = structs, parts

    def masked(self) -> pa.Array | None:
        fields = {name: new for name, part in self._parts.items() if (new := part.masked()) is not None}
        return with_fields(self._structs, **fields) if fields else None


class _AnyValues:
    """AnyValues without keys: the bodies of log records."""

    def __init__(self, gathering: Gathering, place: str, values: pa.StructArray) -> None:
        self._values = Values(gathering, place, values, None)

    def masked(self) -> pa.Array | None:
        values, rows = self._values.masked()
        return values if len(rows) else None


class _Attributes:
    """Lists of KeyValue. Each key is a place of its own."""

    def __init__(self, gathering: Gathering, place: str, lists: pa.ListArray) -> None:
        self._lists, self._entries = lists, lists.flatten()
        keys = self._entries.field("key")
        chosen = None if gathering.options.everything else _covered(gathering.options, place, keys)
        self._values = Values(gathering, place, self._entries.field("value"), keys, chosen)
        self._keys: Column | None = None
        if gathering.options.keys:
            shown = keys if chosen is None else pc.if_else(pa.array(chosen), keys, pa.scalar(None, pa.string()))
            self._keys = gathering.texts.add(place, shown)

    def masked(self) -> pa.Array | None:
        values, rows = self._values.masked()
        fields = {"value": values} if len(rows) else {}
        if self._keys is not None:
            rows, keys = self._keys.changes()
            if len(rows):
                fields["key"] = replaced(self._entries.field("key"), rows, keys)
        return relisted(self._lists, with_fields(self._entries, **fields)) if fields else None


def _covered(options: Options, place: str, keys: pa.StringArray) -> Flags:
    """For each entry whether the place of its key is masked."""
    distinct = keys.dictionary_encode()
    covered = np.array([options.covers(f"{place}.{key}") for key in distinct.dictionary.to_pylist()], bool)
    return np.asarray(covered[distinct.indices.to_numpy()])
