"""Text in which it is known what is personal data, to the character."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Value:
    """A piece of text that is personal data or a secret."""

    detector: str
    """The one that has to find it."""
    text: str
    form: str
    """How it is written; for reading what was missed."""
    bare: bool = False
    """Nobody could tell what it is without a word for it beside it: such a value stands nowhere else."""
    also: tuple[str, ...] = ()
    """Detectors that are as right as the first."""


Piece = str | Value
Pieces = tuple[Piece, ...]


class Label(NamedTuple):
    """Characters `start` to `end` of a text."""

    start: int
    end: int
    value: Value


class Sample(NamedTuple):
    """One text of the data set. `language`: en, ko or ja. `kind`: what sort of text, `negative` if nothing in it is
    personal data. `labels` in order of start, none overlapping."""

    text: str
    language: str
    kind: str
    labels: tuple[Label, ...]


def assembled(pieces: Iterable[Piece], language: str, kind: str) -> Sample:
    parts: list[str] = []
    labels: list[Label] = []
    at = 0
    for piece in pieces:
        text = piece if isinstance(piece, str) else piece.text
        if not isinstance(piece, str):
            labels.append(Label(at, at + len(text), piece))
        parts.append(text)
        at += len(text)
    return Sample("".join(parts), language, kind, tuple(labels))


def rewritten(pieces: Iterable[Piece], write: Callable[[str], str]) -> Pieces:
    """Every piece written otherwise, by itself: escaped for the text it goes into."""
    return tuple(write(piece) if isinstance(piece, str) else replace(piece, text=write(piece.text)) for piece in pieces)


def filled(template: str, value: Pieces, **words: str) -> Pieces:
    """`template`: `{v}` is the value, other names are words."""
    before, _, after = template.partition("{v}")
    return (before.format(**words), *value, after.format(**words))
