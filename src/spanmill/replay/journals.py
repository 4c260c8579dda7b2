"""Journals as a source."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from spanmill.journal.reading import read_journal, signal_of
from spanmill.replay.options import Selection
from spanmill.replay.piece import Piece


class Journals:
    """Journals of pipelines, one after the other. Implements `Source`. May be read while a collector writes them."""

    letters = False
    journal = True

    def __init__(self, directories: Sequence[Path]) -> None:
        self._directories = directories
        self._ends: dict[Path, int] = {}
        """The last record there was when they were first read."""

    def pieces(self, selection: Selection) -> Iterator[Piece]:
        for directory in self._directories:
            signal, end, last = signal_of(directory), self._ends.get(directory), 0
            if signal is None or signal not in selection.signals:
                continue
            for record in read_journal(directory):
                if end is not None and record.sequence > end:
                    break
                last = record.sequence
                if _numbered(record.sequence, selection) and selection.covers(record.time):
                    yield Piece(f"{directory} record {record.sequence}", signal, record.items, record.load)
            self._ends.setdefault(directory, last)


def _numbered(sequence: int, selection: Selection) -> bool:
    return (selection.first is None or sequence >= selection.first) and (
        selection.last is None or sequence <= selection.last
    )
