"""What sources give: pieces."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from spanmill.batch import Batch
from spanmill.replay.options import Selection
from spanmill.signal import Signal


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows that fit in memory together. The same file gives the same pieces, in the same order."""

    name: str
    """For messages: the file, and what of it."""
    signal: Signal
    items: int
    """Rows at most: `load` may leave some out."""
    load: Callable[[], Batch]
    """The rows that are selected by time. Raises `OSError`, `SpanmillError`, `pa.ArrowException`; any thread."""
    exact: bool = True
    """Whether there are just so many `items`."""
    exporter: str = ""
    """The exporter that gave them up; empty unless they are a dead letter."""
    remove: Callable[[], None] | None = None
    """Deletes the dead letter."""


class Source(Protocol):
    """A path that there is something to send again from."""

    letters: bool
    """Whether it holds dead letters."""
    journal: bool
    """Whether it is a journal, whose records are numbered."""

    def pieces(self, selection: Selection) -> Iterator[Piece]:
        """The pieces of the signals, times and numbers selected. Asked twice: to count, and to send. What comes into
        the source in between is not among them, so that nobody sends for ever into a collector what it writes.

        Raises `OSError`, `SpanmillError`.
        """
