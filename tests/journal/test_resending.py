"""The same request again: beside the first, after it, after a restart, after its segment is gone, when only one of two
journals has it. It is stored once."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest

from spanmill.component import Outcome, Sender
from spanmill.errors import Busy
from spanmill.intake import SignalIntake
from spanmill.journal import digest
from spanmill.journal.committer import Policy
from spanmill.names import ComponentId, PipelineId
from spanmill.pipeline import Pipeline
from spanmill.signal import Signal
from spanmill.telemetry.logs import component_log
from spanmill.telemetry.metrics import Metrics
from spanmill.utilization import Utilization
from tests.data import span_ids, traces
from tests.deliveries import until
from tests.journal.harness import SEGMENT_BYTES, TRACES, FaultyDisk, Opened, die_with, hurried, segments

OTHER = PipelineId(Signal.TRACES, "other")
SENDER, STRANGER = Sender("10.0.0.1"), Sender("10.0.0.2")


@pytest.fixture(autouse=True)
async def _hurried() -> AsyncIterator[None]:
    with hurried():
        yield


def payload(*numbers: int) -> bytes:
    return traces(len(numbers), first=numbers[0]).SerializeToString()


class Collector:
    """An intake in front of two pipelines, each with its journal on a disk of its own."""

    def __init__(
        self, directory: Path, *, window: float = 600.0, disks: dict[str, FaultyDisk] | None = None, split: bool = False
    ) -> None:
        disks = disks or {}
        self.opened = {
            identity: Opened(
                directory / str(identity).replace("/", "-"), disks.get(str(identity)), ("one",),
                Policy(SEGMENT_BYTES), dedup_window=window, pipeline=identity,
            )
            for identity in (TRACES, OTHER)
        }  # fmt: skip
        self.executor = ThreadPoolExecutor(1)
        self.metrics = Metrics()
        self.intake = SignalIntake(
            ComponentId("otlp"), Signal.TRACES,
            self._split() if split else [Pipeline(identity, [], it.journal) for identity, it in self.opened.items()],
            max_batch_bytes=1 << 20, dedup=window > 0, executor=self.executor, utilization=Utilization(),
            metrics=self.metrics, log=component_log("receiver", "otlp"),
        )  # fmt: skip

    def _split(self) -> list[Pipeline]:
        """Two pipelines without exporters, connected to one."""
        ways = [Pipeline(PipelineId(Signal.TRACES, name), [], None) for name in ("left", "right")]
        for way in ways:
            way.connected = (Pipeline(TRACES, [], self.opened[TRACES].journal),)
        return ways

    async def __aenter__(self) -> Self:
        for it in self.opened.values():
            await it.start()
            await it.quiet()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.intake.drain()
        self.executor.shutdown()
        for it in self.opened.values():
            await it.journal.stop()

    async def send(self, *numbers: int, sender: Sender = SENDER) -> Outcome:
        return await self.intake.submit(payload(*numbers), "grpc", sender)

    def stored(self, identity: PipelineId = TRACES) -> list[int]:
        """The ids in a journal, for a consumer that has had nothing."""
        reader = self.opened[identity].readers["one"]
        return [number for record in iter(reader.read, None) for number in span_ids(record.load())]

    @property
    def duplicates(self) -> float:
        return self.metrics.value("spanmill_intake_duplicate_requests")


async def test_the_same_request_sent_many_times_at_once_is_stored_once_and_answered_every_time(tmp_path: Path) -> None:
    async with Collector(tmp_path) as it:
        answers = await asyncio.gather(*(it.send(1, 2) for _ in range(20)))
        assert answers == [Outcome(2)] * 20
        assert it.stored(TRACES) == it.stored(OTHER) == [1, 2]
        assert it.duplicates == 19


async def test_a_request_sent_again_after_its_answer_is_accepted_and_not_stored(tmp_path: Path) -> None:
    async with Collector(tmp_path) as it:
        await it.send(1)
        assert (await it.send(1)).rejected == 0
        await it.send(2)
        assert it.stored() == [1, 2]


async def test_the_same_bytes_of_another_sender_are_another_request(tmp_path: Path) -> None:
    async with Collector(tmp_path) as it:
        await it.send(1)
        await it.send(1, sender=STRANGER)
        assert it.stored() == [1, 1]


@pytest.mark.parametrize("consumed", [False, True])
async def test_a_request_sent_again_after_a_restart_is_not_stored_even_when_its_segment_is_gone(
    tmp_path: Path, consumed: bool
) -> None:
    async with Collector(tmp_path) as it:
        await it.send(1)
        if consumed:
            for opened in it.opened.values():
                opened.take(1, "one")
    assert (segments(tmp_path / "traces") == []) == consumed
    for _ in range(2):
        async with Collector(tmp_path) as it:
            await it.send(1)
            assert it.duplicates == 1
            assert it.stored() == ([] if consumed else [1])


async def test_after_the_window_the_same_bytes_are_a_new_request(tmp_path: Path) -> None:
    async with Collector(tmp_path, window=0.05) as it:
        await it.send(1)
        known_by = digest(SENDER.name, payload(1))
        await until(lambda: not any(opened.journal.holds(known_by) for opened in it.opened.values()))
        await it.send(1)
        assert it.stored() == [1, 1]


async def test_without_a_window_every_request_is_new(tmp_path: Path) -> None:
    async with Collector(tmp_path, window=0.0) as it:
        await it.send(1)
        await it.send(1)
        assert it.stored() == [1, 1]


async def test_a_request_that_only_one_of_two_journals_took_is_completed_by_sending_it_again(tmp_path: Path) -> None:
    disk = FaultyDisk(0, last=10**9)
    async with Collector(tmp_path, disks={str(OTHER): disk}) as it:
        disk.arm()
        with pytest.raises(Busy):
            await it.send(1)
        disk.heal()
        journal = it.opened[OTHER].journal
        await until(lambda: not journal._trouble)
        assert await it.send(1) == Outcome(1)
        assert it.stored(TRACES) == it.stored(OTHER) == [1]


@pytest.mark.parametrize("at", range(3))
async def test_a_crash_between_two_journals_is_completed_by_sending_again_after_the_restart(
    tmp_path: Path, at: int
) -> None:
    disk = FaultyDisk(at, crash="before")
    it = Collector(tmp_path, disks={str(OTHER): disk})
    await it.__aenter__()
    disk.arm()
    await die_with(disk, it.send(1, 2))
    await until(lambda: it.opened[TRACES].journal.last)
    for opened in it.opened.values():
        await opened.abandon()
    it.executor.shutdown()
    async with Collector(tmp_path) as again:
        assert (await again.send(1, 2)).rejected == 0
        assert again.stored(TRACES) == again.stored(OTHER) == [1, 2]


@pytest.mark.parametrize("crash", ["before", "in", "after"])
async def test_two_ways_into_one_journal_are_taken_together_or_not_at_all(tmp_path: Path, crash: str) -> None:
    """Pipelines that split the data and connectors that bring it together again."""
    disk = FaultyDisk(0, crash=crash)
    it = Collector(tmp_path, disks={str(TRACES): disk}, split=True)
    await it.__aenter__()
    disk.arm()
    await die_with(disk, it.send(1))
    for opened in it.opened.values():
        await opened.abandon()
    it.executor.shutdown()
    async with Collector(tmp_path, split=True) as again:
        await again.send(1)
        assert again.stored() == [1, 1]


@contextmanager
def clock_set(monkeypatch: pytest.MonkeyPatch, hours: float) -> Iterator[None]:
    """The clock of the wall, so far off; that which only ascends goes on as it was."""
    real = time.time_ns
    with monkeypatch.context() as jumped:
        jumped.setattr(time, "time_ns", lambda: real() + int(hours * 3_600e9))
        jumped.setattr(time, "time", lambda: (real() + int(hours * 3_600e9)) / 1e9)
        yield


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_clock_that_jumps_while_the_collector_runs_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hours: float
) -> None:
    async with Collector(tmp_path) as it:
        await it.send(1)
        with clock_set(monkeypatch, hours):
            await it.send(1)
            await it.send(2)
            assert it.duplicates == 1
            assert 0 <= it.opened[TRACES].value("oldest_age") < 60
            assert it.stored() == [1, 2]


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_clock_that_jumped_between_two_runs_keeps_ages_sane(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hours: float
) -> None:
    """Requests are known all the same: time in which the collector did not run does not count."""
    async with Collector(tmp_path) as it:
        await it.send(1)
    with clock_set(monkeypatch, hours):
        async with Collector(tmp_path) as it:
            age = it.opened[TRACES].value("oldest_age")
            assert 0 <= age < 60 if hours < 0 else 3_500 < age < 3_700
            await it.send(1)
            assert it.duplicates == 1
            await it.send(2)
            assert it.stored() == [1, 2]
    async with Collector(tmp_path) as it:
        await it.send(2)
        assert it.duplicates == (1 if hours > 0 else 0)
