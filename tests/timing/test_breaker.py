"""The breaker by itself, on a clock that jumps."""

import asyncio

import pytest

from spanmill.breaker import FAILURES_TO_OPEN, Breaker


def now() -> float:
    return asyncio.get_running_loop().time()


def opened(cool_down: float = 30.0) -> Breaker:
    breaker = Breaker()
    for _ in range(FAILURES_TO_OPEN):
        breaker.failed("down", cool_down)
    return breaker


async def test_it_opens_after_so_many_failures_in_a_row_and_not_before() -> None:
    breaker = Breaker()
    for _ in range(3 * FAILURES_TO_OPEN):
        breaker.failed("down", 1.0)
        breaker.failed("down", 1.0)
        breaker.answered()
    assert not breaker.is_open
    for _ in range(FAILURES_TO_OPEN):
        assert not breaker.is_open
        breaker.failed("down", 1.0)
    assert breaker.is_open
    assert (breaker.reason, breaker.failing_since) == ("down", now())


async def test_while_it_is_closed_everybody_may_call_at_once() -> None:
    breaker, began = Breaker(), now()
    async with breaker.turn() as first, breaker.turn() as second:
        assert (first, second) == (False, False)
    assert now() == began


async def test_a_probe_waits_for_the_end_of_the_cool_down() -> None:
    breaker, began = opened(30.0), now()
    async with breaker.turn() as probe:
        assert probe
        assert now() - began == pytest.approx(30.0)


async def test_one_probe_at_a_time_and_each_failure_begins_the_next_cool_down() -> None:
    breaker, began, probes, under_way = opened(10.0), now(), list[float](), 0

    async def call() -> None:
        nonlocal under_way
        async with breaker.turn() as probe:
            under_way += 1
            assert probe
            assert under_way == 1
            await asyncio.sleep(1.0)
            probes.append(now() - began)
            breaker.failed("down", 20.0)
            under_way -= 1

    await asyncio.gather(*(call() for _ in range(3)))
    assert probes == pytest.approx([11.0, 32.0, 53.0])


async def test_a_probe_that_is_answered_lets_all_others_through_at_once() -> None:
    breaker, through = opened(10.0), list[tuple[bool, float]]()

    async def call() -> None:
        async with breaker.turn() as probe:
            through.append((probe, now()))
            breaker.answered()

    await asyncio.gather(*(call() for _ in range(4)))
    assert [probe for probe, _ in through] == [True, False, False, False]
    assert len({moment for _, moment in through}) == 1
    assert (breaker.reason, breaker.failing_since) == ("", None)


async def test_an_answer_to_somebody_who_was_under_way_already_ends_the_cool_down() -> None:
    breaker, began = opened(3600.0), now()
    asyncio.get_running_loop().call_later(5.0, breaker.answered)
    async with breaker.turn() as probe:
        assert not probe
        assert now() - began == pytest.approx(5.0)


async def test_hurry_ends_the_cool_down_under_way_and_not_the_next() -> None:
    breaker, began = opened(3600.0), now()
    breaker.hurry()
    async with breaker.turn() as probe:
        assert probe
        assert now() == began
        breaker.failed("down", 7.0)
    async with breaker.turn() as probe:
        assert probe
        assert now() - began == pytest.approx(7.0)


async def test_a_probe_that_is_cancelled_leaves_the_line_to_the_next() -> None:
    breaker = opened(10.0)

    async def call() -> bool:
        async with breaker.turn() as probe:
            return probe

    first, second = asyncio.create_task(call()), asyncio.create_task(call())
    await asyncio.sleep(1.0)
    first.cancel()
    assert await second
    await asyncio.gather(first, return_exceptions=True)
