"""No test of the receiver leaves a socket open: asyncio's warning about one comes when it is collected."""

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def nothing_left_open() -> Iterator[None]:
    yield
    gc.collect()
