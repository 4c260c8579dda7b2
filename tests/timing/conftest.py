"""Every test in this folder runs in a loop whose clock jumps, and most with both kinds of journal."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest

from tests.deliveries import Engine
from tests.timing.jumping_loop import JumpingLoop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"jumping": JumpingLoop}


@pytest.fixture(params=[False, True], ids=["memory", "disk"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Engine]:
    engine = Engine(tmp_path, durable=request.param)
    yield engine
    await engine.stop()
    assert engine.faults == []
