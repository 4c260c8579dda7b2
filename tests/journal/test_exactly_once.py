"""A crash or an error at every operation of a journal and of the stores behind it: each row is stored exactly once."""

import errno
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from spanmill.errors import StartError
from spanmill.storage import exporter as exporter_module
from tests.journal.collector import Collector, in_duckdb, in_parquet
from tests.journal.harness import FaultyDisk, die_with, hurried

NUMBERS = range(1, 8)
LONG = pytest.mark.torture
pytestmark = pytest.mark.timeout(3600)
Failure = Callable[[int], FaultyDisk]

CRASHES: dict[str, Failure] = {
    "before": lambda at: FaultyDisk(at, crash="before"),
    "in the middle": lambda at: FaultyDisk(at, crash="in"),
    "after": lambda at: FaultyDisk(at, crash="after"),
}
ERRORS: dict[str, Failure] = {
    "full disk once": FaultyDisk,
    "fault once": lambda at: FaultyDisk(at, error=errno.EIO),
    "full disk for a while": lambda at: FaultyDisk(at, last=at + 20),
}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk seldom has room again at once; these do."""
    monkeypatch.setattr(exporter_module, "_RETRY_AFTER_SECONDS", 0.005)


async def live(it: Collector, disk: FaultyDisk) -> None:
    disk.arm()
    await it.start()
    await it.send(NUMBERS[:3])
    await it.delivered()
    await it.send(NUMBERS)
    await it.delivered()
    await it.stop()


async def check(directory: Path, acknowledged: set[int]) -> None:
    """With a sound disk: start again, send what was not acknowledged, deliver everything."""
    it = Collector(directory, FaultyDisk())
    it.acknowledged = set(acknowledged)
    await it.start()
    await it.send(NUMBERS)
    await it.delivered()
    await it.stop()
    assert it.faults == []
    assert in_parquet(directory) == Counter(NUMBERS)
    assert in_duckdb(directory) == Counter(NUMBERS)


async def operations(directory: Path) -> int:
    disk = FaultyDisk()
    await live(Collector(directory, disk), disk)
    assert disk.count
    return disk.count


async def crash_at(directory: Path, disk: FaultyDisk) -> None:
    it = Collector(directory, disk)
    error = await die_with(disk, live(it, disk))
    if disk.crashed.is_set():
        await it.abandon()
    elif error is not None:
        raise error
    await check(directory, it.acknowledged)


async def fail_at(directory: Path, disk: FaultyDisk) -> None:
    it = Collector(directory, disk)
    try:
        await live(it, disk)
    except StartError:
        await it.abandon()
    await check(directory, it.acknowledged)


async def test_a_crash_at_an_operation_of_journal_or_store_repeats_and_loses_no_row(tmp_path: Path) -> None:
    """Some of them; the long suite takes all."""
    with hurried():
        for at in range(0, await operations(tmp_path / "counted"), 31):
            await crash_at(tmp_path / str(at), CRASHES["in the middle"](at))


@LONG
@pytest.mark.parametrize("name", CRASHES)
async def test_a_crash_at_every_operation_of_journal_and_stores_repeats_and_loses_no_row(
    tmp_path: Path, name: str
) -> None:
    with hurried():
        for at in range(await operations(tmp_path / "counted") + 10):
            await crash_at(tmp_path / str(at), CRASHES[name](at))


@LONG
@pytest.mark.parametrize("name", ERRORS)
async def test_an_error_at_every_operation_of_journal_and_stores_repeats_and_loses_no_row(
    tmp_path: Path, name: str
) -> None:
    with hurried():
        for at in range(await operations(tmp_path / "counted") + 10):
            await fail_at(tmp_path / str(at), ERRORS[name](at))
