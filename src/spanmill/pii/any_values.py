"""The texts in AnyValue columns: gathered on the way down, put back on the way up.

On the way down every level of nested arrays and maps is decoded, for all rows at once. On the way up only what holds
something that changed is encoded again, the rest keeps its bytes.

Besides strings there are texts in bytes that are UTF-8 (they stay bytes), and numbers may be personal data as they are
written: those that are become strings. What is nested under a key that names a secret is a secret as a whole.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.arrays import relisted, replaced
from spanmill.otlp.messages import AnyValue, KeyValue
from spanmill.pii.places import Masker, Options, Rows
from spanmill.pii.texts import Column, Texts
from spanmill.schema.inverse.messages import parse, serialize, with_fields

Flags = npt.NDArray[np.bool_]

_NONE = np.zeros(0, np.int64)
_EXACT = 2.0**63


@dataclass(slots=True)
class Gathering:
    """What gathers the texts of one batch."""

    masker: Masker
    options: Options
    texts: Texts = field(default_factory=Texts)


class Values:
    """A column of AnyValues in one place.

    `keys` has what each value stands under, None for bodies. Only values where `chosen` is true are masked.
    """

    def __init__(
        self,
        gathering: Gathering,
        place: str,
        values: pa.StructArray,
        keys: pa.StringArray | None,
        chosen: Flags | None = None,
    ) -> None:
        self._values = values
        self._texts = [
            _Text(name, rows, gathering.texts.add(place, texts, given))
            for name, rows, texts in _texts_of(gathering, values, keys, chosen)
            for given in [None if keys is None else _take(keys, rows)]
        ]
        self._nested = []
        for name in ("array_value", "kvlist_value"):
            holders = values.field(name)
            rows = _rows(holders, chosen)
            if len(rows):
                self._nested.append(_Nested(gathering, place, name, holders, rows, keys))

    def masked(self) -> tuple[pa.StructArray, Rows]:
        """The values after masking, and the rows that changed; the same array when there are none."""
        fields: dict[str, pa.Array] = {}
        changed = [_NONE]
        for nested in self._nested:
            fields[nested.name], rows = nested.masked()
            changed.append(rows)
        for text in self._texts:
            places, texts = text.column.changes()
            if len(places):
                rows = text.rows[places]
                self._put(fields, text.name, rows, texts)
                changed.append(rows)
        rows = np.unique(np.concatenate(changed))
        return (with_fields(self._values, **fields) if len(rows) else self._values), rows

    def _put(self, fields: dict[str, pa.Array], name: str, rows: Rows, texts: pa.StringArray) -> None:
        """Texts in the place of values of kind `name`. Bytes stay bytes, anything else becomes a string."""
        target = "bytes_value" if name == "bytes_value" else "string_value"
        for kind in (name, target):
            fields.setdefault(kind, self._values.field(kind))
        if name != target:
            fields[name] = _without(fields[name], rows)
        fields[target] = replaced(fields[target], rows, texts.cast(fields[target].type))


@dataclass(frozen=True, slots=True)
class _Text:
    name: str
    """The kind of value that the texts were."""
    rows: Rows
    column: Column


class _Nested:
    """What is in the arrays, or in the maps, of some rows: serialized messages here, values on the next level."""

    def __init__(
        self,
        gathering: Gathering,
        place: str,
        name: str,
        holders: pa.StructArray,
        rows: Rows,
        keys: pa.StringArray | None,
    ) -> None:
        self.name, self._holders, self._rows = name, holders, rows
        self._message = KeyValue if name == "kvlist_value" else AnyValue
        self._lists = _take(holders.field("values"), rows)
        self._owners = pc.list_parent_indices(self._lists).to_numpy()
        self._serialized = self._lists.flatten()
        self._elements = parse(self._message, self._serialized)
        above = None if keys is None else keys.take(pa.array(rows[self._owners]))
        self._keys: Column | None = None
        if self._message is AnyValue:
            self._values = Values(gathering, place, self._elements, above)
            return
        own = self._elements.field("key")
        if gathering.options.keys:
            self._keys = gathering.texts.add(place, own)
        if above is not None:
            own = pc.if_else(pa.array(gathering.masker.secret_keys.among(above)), above, own)
        self._values = Values(gathering, place, self._elements.field("value"), own)

    def masked(self) -> tuple[pa.StructArray, Rows]:
        """The arrays or maps of all rows, and the rows that changed."""
        values, changed = self._values.masked()
        elements = values
        if self._message is KeyValue:
            elements = with_fields(self._elements, value=values)
        if self._keys is not None:
            rows, keys = self._keys.changes()
            if len(rows):
                elements = with_fields(elements, key=replaced(elements.field("key"), rows, keys))
                changed = np.union1d(changed, rows)
        changed = np.union1d(changed, self._not_as_decoded())
        if not len(changed):
            return self._holders, _NONE
        serialized = replaced(self._serialized, changed, _serialized(self._message, elements.take(pa.array(changed))))
        lists = replaced(self._holders.field("values"), self._rows, relisted(self._lists, serialized))
        return with_fields(self._holders, values=lists), self._rows[np.unique(self._owners[changed])]

    def _not_as_decoded(self) -> Rows:
        """Elements that are more than what was decoded of them: with fields that OTLP did not have yet, or a value
        that one after it overrides. Nobody has looked at that, so it must not go on."""
        same = pc.equal(_serialized(self._message, self._elements), self._serialized)
        return np.flatnonzero(~same.to_numpy(zero_copy_only=False))


def _texts_of(
    gathering: Gathering, values: pa.StructArray, keys: pa.StringArray | None, chosen: Flags | None
) -> Iterator[tuple[str, Rows, pa.StringArray]]:
    """Kind of value, rows that have it, and the values as text."""
    for name in ("string_value", "int_value", "double_value", "bool_value", "bytes_value"):
        held = values.field(name)
        rows = _rows(held, chosen)
        if not len(rows) or (name == "bool_value" and keys is None):  # only a secret because of its key
            continue
        texts = _take(held, rows)
        if name == "bytes_value":
            texts = _bytes_as_text(gathering, texts, None if keys is None else _take(keys, rows))
        elif name == "double_value":
            texts = _doubles_as_text(texts)
        yield name, rows, texts.cast(pa.string())


def _doubles_as_text(numbers: pa.DoubleArray) -> pa.StringArray:
    """All digits of whole numbers, as whoever put a card number or a phone number there would read them."""
    texts = numbers.cast(pa.string())
    values = numbers.to_numpy()
    whole = (np.trunc(values) == values) & (np.abs(values) < _EXACT)
    if not whole.any():
        return texts
    return replaced(texts, np.flatnonzero(whole), pa.array(values[whole].astype(np.int64)).cast(pa.string()))


def _bytes_as_text(gathering: Gathering, values: pa.BinaryArray, keys: pa.StringArray | None) -> pa.StringArray:
    """Null where bytes are not UTF-8, but base64 under a key that names a secret."""
    try:
        return values.cast(pa.string())
    except pa.ArrowInvalid:
        secret = np.zeros(len(values), bool) if keys is None else gathering.masker.secret_keys.among(keys)
        return pa.array([_as_text(*pair) for pair in zip(values.to_pylist(), secret, strict=True)], pa.string())


def _as_text(value: bytes, secret: bool) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode() if secret else None


def _rows(held: pa.Array, chosen: Flags | None) -> Rows:
    """Rows that have a value and are chosen."""
    if held.null_count == len(held):
        return _NONE
    if held.null_count == 0:
        return np.arange(len(held)) if chosen is None else np.flatnonzero(chosen)
    valid = held.is_valid().to_numpy(zero_copy_only=False)
    return np.flatnonzero(valid if chosen is None else valid & chosen)


def _without(numbers: pa.Array, rows: Rows) -> pa.Array:
    """Null in `rows`, and nothing behind the null: Arrow writes that to disk like anything else."""
    valid = numbers.is_valid().to_numpy(zero_copy_only=False)
    valid[rows] = False
    kept = numbers.fill_null(pa.scalar(0).cast(numbers.type)).to_numpy(zero_copy_only=False).copy()
    kept[~valid] = 0
    return pa.array(kept, numbers.type, mask=~valid)


def _take(array: pa.Array, rows: Rows) -> pa.Array:
    return array if len(rows) == len(array) else array.take(pa.array(rows))


def _serialized(message: Any, elements: pa.StructArray) -> pa.BinaryArray:
    fields = {kind.name: elements.field(kind.name) for kind in elements.type}
    return serialize(message, len(elements), **fields)
