"""Deliveries to real servers, with both kinds of journal."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.deliveries import Engine


@pytest.fixture(params=[False, True], ids=["memory", "disk"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Engine]:
    engine = Engine(tmp_path, durable=request.param)
    yield engine
    await engine.stop()
    assert engine.faults == []
