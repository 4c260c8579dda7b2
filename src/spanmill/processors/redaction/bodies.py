"""Redaction of log bodies: their texts, and all that is in their arrays and maps, level by level for all rows at once.

Here the Collector does not care for `redact_all_types`: numbers are read as text in any case, but not what stands under
a key of `blocked_key_patterns`, where whatever is no text is hidden as if it were empty.
"""

from collections import defaultdict
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.arrays import replaced
from spanmill.otlp import attributes as columns
from spanmill.otlp.collector_texts import as_texts, strings
from spanmill.otlp.messages import AnyValue, KeyValue
from spanmill.processors.redaction.config import RedactionProcessorConfig
from spanmill.processors.redaction.keys import KeyRules, Treatment
from spanmill.processors.redaction.summary import Outcome, Outcomes
from spanmill.processors.redaction.values import ValueRules
from spanmill.schema.inverse.messages import parse, serialize, with_fields

_WHOLE = "body"
"""How a body that is neither an array nor a map is called in summaries."""


class RedactedBodies(NamedTuple):
    """A column of bodies after redaction."""

    bodies: pa.StructArray
    """The same array if nothing changed."""
    outcomes: Outcomes
    mentioned: np.ndarray
    """For each row whether the summary speaks of its body; it does not where the whole body is allowed."""


class BodyRedaction:
    """Takes the column of bodies."""

    def __init__(self, config: RedactionProcessorConfig) -> None:
        self._keys, self._values = KeyRules(config), ValueRules(config)

    def __call__(self, bodies: pa.StructArray) -> RedactedBodies:
        notes = _Notes()
        rows = np.arange(len(bodies))
        names = pa.array([_WHOLE]).take(pa.array(np.zeros(len(bodies), np.int64)))
        paths = pa.array([""]).take(pa.array(np.zeros(len(bodies), np.int64)))
        redacted = self._redacted(_Level(bodies, rows, names, paths), notes)
        whole = notes.outcome("allowed")
        mentioned = np.ones(len(bodies), bool)
        mentioned[whole.rows[_leaves(bodies)[whole.rows]]] = False
        return RedactedBodies(redacted, notes.outcomes(), mentioned)

    def _redacted(self, level: "_Level", notes: "_Notes") -> pa.StructArray:
        values = self._leaves(level, notes)
        for name, message in (("array_value", AnyValue), ("kvlist_value", KeyValue)):
            holders = values.field(name)
            held = np.flatnonzero(holders.is_valid().to_numpy(zero_copy_only=False))
            if len(held) == 0:
                continue
            old = holders.field("values").take(pa.array(held))
            new = self._elements(old, message, level.take(held), notes)
            if not new.equals(old):
                lists = replaced(holders.field("values"), held, new)
                values = with_fields(values, **{name: with_fields(holders, values=lists)})
        return values

    def _leaves(self, level: "_Level", notes: "_Notes") -> pa.StructArray:
        """What is neither array nor map, masked."""
        leaves = np.flatnonzero(_leaves(level.values))
        texts = as_texts(level.values.take(pa.array(leaves)))
        allowed, new = self._values.allowed(texts), self._values.masked(texts)
        notes.add("allowed", level, leaves[allowed])
        if new is texts:
            return level.values
        changed = ~allowed & pc.not_equal(new, texts).to_numpy(zero_copy_only=False)
        notes.add("masked", level, leaves[changed])
        return _with_texts(level.values, leaves[changed], new.filter(pa.array(changed)))

    def _elements(self, lists: pa.ListArray, message: type, level: "_Level", notes: "_Notes") -> pa.ListArray:
        """The elements of arrays, or the entries of maps: serialized as they came, and as they go."""
        owners = pc.list_parent_indices(lists).to_numpy()
        elements = parse(message, lists.flatten())
        rows, above = level.rows[owners], level.prefixes.take(pa.array(owners))
        if message is AnyValue:
            position = np.arange(len(owners)) - (lists.offsets.to_numpy() - lists.offsets[0].as_py())[owners]
            names = pc.binary_join_element_wise(above, "[", pa.array(position).cast(pa.string()), "]", "")
            elements = self._redacted(_Level.below(elements, rows, names), notes)
            kept = np.ones(len(owners), bool)
        else:
            names = pc.binary_join_element_wise(above, elements.field("key"), "")
            elements, kept = self._entries(elements, rows, names, notes)
        serialized = serialize(message, len(elements), **{f.name: elements.field(f.name) for f in elements.type})
        ends = np.cumsum(np.bincount(owners[kept], minlength=len(lists)))
        offsets = pa.array(np.concatenate(([0], ends)).astype(np.int32))
        return pa.ListArray.from_arrays(offsets, serialized.filter(pa.array(kept)), type=lists.type)

    def _entries(
        self, entries: pa.StructArray, rows: np.ndarray, names: pa.StringArray, notes: "_Notes"
    ) -> tuple[pa.StructArray, np.ndarray]:
        """The entries after redaction, and which of them stay."""
        treatment, values = self._keys.of_maps(entries.field("key")), entries.field("value")
        level = _Level.below(values, rows, names)
        removed, hidden, searched = (
            np.flatnonzero(treatment == kind) for kind in (Treatment.REMOVE, Treatment.HIDE, Treatment.SEARCH)
        )
        notes.add("ignored", level, np.flatnonzero(treatment == Treatment.IGNORE))
        notes.add("removed", level, removed)
        notes.add("masked", level, hidden)
        if len(searched):
            values = replaced(values, searched, self._redacted(level.take(searched), notes))
        values = _with_texts(values, hidden, self._values.hidden(strings(level.values.take(pa.array(hidden)))))
        return with_fields(entries, value=values), treatment != Treatment.REMOVE


class _Level(NamedTuple):
    """Values of one depth, with the row of each, its name in summaries, and what is put before names within it."""

    values: pa.StructArray
    rows: np.ndarray
    names: pa.StringArray
    prefixes: pa.StringArray

    @classmethod
    def below(cls, values: pa.StructArray, rows: np.ndarray, names: pa.StringArray) -> "_Level":
        return cls(values, rows, names, pc.binary_join_element_wise(names, ".", ""))

    def take(self, chosen: np.ndarray) -> "_Level":
        index = pa.array(chosen)
        return _Level(self.values.take(index), self.rows[chosen], self.names.take(index), self.prefixes.take(index))


class _Notes:
    """Gathers what was done."""

    def __init__(self) -> None:
        self._rows: defaultdict[str, list[np.ndarray]] = defaultdict(list)
        self._names: defaultdict[str, list[pa.StringArray]] = defaultdict(list)

    def add(self, outcome: str, level: _Level, chosen: np.ndarray) -> None:
        if len(chosen):
            self._rows[outcome].append(level.rows[chosen])
            self._names[outcome].append(level.names.take(pa.array(chosen)))

    def outcome(self, name: str) -> Outcome:
        rows, names = self._rows[name], self._names[name]
        return Outcome(
            np.concatenate(rows) if rows else np.zeros(0, np.int64),
            pa.concat_arrays(names) if names else pa.array([], pa.string()),
        )

    def outcomes(self) -> Outcomes:
        return Outcomes(*(self.outcome(name) for name in Outcomes._fields))


def _leaves(values: pa.StructArray) -> np.ndarray:
    nested = pc.or_(values.field("array_value").is_valid(), values.field("kvlist_value").is_valid())
    return np.asarray(~nested.to_numpy(zero_copy_only=False))


def _with_texts(values: pa.StructArray, rows: np.ndarray, texts: pa.StringArray) -> pa.StructArray:
    return replaced(values, rows, columns.any_values("string_value", texts)) if len(rows) else values
