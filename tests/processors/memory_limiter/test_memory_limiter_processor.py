"""The memory_limiter: when it refuses, what it counts, and what it takes for all the memory there is."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from spanmill.errors import Busy
from spanmill.names import Kind
from spanmill.pipeline import Gate
from spanmill.processors.memory_limiter.config import MemoryLimiterProcessorConfig
from spanmill.processors.memory_limiter.memory import give_back, total_bytes
from spanmill.processors.memory_limiter.processor import MemoryLimiterProcessor
from spanmill.processors.memory_limiter.watch import Limits, Watch, limits
from tests.data import spans
from tests.exporters.hosts import NO_HOST
from tests.processors.building import settings

MIB = 1024 * 1024


class Memory:
    """Resident memory that a test sets, and what giving back takes off it."""

    def __init__(self, held: float, freed: float = 0) -> None:
        self.held, self.freed, self.given_back = held, freed, 0

    def read(self) -> float:
        return self.held

    def give_back(self) -> None:
        self.given_back += 1
        self.held -= self.freed

    def watch(self, soft: int = 80, hard: int = 100) -> Watch:
        return Watch(Limits(soft, hard), self.read, self.give_back)


def config(**body: Any) -> MemoryLimiterProcessorConfig:
    return MemoryLimiterProcessorConfig.model_validate({"check_interval": "1s", **body})


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"limit_mib": 100}, Limits(80 * MIB, 100 * MIB)),
        ({"limit_mib": 100, "spike_limit_mib": 30}, Limits(70 * MIB, 100 * MIB)),
        ({"limit_percentage": 50}, Limits(400 * MIB, 500 * MIB)),
        ({"limit_percentage": 50, "spike_limit_percentage": 30}, Limits(200 * MIB, 500 * MIB)),
        ({"limit_mib": 100, "limit_percentage": 50}, Limits(80 * MIB, 100 * MIB)),
    ],
)
def test_limits_are_the_collectors(body: dict[str, Any], expected: Limits) -> None:
    assert limits(config(**body), total=1000 * MIB) == expected


def test_it_refuses_above_the_soft_limit_and_takes_again_below() -> None:
    memory = Memory(held=80)
    watch = memory.watch()
    states = []
    for now, held in enumerate((80, 81, 120, 80)):
        memory.held = held
        watch.look(float(now))
        states.append(watch.refusing)
    assert states == [False, True, True, False]


def test_memory_is_given_back_before_anything_is_refused() -> None:
    memory = Memory(held=90, freed=20)
    watch = memory.watch()
    watch.look(0.0)
    assert (memory.given_back, watch.refusing, watch.held) == (1, False, 70)


def test_below_the_hard_limit_it_gives_back_every_ten_seconds_at_most() -> None:
    memory = Memory(held=500, freed=40)
    watch = memory.watch(soft=100, hard=1000)
    for now in range(21):
        watch.look(float(now))
    assert memory.given_back == 3


def test_above_the_hard_limit_it_gives_back_at_every_look_while_that_helps() -> None:
    memory = Memory(held=1000, freed=100)
    watch = memory.watch()
    for now in range(5):
        watch.look(float(now))
    assert memory.given_back == 5


def test_giving_back_that_frees_nothing_is_tried_less_and_less_often() -> None:
    memory = Memory(held=1000)
    watch = memory.watch()
    tried = []
    for now in range(200):
        before = memory.given_back
        watch.look(float(now))
        if memory.given_back > before:
            tried.append(now)
    assert tried == [0, 1, 3, 7, 15, 31, 63, 123, 183]


async def test_it_refuses_before_decoding_and_counts_what_it_refuses_after() -> None:
    chosen = settings(Kind.PROCESSORS, "memory_limiter")
    limiter = MemoryLimiterProcessor(config(limit_mib=1), chosen)
    assert isinstance(limiter, Gate)
    limiter.check()
    assert limiter(batch := spans(3)) is batch
    await limiter.start(NO_HOST)
    try:
        with pytest.raises(Busy, match="memory is short: more than 0 MiB are in use") as raised:
            limiter.check()
        assert raised.value.retry_after == 1.0
        with pytest.raises(Busy):
            limiter(spans(4))
    finally:
        await limiter.stop()
        await limiter.stop()
    counted = chosen.metrics.value
    assert counted("otelcol_processor_memory_limiter_accepted_spans", processor="memory_limiter") == 3
    assert counted("otelcol_processor_memory_limiter_refused_spans", processor="memory_limiter") == 4


async def test_it_looks_again_by_itself() -> None:
    limiter = MemoryLimiterProcessor(config(limit_mib=100_000, check_interval="1ms"), settings(Kind.PROCESSORS, "m"))
    looked = asyncio.Event()
    loop = asyncio.get_running_loop()
    reads = 0

    def read() -> float:
        nonlocal reads
        reads += 1
        if reads == 3:
            loop.call_soon_threadsafe(looked.set)
        return 0.0

    limiter.watch = Watch(Limits(1, 2), read, lambda: None)
    await limiter.start(NO_HOST)
    await asyncio.wait_for(looked.wait(), 5)
    await limiter.stop()


@pytest.mark.parametrize(
    ("membership", "files", "expected"),
    [
        ("0::/", {"memory.max": "1000\n"}, 1000),
        ("0::/a/b", {"a/b/memory.max": "max\n", "a/memory.max": "5000\n"}, 5000),
        ("0::/unknown", {"memory.max": "7000\n"}, 7000),
        ("4:cpu,memory:/docker/x\n0::/", {"memory/docker/x/memory.limit_in_bytes": "3000\n"}, 3000),
    ],
)
def test_a_containers_limit_is_all_the_memory_there_is(
    tmp_path: Path, membership: str, files: dict[str, str], expected: int
) -> None:
    for name, content in files.items():
        (tmp_path / "cgroup" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "cgroup" / name).write_text(content)
    (tmp_path / "membership").write_text(membership)
    assert total_bytes(tmp_path / "cgroup", tmp_path / "membership") == expected


def test_without_control_groups_it_is_the_machines(tmp_path: Path) -> None:
    assert total_bytes(tmp_path, tmp_path / "nothing") > 64 * MIB


def test_giving_back_is_harmless() -> None:
    batch = spans(10)
    give_back()
    assert len(batch) == 10
