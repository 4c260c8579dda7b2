"""The memory guard: when it refuses, when it gives memory back, and how much room it leaves for requests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from spanmill.errors import Busy
from spanmill.memory_guard import Limits, MemoryGuard, ShortOfMemory, guard_of_group
from spanmill.otlp.weight import DECODED_PER_BYTE
from spanmill.telemetry.pages import Pages
from tests.exporters.prometheus.hosts import PageHost
from tests.logs import CapturedLog
from tests.memories import FakeMemory

MIB = 1024 * 1024


@asynccontextmanager
async def running(memory: FakeMemory, interval_seconds: float = 3600.0) -> AsyncIterator[tuple[MemoryGuard, PageHost]]:
    """A guard of 80 and 100 MiB that looks only when it is asked to, unless told otherwise."""
    guard, host = MemoryGuard(Limits(80 * MIB, 100 * MIB), CapturedLog(), interval_seconds), PageHost(Pages())
    host.admission.max_bytes = 1000 * MIB
    memory.put_into(guard)
    await guard.start(host)
    try:
        yield guard, host
    finally:
        await guard.stop()
        assert host.admission.rooms == []


def taken(host: PageHost, sender: str, size: int = 1) -> bool:
    with host.admission.hold(sender) as held:
        try:
            held.add(size)
        except ShortOfMemory:
            return False
        return True


def noticed(guard: MemoryGuard, memory: FakeMemory, held: float) -> None:
    memory.held = held
    guard.watch.glance(float("inf"))


def test_it_is_short_above_the_soft_limit_and_takes_again_below() -> None:
    memory = FakeMemory(held=80)
    watch = memory.watch()
    states = []
    for now, held in enumerate((80, 81, 120, 80)):
        memory.held = held
        watch.look(float(now))
        states.append(watch.is_short)
    assert states == [False, True, True, False]


def test_memory_is_given_back_before_anything_is_refused() -> None:
    memory = FakeMemory(held=90, freed=20)
    watch = memory.watch()
    watch.look(0.0)
    assert (memory.given_back, watch.is_short, watch.held) == (1, False, 70)


def test_below_the_soft_limit_nothing_is_given_back() -> None:
    memory = FakeMemory(held=80)
    memory.watch().look(0.0)
    assert memory.given_back == 0


def test_it_gives_back_every_second_while_that_helps() -> None:
    memory = FakeMemory(held=10_000, freed=600)
    watch = memory.watch()
    for tenth in range(50):
        watch.look(tenth / 10)
    assert memory.given_back == 5


def test_giving_back_that_frees_nothing_is_tried_less_often_and_never_given_up() -> None:
    memory = FakeMemory(held=1000)
    watch = memory.watch()
    tried = []
    for now in range(20):
        before = memory.given_back
        watch.look(float(now))
        if memory.given_back > before:
            tried.append(now)
    assert tried == [0, 2, 6, 10, 14, 18]


def test_a_glance_reads_ten_times_a_second_at_most() -> None:
    memory = FakeMemory()
    watch = memory.watch()
    for hundredth in range(100):
        watch.glance(hundredth / 100)
    assert 9 <= memory.reads <= 10


async def test_a_burst_between_two_looks_is_noticed() -> None:
    memory = FakeMemory(held=50 * MIB)
    async with running(memory) as (guard, host):
        assert taken(host, "a")
        noticed(guard, memory, 101 * MIB)
        assert not taken(host, "a")


async def test_short_memory_is_given_back_at_once() -> None:
    memory = FakeMemory(held=50 * MIB, freed=90 * MIB)
    async with running(memory) as (guard, host):
        noticed(guard, memory, 110 * MIB)
        assert not taken(host, "a")
        async with asyncio.timeout(5):
            while guard.watch.is_short:
                await asyncio.sleep(0)
        assert memory.given_back == 1
        assert taken(host, "a")


async def test_between_the_limits_those_are_refused_that_sent_much_lately() -> None:
    memory = FakeMemory(held=20 * MIB)
    async with running(memory) as (guard, host):
        assert taken(host, "much", 5 * MIB)
        assert taken(host, "little", 1000)
        noticed(guard, memory, 90 * MIB)
        assert not taken(host, "much", 1000)
        assert taken(host, "little", 1000)
        assert taken(host, "new", 1000)
        guard.check()


async def test_above_the_hard_limit_everybody_is_refused() -> None:
    memory = FakeMemory(held=20 * MIB)
    async with running(memory) as (guard, host):
        noticed(guard, memory, 101 * MIB)
        with (
            host.admission.hold("new") as held,
            pytest.raises(ShortOfMemory, match="memory is short: 101 MiB are in use, of 80 allowed"),
        ):
            held.add(1)
        with pytest.raises(ShortOfMemory):
            guard.check()
        assert host.admission.in_flight_bytes == 0


async def test_admission_lets_in_what_memory_has_room_for_decoded() -> None:
    memory = FakeMemory(held=20 * MIB)
    async with running(memory) as (_, host):
        room = 80 * MIB // DECODED_PER_BYTE
        with host.admission.hold("a") as first, host.admission.hold("b") as second:
            first.add(room // 2)
            with pytest.raises(Busy, match="bytes are in flight"):
                second.add(room)
            second.add(room // 2)


async def test_it_says_once_that_memory_is_short_and_once_that_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spanmill.memory_guard._CALM_SECONDS", 0.05)
    memory = FakeMemory(held=90 * MIB)
    async with running(memory, interval_seconds=0.001) as (guard, _):
        log = guard._log
        assert isinstance(log, CapturedLog)
        async with asyncio.timeout(5):
            for held in (10, 90, 10):
                memory.held, reads = held * MIB, memory.reads
                while memory.reads < reads + 2:
                    await asyncio.sleep(0)
            while len(log.entries) < 2:
                await asyncio.sleep(0)
    said = [(entry["log_level"], entry["held_mib"], entry["soft_limit_mib"]) for entry in log.entries]
    assert said == [("warning", 90, 80), ("info", 10, 80)]


async def test_guards_of_the_same_limits_are_one() -> None:
    memory = FakeMemory()
    async with running(memory) as (guard, host):
        same = MemoryGuard(guard.watch.limits, CapturedLog()).running(host)
        assert same is guard
        await same.start(host)
        await same.stop()
        assert host.admission.rooms == [guard]
        other = MemoryGuard(Limits(1, 2), CapturedLog())
        assert other.running(host) is other


async def test_a_guard_that_is_not_running_refuses_nothing() -> None:
    MemoryGuard(Limits(0, 0), CapturedLog()).check()


async def test_a_guard_that_dies_is_reported() -> None:
    memory = FakeMemory(held=90)
    guard, host = MemoryGuard(Limits(80, 100), CapturedLog(), 0.001), PageHost(Pages())
    died = asyncio.get_running_loop().create_future()
    host.report_fatal = died.set_result  # type: ignore[method-assign,assignment]
    memory.put_into(guard)
    await guard.start(host)
    memory.read = lambda: 1 / 0  # type: ignore[method-assign]
    memory.put_into(guard)
    assert isinstance(await asyncio.wait_for(died, 5), ZeroDivisionError)
    await guard.stop()


def test_the_guard_of_a_control_group_takes_a_share_of_its_limit() -> None:
    guard = guard_of_group(90, CapturedLog(), lambda: 1000)
    assert guard is not None
    assert guard.watch.limits == Limits(810, 900)


@pytest.mark.parametrize(("percentage", "limit"), [(0, 1000), (90, None)])
def test_without_a_limit_or_a_percentage_nothing_is_guarded(percentage: int, limit: int | None) -> None:
    assert guard_of_group(percentage, CapturedLog(), lambda: limit) is None
