"""That what only a collection frees is freed, soon, and seldom looked for."""

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from spanmill.garbage import collect_until


class Itself:
    """Garbage as soon as nobody else holds it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


async def test_garbage_is_freed_although_nothing_happens() -> None:
    ended, freed = asyncio.Event(), asyncio.Event()
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        tasks.create_task(collect_until(ended, seconds=0.01))
        await asyncio.sleep(0)
        weakref.finalize(Itself(), freed.set)
        await freed.wait()
        ended.set()


async def test_garbage_is_looked_for_again_where_starting_had_ended_that() -> None:
    ended = asyncio.Event()
    ended.set()
    gc.disable()
    await collect_until(ended)
    assert gc.isenabled()


async def test_ten_thousand_objects_are_no_reason_to_look() -> None:
    ended = asyncio.Event()
    ended.set()
    await collect_until(ended)
    looked = gc.get_stats()[0]["collections"]
    kept = [[number] for number in range(10_000)]
    assert gc.get_stats()[0]["collections"] == looked
    assert kept
