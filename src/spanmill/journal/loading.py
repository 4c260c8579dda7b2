"""Reading a batch back from a segment, and what is done about one that cannot be read."""

import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from spanmill.batch import Batch
from spanmill.disk import Disk
from spanmill.journal import Unreadable
from spanmill.journal.quarantine import copy_range
from spanmill.journal.segment import Segment
from spanmill.journal.stored import restore
from spanmill.signal import Signal
from spanmill.telemetry.metrics import Counter

_PATIENCE_SECONDS = 60.0
"""How long a record that the disk does not give is asked for before it is given up."""


class _Place(NamedTuple):
    segment: Path
    place: int


class Loader:
    """Loads the records of one journal; in any thread. Counts each that is lost once, and keeps a copy of its bytes."""

    def __init__(self, signal: Signal, disk: Disk, damaged: Counter) -> None:
        self._signal, self._disk, self._damaged = signal, disk, damaged
        self._failing: dict[_Place, float] = {}
        """Since when records cannot be read, in seconds of the monotonic clock."""
        self._lost: set[_Place] = set()

    def load(self, segment: Segment, place: int) -> Batch:
        """The batch at a place. Raises `Unreadable`, `OSError`."""
        key = _Place(segment.path, place)
        try:
            return self._load(segment, place)
        except Unreadable:
            self._note_loss(key, segment)
            raise
        except FileNotFoundError:
            self._note_loss(key, segment)
            raise Unreadable(f"{segment.path} is gone") from None
        except OSError as error:
            now = time.monotonic()
            if now - self._failing.setdefault(key, now) < _PATIENCE_SECONDS:
                raise
            self._note_loss(key, segment)
            raise Unreadable(f"{segment.path} cannot be read: {error.strerror or error}") from None

    def _load(self, segment: Segment, place: int) -> Batch:
        head, payload = segment.read(place)
        try:
            return restore(self._signal, head, payload)
        except Exception as error:  # noqa: BLE001 - bytes that are sound and hold no batch: trying again is no use
            reason = f"{type(error).__name__}: {error}"
            raise Unreadable(f"{segment.path}: record {head.sequence} holds no batch: {reason}") from None

    def _note_loss(self, key: _Place, segment: Segment) -> None:
        if key in self._lost:
            return
        self._lost.add(key)
        self._damaged.add()
        with suppress(OSError):
            copy_range(self._disk, segment.path, *segment.range_of(key.place))
