"""A condition: compiled once, then asked of batch after batch."""

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.batch import Batch
from spanmill.conditions import engine
from spanmill.conditions.comparisons import NotANumber, compile_simple
from spanmill.conditions.expression import Attribute, read, select
from spanmill.errors import SpanmillError
from spanmill.otlp.anyvalue import values_to_text
from spanmill.otlp.attributes import get
from spanmill.schema import TABLES
from spanmill.signal import Signal
from spanmill.telemetry.logs import Log


class ConditionFailed(SpanmillError):  # noqa: N818 - what the data did, not a fault
    """The condition cannot be worked out for some row, for example because a text is no number."""


class Condition:
    """A SQL boolean over the public columns of a signal's table (`spans`, `logs`, `metrics`), for example
    `status_code = 'error' and attributes['http.route'] like '/v1/%'`.

    It sees one row at a time and nothing else: no subqueries, aggregates, files, settings or clock. Null is not true.
    Safe from any thread.
    """

    def __init__(self, sql: str, signal: Signal) -> None:
        """Parse and check. Raises `InvalidCondition`."""
        self.sql = sql
        self.signal = signal
        expression = read(sql, signal)
        self._table = TABLES[signal]
        self._columns, self._attributes = expression.columns, expression.attributes
        types = {name: self._table.schema.field(name).type for name in self._columns}
        types |= {attribute.name: pa.string() for attribute in self._attributes}
        self._simple = compile_simple(expression.node, types)
        self._query = select(expression.node, self._table.name)
        self._tolerant_query = select(_tried(expression.node), self._table.name)

    def __call__(self, batch: Batch) -> pa.BooleanArray:
        """For each row whether the condition holds, without nulls. Raises `ConditionFailed`."""
        columns = self._read(batch)
        if self._simple is not None:
            try:
                return pc.fill_null(self._simple(columns), False)
            except NotANumber:
                pass
        return self._ask(self._query, columns, len(batch))

    def where_it_can(self, batch: Batch) -> pa.BooleanArray:
        """The same, with false for the rows for which it cannot be worked out."""
        return self._ask(self._tolerant_query, self._read(batch), len(batch))

    def rows(self, batch: Batch, log: Log, complaint: str) -> np.ndarray:
        """Where the condition holds (booleans); for rows for which it cannot be worked out, it does not, and the
        complaint is logged."""
        try:
            holds = self(batch)
        except ConditionFailed as error:
            log.warning(complaint, condition=self.sql, reason=str(error))
            holds = self.where_it_can(batch)
        return np.asarray(holds.to_numpy(zero_copy_only=False))

    def _read(self, batch: Batch) -> dict[str, pa.Array]:
        columns = {name: batch.column(name) for name in self._columns}
        return columns | {attribute.name: _values(batch, attribute) for attribute in self._attributes}

    def _ask(self, query: str, columns: dict[str, pa.Array], length: int) -> pa.BooleanArray:
        if not length:
            return pa.array([], pa.bool_())
        # A condition without columns still needs a row for each row.
        rows = pa.table(columns or {"row": pa.nulls(length, pa.int8())})
        try:
            return pa.array(engine.truths(query, self._table.name, rows))
        except duckdb.Error as error:
            raise ConditionFailed(str(error).split("\n", 1)[0]) from None


def _tried(node: dict[str, object]) -> dict[str, object]:
    """`TRY(expression)`: null instead of an error, row by row."""
    tree = engine.parse("SELECT TRY(1)")
    attempt: dict[str, object] = tree["statements"][0]["node"]["select_list"][0]
    return attempt | {"children": [node]}


def _values(batch: Batch, attribute: Attribute) -> pa.StringArray:
    """The attribute's text in each row, null where there is none: what the map column would give."""
    if attribute.column == "attributes":
        return values_to_text(get(batch.record_column("attributes"), attribute.key))
    resource = batch.record_column("resource")
    texts = values_to_text(get(resource.dictionary.field("resource").field("attributes"), attribute.key))
    return texts.take(resource.indices)
