"""How far the queue is worked off: questions end in any order, the cursor moves over whole records in theirs."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(slots=True)
class _Record:
    left: int
    """Questions under way, or not begun."""
    keys: list[bytes]


class Progress:
    """Records of the queue that are not done. Belongs to the event loop."""

    def __init__(self) -> None:
        self._records: OrderedDict[int, _Record] = OrderedDict()

    @property
    def left(self) -> int:
        """Questions that are not done."""
        return sum(record.left for record in self._records.values())

    def begin(self, sequence: int, keys: Sequence[bytes]) -> None:
        """A record was read; it has these questions."""
        self._records[sequence] = _Record(len(keys), list(keys))

    def end(self, sequence: int, count: int = 1) -> None:
        """So many questions of the record are done."""
        self._records[sequence].left -= count

    def advance(self) -> tuple[int, list[bytes]] | None:
        """The last record up to which everything is done, with the keys of the questions that are done with it."""
        done, keys = 0, list[bytes]()
        while self._records and not next(iter(self._records.values())).left:
            done, record = self._records.popitem(last=False)
            keys += record.keys
        return (done, keys) if done else None
