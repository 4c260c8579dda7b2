"""Looking up attributes of many rows by key, each key once for the whole batch."""

from functools import cached_property, lru_cache

import numpy as np
import orjson
import pyarrow as pa

from spanmill.arrays import spread
from spanmill.otlp.anyvalue import values_to_text
from spanmill.otlp.attributes import KINDS, entry_rows
from spanmill.otlp.messages import AnyValue

_UINT16_KEYS = 1 << 16
_MOST_BYTES = 256
"""Lists that hold no more, each on the average, are remembered."""


class AttributeIndex:
    """The entries of a `list<KeyValue>` column, sorted by key once. Where a row has a key twice, the last one counts.

    The values of a key that every row has, as most have, are then a slice.
    """

    def __init__(self, attributes: pa.ListArray) -> None:
        self.rows = len(attributes)
        entries = attributes.flatten()
        keys = entries.field("key").dictionary_encode()
        self.keys: dict[str, int] = {key: code for code, key in enumerate(keys.dictionary.to_pylist())}
        """From each key that is there to its number."""
        self.codes = keys.indices.to_numpy()
        """For each entry the number of its key."""
        self.row_of_entry = entry_rows(attributes)
        """For each entry its row."""
        codes = self.codes.astype(np.uint16) if len(self.keys) < _UINT16_KEYS else self.codes  # a radix sort
        self._order = np.argsort(codes, kind="stable")
        self._starts = np.concatenate(([0], np.cumsum(np.bincount(self.codes, minlength=len(self.keys)))))
        self._values = entries.field("value")
        self._sorted: dict[str, pa.Array] = {}

    def __contains__(self, key: str) -> bool:
        return key in self.keys

    def with_prefix(self, prefix: str) -> list[str]:
        """The keys that begin so."""
        return [key for key in self.keys if key.startswith(prefix)]

    def typed(self, key: str, kind: pa.DataType) -> pa.Array | None:
        """The values under `key`, null where there is none. None when some of them are of another type."""
        values = self._of_type(key, kind)
        return None if values is None else self._spread(key, values)

    def text(self, key: str) -> pa.StringArray:
        """The values under `key` as text, anything but text as JSON."""
        encoded = self.encoded(key)
        return encoded.dictionary.take(encoded.indices)

    def encoded(self, key: str) -> pa.DictionaryArray:
        """The same as `text`, each distinct one once."""
        texts = self._of_type(key, pa.string())
        encoded = self._rendered(key) if texts is None else texts.dictionary_encode()
        return pa.DictionaryArray.from_arrays(self._spread(key, encoded.indices), encoded.dictionary)

    def objects(self, key: str) -> list[tuple[int, object]]:
        """Rows that have the key, with its values as Python's own."""
        texts = self._of_type(key, pa.string())
        rows = self._rows(key).tolist()
        if texts is not None:
            return list(zip(rows, texts.to_pylist(), strict=True))
        values = self._values.take(self._entries(key))
        strings = values.field("string_value").to_pylist()
        texts = values_to_text(values).to_pylist()
        objects = [
            string if string is not None or text is None else _parsed(text)
            for string, text in zip(strings, texts, strict=True)
        ]
        return list(zip(rows, objects, strict=True))

    def _of_type(self, key: str, kind: pa.DataType) -> pa.Array | None:
        """The key's values in the order of their rows; None when some are of another type."""
        child = KINDS.get(kind)
        if child is None:
            return None
        if child not in self._sorted:
            self._sorted[child] = self._values.field(child).take(self._order_array)
        code = self.keys[key]
        start = int(self._starts[code])
        values = self._sorted[child].slice(start, int(self._starts[code + 1]) - start)
        return None if values.null_count else values

    def _rendered(self, key: str) -> pa.DictionaryArray:
        """Values that are not all text. Lists of one element, as reasons to stop are, are rendered once for each."""
        entries = self._entries(key)
        arrays = self._values.field("array_value").take(entries)
        if arrays.null_count == 0:
            elements = arrays.field("values")
            if (np.diff(elements.offsets.to_numpy()) == 1).all() and elements.nbytes < _MOST_BYTES * len(arrays):
                distinct = elements.flatten().dictionary_encode()
                texts = [_list_of_one(element) for element in distinct.dictionary.to_pylist()]
                if None not in texts:
                    return pa.DictionaryArray.from_arrays(distinct.indices, pa.array(texts, pa.string()))
        return values_to_text(self._values.take(entries)).dictionary_encode()

    @cached_property
    def _is_distinct(self) -> bool:
        """Whether no row has a key twice."""
        rows = self.row_of_entry[self._order]
        again = rows[1:] == rows[:-1]
        again[self._starts[1:-1] - 1] = False  # the first entry of the next key
        return not again.any()

    @cached_property
    def _order_array(self) -> pa.Array:
        return pa.array(self._order)

    def _entries(self, key: str) -> pa.Array:
        code = self.keys[key]
        return self._order_array.slice(int(self._starts[code]), int(self._starts[code + 1] - self._starts[code]))

    def _rows(self, key: str) -> np.ndarray:
        code = self.keys[key]
        return np.asarray(self.row_of_entry[self._order[self._starts[code] : self._starts[code + 1]]])

    def _spread(self, key: str, values: pa.Array) -> pa.Array:
        """From the key's values a value for each row, null where there is none."""
        if len(values) == self.rows and self._is_distinct:
            return values
        return spread(values, self._rows(key), self.rows)


@lru_cache(4096)
def _list_of_one(element: bytes) -> str | None:
    """The JSON of a list with one serialized AnyValue in it, if that is a text."""
    message = AnyValue.FromString(element)
    return orjson.dumps([message.string_value]).decode() if message.WhichOneof("value") == "string_value" else None


def _parsed(text: str) -> object:
    try:
        value: object = orjson.loads(text)
    except ValueError:
        return text
    return value
