"""Label sets and their series: a space for all families that have the same labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from spanmill.exporters.prometheus.llm.values import Rows
from spanmill.telemetry.exposition import LabelSet

NOWHERE: Final = 0
"""The series of what there is no room for; never on the page."""


@dataclass(slots=True)
class Room:
    """How many lines all spaces together may take."""

    max_lines: int
    taken: int = 0
    refused: bool = False
    """Whether there was no room for a label set, and none became free since."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A label whose few values every label set has: a series for each, side by side (`status`, `type`)."""

    label: str = ""
    values: tuple[str, ...] = ("",)


ONE: Final = Parts()
"""A single series."""


class Space:
    """Label sets of one shape. A set has as many series as there are `parts`, each a row in every family's values."""

    def __init__(self, labels: Sequence[str], parts: Parts, constant: Mapping[str, str], room: Room) -> None:
        self.labels = tuple(labels)
        self.width = len(parts.values)
        self.label_sets: list[LabelSet] = []
        """By series."""
        self.parts = parts
        self._constant = dict(constant)
        self._room = room
        self._held: list[Rows] = []
        self._first: dict[tuple[str, ...], int] = {}
        self._add(())

    def hold(self, values: Rows) -> None:
        """Have a family's values follow the series. Before the first label set comes."""
        self._held.append(values)
        values.reserve(len(self.label_sets))

    def series(self, values: tuple[str, ...]) -> int:
        """The first series of a label set, which is made if need be; `NOWHERE` when there is no room for it."""
        first = self._first.get(values)
        if first is None:
            if self._room.taken + self._lines > self._room.max_lines:
                self._room.refused = True
                return NOWHERE
            self._room.taken += self._lines
            first = self._first[values] = self._add(values)
        return first

    @property
    def _lines(self) -> int:
        """What a label set may take of the page."""
        return self.width * sum(held.lines for held in self._held)

    def _add(self, values: tuple[str, ...]) -> int:
        first = len(self.label_sets)
        named = dict(zip(self.labels, values, strict=False))
        for part in self.parts.values:
            labels = self._constant | named | ({self.parts.label: part} if self.parts.label else {})
            # An empty value is the same as no label to Prometheus.
            self.label_sets.append(LabelSet(sorted((name, value) for name, value in labels.items() if value)))
        for held in self._held:
            held.reserve(len(self.label_sets))
        return first

    def shown(self, values: Rows) -> np.ndarray:
        """The series that a family has on the page."""
        shown = np.flatnonzero(values.shown)
        return shown[shown >= self.width]

    def expire(self, oldest: float, used: np.ndarray) -> bool:
        """Remove what was told nothing since `oldest`. True: the series that remain have other numbers now.

        `used`: first series of label sets that stay, even if no family has anything of them on the page.
        """
        alive = np.zeros(len(self.label_sets), dtype=bool)
        alive[used] = True
        for held in self._held:
            held.expire(oldest)
            alive |= held.shown[: len(alive)]
        kept: np.ndarray = np.any(alive.reshape(-1, self.width), axis=1)
        kept[0] = True
        if kept.all():
            return False
        self._room.refused = False
        self._room.taken -= int(len(kept) - kept.sum()) * self._lines
        series = np.flatnonzero(np.repeat(kept, self.width))
        for held in self._held:
            held.keep(series)
        self.label_sets = [self.label_sets[one] for one in series.tolist()]
        numbers = (np.cumsum(kept) - 1) * self.width
        self._first = {
            values: int(numbers[first // self.width])
            for values, first in self._first.items()
            if kept[first // self.width]
        }
        return True
