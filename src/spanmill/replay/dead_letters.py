"""Dead letters as a source."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from spanmill.batch import Batch
from spanmill.dead_letters import read_heading, read_letter
from spanmill.errors import SpanmillError
from spanmill.replay.options import Selection
from spanmill.replay.piece import Piece


class Letters:
    """Files of dead letters, oldest first. Implements `Source`."""

    letters = True
    journal = False

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths

    def pieces(self, selection: Selection) -> Iterator[Piece]:
        for path in self._paths:
            try:
                letter = read_heading(path)
            except FileNotFoundError:
                continue  # it had to make room, or somebody else has just sent it
            except SpanmillError:  # which signal it was is not known; whoever loads it is told what is wrong
                yield Piece(str(path), min(selection.signals), 0, partial(_load, path))
                continue
            if letter.signal in selection.signals and selection.covers(letter.time):
                yield Piece(
                    str(path),
                    letter.signal,
                    letter.items,
                    partial(_load, path),
                    exporter=letter.exporter,
                    remove=partial(path.unlink, missing_ok=True),
                )


def _load(path: Path) -> Batch:
    return read_letter(path)[1]
