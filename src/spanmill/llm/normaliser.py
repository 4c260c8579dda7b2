"""From any dialect's attributes to the LLM columns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.batch import Batch
from spanmill.llm import usage
from spanmill.llm.chain import Chain, chain_of
from spanmill.llm.content import FACTS, Content
from spanmill.llm.detection import NONE, Detection
from spanmill.llm.dialect import COLUMN_TYPES, COMMON, Source, When, load_canonical, load_dialects
from spanmill.llm.originals import without_originals
from spanmill.llm.reading import Reading
from spanmill.llm.written import with_canonical_attributes
from spanmill.schema import TABLES
from spanmill.signal import Signal

_FIRST = "operation"
"""The column that others ask for."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a user may choose."""

    dialects: tuple[str, ...] = ()
    """Which dialects are known; none named means all."""
    custom_mappings: Mapping[str, tuple[Source, ...]] = field(default_factory=dict)
    """Sources that are asked before those of any dialect, on every row."""
    remove_originals: bool = False
    """Drop attributes whose value is in a column now."""
    write_attributes: bool = False
    """Also write the columns as OpenTelemetry's attributes, for whoever receives OTLP from here."""


class Normaliser:
    """Fills the LLM columns of a batch of spans or log records. Pure but for what it remembers of names."""

    def __init__(self, options: Options, unreadable: Callable[[str, int], None] | None = None) -> None:
        self._options = options
        self._unreadable = unreadable
        known = load_dialects()
        chosen = [d for d in known.values() if d.dialect != COMMON and (d.dialect in (options.dialects or known))]
        self._detection = Detection(chosen)
        self._chains = [chain_of(dialect, known, options.custom_mappings) for dialect in chosen]
        self._common = chain_of(None, known, options.custom_mappings)
        canonical = load_canonical()
        self._calls = pa.array(sorted(canonical.calls), pa.string())
        self._canonical = {name: (canonical.table(name), name in canonical.closed) for name in canonical.values}

    def __call__(self, batch: Batch) -> Batch:
        """The batch with the columns that have a value in any row; others stay away, which is null."""
        if len(batch) == 0:
            return batch
        reading = Reading(batch)
        places = self._detection(reading)
        groups = self._groups(places)
        columns = self._columns(reading, groups)
        columns |= self._content(reading, groups, columns)
        batch = batch.with_record_columns(columns)
        if self._unreadable is not None:
            for name, count in reading.unreadable.items():
                self._unreadable(name, count)
        if self._options.remove_originals:
            batch = without_originals(batch, reading, columns, groups)
        return with_canonical_attributes(batch) if self._options.write_attributes else batch

    def _groups(self, places: np.ndarray) -> list[tuple[Chain, np.ndarray]]:
        """Each dialect that there is, and for each row whether it is one of its."""
        return [
            (self._common if place == NONE else self._chains[place], places == place)
            for place in np.unique(places).tolist()
        ]

    def _columns(self, reading: Reading, groups: Sequence[tuple[Chain, np.ndarray]]) -> dict[str, pa.Array]:
        offered = {column.name for column in TABLES[reading.batch.signal].columns}
        columns: dict[str, pa.Array] = {}
        named = {name: None for chain, _ in groups for name in chain.columns if name in offered}
        for name in dict.fromkeys((_FIRST, *named)):
            values = self._column(name, reading, groups, columns.get(_FIRST))
            if values is not None and values.null_count < len(values):
                columns[name] = values
        if reading.batch.signal is Signal.TRACES:
            columns |= _usage(columns, groups, len(reading.batch))
            self._mark_calls(columns)
        dialects = [chain.name for chain, _ in groups]
        if any(dialects):
            owner = np.select([rows for _, rows in groups], range(len(groups)))
            columns["dialect"] = pa.array(dialects, pa.string()).take(pa.array(owner))
        return columns

    def _column(
        self,
        name: str,
        reading: Reading,
        groups: Sequence[tuple[Chain, np.ndarray]],
        operations: pa.Array | None,
    ) -> pa.Array | None:
        result: pa.Array | None = None
        for chain, rows in groups:
            own = None
            for source in chain.columns.get(name, ()):
                values = reading.column(name, source, COLUMN_TYPES[name])
                if values is None:
                    continue
                if name in self._canonical:
                    values = _mapped(values, *self._canonical[name])
                values = _only(values, source.when, operations)
                own = values if own is None else pc.coalesce(own, values)
                if own.null_count == 0:
                    break
            if own is None:
                continue
            if len(groups) > 1:
                own = pc.if_else(pa.array(rows), own, pa.scalar(None, own.type))
            result = own if result is None else pc.coalesce(result, own)
        return result

    def _mark_calls(self, columns: dict[str, pa.Array]) -> None:
        """`is_llm_call` is true for calls of models, unless the dialect knows better."""
        if _FIRST not in columns:
            columns.pop("is_llm_call", None)
            return
        calls = pc.is_in(columns[_FIRST], self._calls)
        denied = columns.get("is_llm_call")
        if denied is not None:
            calls = pc.and_(calls, pc.fill_null(denied, True))
        if pc.any(calls).as_py():
            columns["is_llm_call"] = pc.if_else(calls, True, pa.scalar(None, pa.bool_()))
        else:
            columns.pop("is_llm_call", None)

    def _content(
        self, reading: Reading, groups: Sequence[tuple[Chain, np.ndarray]], columns: Mapping[str, pa.Array]
    ) -> dict[str, pa.Array]:
        nothing = pa.nulls(len(reading.batch), pa.string())
        content = Content(reading, {name: columns.get(name, nothing) for name in FACTS})
        operations = columns.get(_FIRST)
        for chain, rows in groups:
            for name, sources in chain.content.items():
                for source in sources:
                    where = rows if source.when is None else rows & _has_operation(source.when, operations, len(rows))
                    content.gather(name, source, where)
        return content.columns()


def _mapped(values: pa.Array, table: Mapping[str, str], closed: bool) -> pa.Array:
    encoded = values.dictionary_encode()
    names = [
        None if text is None else table.get(text.lower(), None if closed else text) or None
        for text in encoded.dictionary.to_pylist()
    ]
    return pa.array(names, pa.string()).take(encoded.indices)


def _only(values: pa.Array, when: When | None, operations: pa.Array | None) -> pa.Array:
    if when is None:
        return values
    rows = pa.array(_has_operation(when, operations, len(values)))
    return pc.if_else(rows, values, pa.scalar(None, values.type))


def _has_operation(when: When, operations: pa.Array | None, length: int) -> np.ndarray:
    if operations is None:
        return np.zeros(length, bool)
    return np.asarray(pc.is_in(operations, pa.array(when.operation, pa.string())).to_numpy(zero_copy_only=False))


def _usage(
    columns: Mapping[str, pa.Array], groups: Sequence[tuple[Chain, np.ndarray]], length: int
) -> dict[str, pa.Array]:
    if not any(name in columns for name in usage.COLUMNS):
        return {}
    nothing = pa.nulls(length, pa.int64())
    counts = {name: columns.get(name, nothing) for name in usage.COLUMNS}
    cached, reasoning = np.zeros(length, bool), np.zeros(length, bool)
    for chain, rows in groups:
        cached |= rows & chain.cached_excluded
        reasoning |= rows & chain.reasoning_excluded
    found = usage.inclusive(counts, cached, reasoning)
    return {name: values for name, values in found.items() if values.null_count < length}
