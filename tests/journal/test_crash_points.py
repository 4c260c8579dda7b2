"""A crash or an error at every single operation of a journal's life: what was acknowledged is read, once and in order.

Enumerated, not sampled: the life is lived once to count its operations, then once for each of them and each way to
fail. A crash leaves the files as they are; a power cut is another test's matter.
"""

import asyncio
import errno
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from spanmill.errors import Busy, StartError
from tests.journal.harness import FaultyDisk, Opened, die_with, hurried, packed, request
from tests.storage.harness import files_in

LONG = pytest.mark.torture
pytestmark = pytest.mark.timeout(900)
Failure = Callable[[int], FaultyDisk]

CRASHES: dict[str, Failure] = {
    "before": lambda at: FaultyDisk(at, crash="before"),
    "in the middle": lambda at: FaultyDisk(at, crash="in"),
    "after": lambda at: FaultyDisk(at, crash="after"),
}
ERRORS: dict[str, Failure] = {
    "full disk once": FaultyDisk,
    "fault once": lambda at: FaultyDisk(at, error=errno.EIO),
    "full disk for a while": lambda at: FaultyDisk(at, last=at + 12),
    "fault for a while": lambda at: FaultyDisk(at, last=at + 12, error=errno.EIO),
}
REQUESTS = range(1, 15)
SENDERS = [range(1, 8), range(8, 15)]


def ways(of: dict[str, Failure], *quick: str) -> list[Any]:
    """Every way to fail; those not named are left to the long suite."""
    return [name if name in quick else pytest.param(name, marks=LONG) for name in of]


@dataclass
class Life:
    """What was promised to senders, and what each consumer has had."""

    acknowledged: set[int] = field(default_factory=set)
    committed: dict[str, list[int]] = field(default_factory=lambda: {"one": [], "two": []})
    settled: dict[str, int] = field(default_factory=lambda: {"one": 0, "two": 0})
    """How many of the committed are so on the disk, for certain."""
    journal: Opened | None = None

    async def die(self, disk: FaultyDisk, directory: Path) -> None:
        """Live until the disk's process dies."""
        error = await die_with(disk, self.live(disk, directory))
        if disk.crashed.is_set() and self.journal is not None:
            await self.journal.abandon()
        elif error is not None:
            raise error

    async def send(self, it: Opened, numbers: range, *, patiently: bool) -> None:
        """As senders do: one after the other; who is told to try later does, when patient."""
        for number in numbers:
            if number in self.acknowledged:
                continue
            while True:
                try:
                    if not it.journal.holds(request(number)):
                        await it.journal.append(packed(number))
                    self.acknowledged.add(number)
                    break
                except Busy:
                    if not patiently:
                        break
                    await asyncio.sleep(0.001)

    def take(self, it: Opened, count: int, consumer: str) -> None:
        self.committed[consumer] += it.take(count, consumer)

    async def tidy(self, it: Opened) -> None:
        counts = {name: len(taken) for name, taken in self.committed.items()}
        if await it.tidied():
            self.settled = counts

    async def live(self, disk: FaultyDisk, directory: Path, *, patiently: bool = False) -> None:
        """Start, append from two senders, consume at two paces, roll over, delete, stop."""
        self.journal = it = Opened(directory, disk)
        disk.arm()
        try:
            await self._live(it, patiently)
        finally:
            if not disk.crashed.is_set():
                await it.journal.stop()
        if not disk.crashed.is_set() and not it.journal._untidy:
            self.settled = {name: len(taken) for name, taken in self.committed.items()}

    async def _live(self, it: Opened, patiently: bool) -> None:
        try:
            await it.start()
        except StartError:
            await it.journal.stop()
            await it.start()
        await asyncio.gather(*(self.send(it, numbers[:4], patiently=patiently) for numbers in SENDERS))
        self.take(it, 6, "one")
        self.take(it, 4, "two")
        await self.tidy(it)
        await asyncio.gather(*(self.send(it, numbers, patiently=patiently) for numbers in SENDERS))
        self.take(it, 4, "two")
        self.take(it, 4, "one")
        await self.tidy(it)

    async def check(self, directory: Path) -> None:
        """With a sound disk: open twice, resend what was not acknowledged, read everything."""
        async with Opened(directory) as it:
            assert it.value("damaged_records") == 0
        async with Opened(directory) as it:
            assert it.value("torn_bytes") == 0
            await self.send(it, REQUESTS, patiently=True)
            for consumer, taken in self.committed.items():
                rest = it.rest(consumer)
                assert len(rest) == len(set(rest))
                again = set(rest) & set(taken)
                assert again <= set(taken[self.settled[consumer] :]), "what was settled is read again"
                assert set(taken) | set(rest) == set(REQUESTS)
                for numbers in SENDERS:
                    mine = [number for number in taken + [n for n in rest if n not in again] if number in numbers]
                    assert mine == sorted(mine)
                it.readers[consumer].commit(it.journal.last)
        assert not files_in(directory, "*.tmp")
        assert not files_in(directory, "*.segment")


async def count_operations(directory: Path) -> int:
    """Of a whole life, and a few more: threads do not always meet at the same points."""
    disk = FaultyDisk()
    await Life().live(disk, directory)
    assert disk.count
    return disk.count + 4


@pytest.mark.parametrize("name", ways(CRASHES, "in the middle"))
async def test_a_crash_at_any_operation_loses_and_repeats_nothing(tmp_path: Path, name: str) -> None:
    with hurried():
        for at in range(await count_operations(tmp_path / "counted")):
            directory, life, disk = tmp_path / str(at), Life(), CRASHES[name](at)
            await life.die(disk, directory)
            await life.check(directory)


@pytest.mark.parametrize("name", ways(ERRORS, "fault once"))
async def test_after_an_error_at_any_operation_the_journal_recovers_by_itself(tmp_path: Path, name: str) -> None:
    with hurried():
        for at in range(await count_operations(tmp_path / "counted")):
            directory, life, disk = tmp_path / str(at), Life(), ERRORS[name](at)
            with suppress(StartError):
                await life.live(disk, directory, patiently=True)
            disk.heal()
            if life.acknowledged:  # else it could not even start for that while
                assert life.acknowledged == set(REQUESTS)
            await life.check(directory)


@pytest.mark.parametrize("name", ways(CRASHES, "after"))
async def test_a_crash_while_a_journal_recovers_from_a_crash_loses_nothing(tmp_path: Path, name: str) -> None:
    """Torn at the end of a segment and in the middle of a cursor; then dead again at each step of the next start."""
    with hurried():
        for at in range(24):
            directory, life = tmp_path / str(at), Life()
            disk = FaultyDisk(48, crash="in")
            await life.die(disk, directory)
            again = CRASHES[name](at)
            it = Opened(directory, again)
            again.arm()
            await die_with(again, it.start())
            await it.abandon()
            await life.check(directory)
