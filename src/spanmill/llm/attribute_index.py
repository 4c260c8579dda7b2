"""Looking up attributes of many rows by key, each key once for the whole batch."""

import numpy as np
import orjson
import pyarrow as pa

from spanmill.otlp.anyvalue import values_to_text
from spanmill.otlp.attributes import entry_rows

_CHILDREN = {
    pa.string(): "string_value",
    pa.int64(): "int_value",
    pa.float64(): "double_value",
    pa.bool_(): "bool_value",
}


class AttributeIndex:
    """The entries of a `list<KeyValue>` column, by key. Where a row has a key twice, the last entry counts."""

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
        codes = self.codes.astype(np.uint16) if len(self.keys) < 1 << 16 else self.codes  # radix sort
        self._order = np.argsort(codes, kind="stable")
        self._starts = np.concatenate(([0], np.cumsum(np.bincount(self.codes, minlength=len(self.keys)))))
        self._values = entries.field("value")
        self._taken: dict[str, pa.Array] = {}

    def __contains__(self, key: str) -> bool:
        return key in self.keys

    def with_prefix(self, prefix: str) -> list[str]:
        """The keys that begin so."""
        return [key for key in self.keys if key.startswith(prefix)]

    def typed(self, key: str, kind: pa.DataType) -> pa.Array | None:
        """The values under `key`, null where there is none. None when some of them are of another type."""
        if kind not in _CHILDREN:
            return None
        take = self._take(key)
        values = self._values.field(_CHILDREN[kind]).take(take)
        return values if values.null_count == take.null_count else None

    def text(self, key: str) -> pa.StringArray:
        """The values under `key` as text, anything but text as JSON."""
        texts = self.typed(key, pa.string())
        return values_to_text(self._values.take(self._take(key))) if texts is None else texts

    def objects(self, key: str) -> list[object]:
        """The values under `key` as Python's own, None where there is none."""
        texts = self.typed(key, pa.string())
        if texts is not None:
            return list(texts.to_pylist())
        values = self._values.take(self._take(key))
        strings = values.field("string_value").to_pylist()
        texts = values_to_text(values).to_pylist()
        return [
            string if string is not None or text is None else _parsed(text)
            for string, text in zip(strings, texts, strict=True)
        ]

    def _take(self, key: str) -> pa.Array:
        """For each row where its value is, null where it has none."""
        if key not in self._taken:
            code = self.keys[key]
            found = self._order[self._starts[code] : self._starts[code + 1]]
            take = np.full(self.rows, -1, np.int64)
            take[self.row_of_entry[found]] = found
            missing = take < 0
            self._taken[key] = pa.array(take, mask=missing) if missing.any() else pa.array(take)
        return self._taken[key]


def _parsed(text: str) -> object:
    try:
        value: object = orjson.loads(text)
    except ValueError:
        return text
    return value
