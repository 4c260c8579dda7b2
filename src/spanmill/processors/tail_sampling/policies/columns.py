"""The columns that policies' SQL refers to, of the spans of a pass: public ones, attributes, and some of our own."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.arrays import spread
from spanmill.batch import Batch
from spanmill.conditions.expression import Attribute
from spanmill.otlp.anyvalue import values_to_text
from spanmill.otlp.attributes import entry_rows, get
from spanmill.otlp.codec import decode
from spanmill.processors.tail_sampling.policies.verdicts import Traces
from spanmill.schema import TABLES
from spanmill.signal import Signal

TABLE: Final = "spans"
TRACE: Final = "trace"
"""The column with the place of the span's trace."""
_PUBLIC: Final = TABLES[Signal.TRACES]
_OWN: Final = {"root": pa.bool_(), "lowest_score": pa.float64(), "negative_feedback": pa.bool_()}
SCHEMA: Final = pa.schema([*_PUBLIC.schema, *(pa.field(name, kind) for name, kind in _OWN.items())])
"""What SQL over spans may refer to."""


class Source(Protocol):
    """Where a column of the query comes from. Hashable: each is made once, however many policies refer to it."""

    @property
    def name(self) -> str:
        """What SQL calls it."""

    @property
    def reads(self) -> frozenset[str]:
        """The record columns that it is made of."""

    def of(self, rows: Batch, trace_of_row: np.ndarray, traces: Traces) -> pa.Array:
        """Its values, one for each row."""


@dataclass(frozen=True, slots=True)
class PublicColumn:
    """A column of the table `spans`."""

    name: str

    @property
    def reads(self) -> frozenset[str]:
        return _reads(self.name)

    def of(self, rows: Batch, _trace_of_row: np.ndarray, _traces: Traces) -> pa.Array:
        return rows.column(self.name)


@dataclass(frozen=True, slots=True)
class TextOfAttribute:
    """An entry of a map column, as text."""

    attribute: Attribute

    @property
    def name(self) -> str:
        return self.attribute.name

    @property
    def reads(self) -> frozenset[str]:
        return _map_reads(self.attribute.column)

    def of(self, rows: Batch, _trace_of_row: np.ndarray, _traces: Traces) -> pa.Array:
        attributes, rows_of = _lists(rows, self.attribute.column)
        texts = values_to_text(get(attributes, self.attribute.key))
        return texts if rows_of is None else texts.take(rows_of)


@dataclass(frozen=True, slots=True)
class TypedAttribute:
    """An attribute where its value is of one type; null where there is none, or one of another type."""

    attribute: Attribute
    kind: Literal["int", "string", "bool"]

    @property
    def name(self) -> str:
        return f"{self.kind} {self.attribute.name}"

    @property
    def reads(self) -> frozenset[str]:
        return _map_reads(self.attribute.column)

    def of(self, rows: Batch, _trace_of_row: np.ndarray, _traces: Traces) -> pa.Array:
        attributes, rows_of = _lists(rows, self.attribute.column)
        entries = attributes.flatten()
        found = np.flatnonzero(pc.equal(entries.field("key"), self.attribute.key).to_numpy(zero_copy_only=False))
        values = entries.field("value").field(f"{self.kind}_value").take(pa.array(found))
        values = spread(values, entry_rows(attributes)[found], len(attributes))
        return values if rows_of is None else values.take(rows_of)


@dataclass(frozen=True, slots=True)
class Root:
    """Whether the span has no parent."""

    name: str = "root"
    reads: frozenset[str] = frozenset({"parent_span_id"})

    def of(self, rows: Batch, _trace_of_row: np.ndarray, _traces: Traces) -> pa.Array:
        return rows.column("parent_span_id").is_null()


@dataclass(frozen=True, slots=True)
class OfTrace:
    """What is known of the trace beside its spans, on each of its spans."""

    name: str
    reads: frozenset[str] = frozenset()

    def of(self, _rows: Batch, trace_of_row: np.ndarray, traces: Traces) -> pa.Array:
        if self.name == "negative_feedback":
            return pa.array(traces.negative_feedback[trace_of_row], pa.bool_())
        return pa.array(traces.lowest_score[trace_of_row], pa.float64(), from_pandas=True)


def column(name: str) -> Source:
    """The column that SQL calls so."""
    if name == "root":
        return Root()
    return OfTrace(name) if name in _OWN else PublicColumn(name)


def table(sources: Iterable[Source], rows: Batch, trace_of_row: np.ndarray, traces: Traces) -> pa.Table:
    """The table that the query is asked of."""
    columns = {source.name: source.of(rows, trace_of_row, traces) for source in sources}
    return pa.table({TRACE: pa.array(trace_of_row.astype(np.int32)), **columns})


def _lists(rows: Batch, column: str) -> tuple[pa.ListArray, pa.Array | None]:
    """The attributes of the spans; or of the distinct resources, with the place of each span's."""
    if column == "attributes":
        return rows.records.column("attributes"), None
    resource = rows.records.column("resource")
    return resource.dictionary.field("resource").field("attributes"), resource.indices


def _map_reads(column: str) -> frozenset[str]:
    return frozenset({"attributes" if column == "attributes" else "resource"})


@cache
def _reads(name: str) -> frozenset[str]:
    """The record columns that a public column is made of: those that it asks records without rows for."""
    public = _PUBLIC.column(name)
    if public.compute is None:
        return frozenset({name})
    asked = _Asked(decode(Signal.TRACES, [b""]).records)
    public.compute(asked)
    return frozenset(asked.names)


class _Asked:
    """Records that remember which of their columns were asked for."""

    def __init__(self, records: pa.RecordBatch) -> None:
        self.names: set[str] = set()
        self._records = records

    def column(self, name: str) -> Any:
        self.names.add(name)
        return self._records.column(name)
