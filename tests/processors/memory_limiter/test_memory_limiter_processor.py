"""The memory_limiter: the Collector's limits, and what it counts. When it refuses is the memory guard's."""

from typing import Any

import pytest

from spanmill.errors import Busy
from spanmill.memory_guard import Limits
from spanmill.names import Kind
from spanmill.pipeline import Gate
from spanmill.processors.memory_limiter.config import MemoryLimiterProcessorConfig
from spanmill.processors.memory_limiter.processor import MemoryLimiterProcessor, limits
from spanmill.telemetry.pages import Pages
from tests.data import spans
from tests.exporters.prometheus.hosts import PageHost
from tests.memories import FakeMemory
from tests.processors.building import settings

MIB = 1024 * 1024


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


async def test_it_refuses_before_decoding_and_counts_what_it_refuses_after() -> None:
    chosen = settings(Kind.PROCESSORS, "memory_limiter")
    limiter = MemoryLimiterProcessor(config(limit_mib=1), chosen)
    assert isinstance(limiter, Gate)
    limiter.check()
    assert limiter(batch := spans(3)) is batch
    await limiter.start(PageHost(Pages()))
    try:
        with pytest.raises(Busy, match="memory is short") as raised:
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


async def test_while_it_runs_receivers_are_told_how_much_memory_there_is() -> None:
    host, memory = PageHost(Pages()), FakeMemory(held=101 * MIB)
    limiter = MemoryLimiterProcessor(config(limit_mib=100), settings(Kind.PROCESSORS, "memory_limiter"))
    memory.put_into(limiter.guard)
    await limiter.start(host)
    try:
        with host.admission.hold("sender") as held, pytest.raises(Busy, match="101 MiB are in use, of 80 allowed"):
            held.add(1)
    finally:
        await limiter.stop()
    with host.admission.hold("sender") as held:
        held.add(1)


async def test_the_pipelines_share_one_guard_until_the_last_is_stopped() -> None:
    host = PageHost(Pages())
    first, second = (
        MemoryLimiterProcessor(config(limit_mib=100_000), settings(Kind.PROCESSORS, "memory_limiter")) for _ in range(2)
    )
    for limiter in (first, second):
        await limiter.start(host)
    assert host.admission.rooms == [first.guard] == [second.guard]
    for limiter in (first, first, second, second):
        await limiter.stop()
        assert len(host.admission.rooms) == (limiter is first)
