"""Spans that questions about others of their trace may need: what was retrieved, which tools were called."""

from collections import deque
from collections.abc import Iterable
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from spanmill.batch import Batch
from spanmill.judge.evaluator import Evaluator

_MOST_ROWS: Final = 20_000
_MOST_BYTES: Final = 32 * 1024 * 1024
"""Of Arrow data: the oldest spans are forgotten beyond either."""


class TraceContext:
    """Remembers the latest spans of the operations that some evaluator reads. For one thread at a time.

    A span ends before the call that uses what it found, and so comes before it or with it. After a restart it is empty.
    """

    def __init__(self, evaluators: Iterable[Evaluator]) -> None:
        sources = [
            source
            for evaluator in evaluators
            for variable in evaluator.variables.values()
            for source in variable
            if source.of_trace
        ]
        self._operations = pa.array(sorted({source.operation for source in sources}), pa.string())
        self.columns = tuple(sorted({"trace_id", "start_time", "operation", *(each.held_in for each in sources)}))
        """Those that some evaluator reads."""
        self._held: deque[Batch] = deque()
        self._rows = self._bytes = 0

    def remember(self, batch: Batch) -> None:
        """Take from the batch what may be needed."""
        if not len(self._operations):
            return
        wanted = batch.filter(pc.is_in(batch.column("operation"), self._operations))
        if not len(wanted):
            return
        wanted = wanted.whole()
        self._held.append(wanted)
        self._rows, self._bytes = self._rows + len(wanted), self._bytes + wanted.nbytes
        while len(self._held) > 1 and (self._rows > _MOST_ROWS or self._bytes > _MOST_BYTES):
            gone = self._held.popleft()
            self._rows, self._bytes = self._rows - len(gone), self._bytes - gone.nbytes

    def of(self, rows: Batch) -> Batch | None:
        """The remembered spans of the traces of these rows; none of the rows themselves unless they are remembered.
        None: there are none."""
        traces = pc.unique(rows.record_column("trace_id"))
        parts = [part.filter(pc.is_in(part.record_column("trace_id"), traces)) for part in self._held]
        parts = [part for part in parts if len(part)]
        return Batch.concat(parts) if parts else None
