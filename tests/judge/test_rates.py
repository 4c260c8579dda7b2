"""Requests under way, and in a minute."""

import asyncio

from hypothesis import example, given
from hypothesis import strategies as st

from spanmill.judge.rates import Pace, Rates


@given(st.lists(st.floats(0, 30), max_size=60), st.integers(1, 8))
@example(
    [
        28.446362153175546,
        0,
        25.847311832454803,
        1.9323547469240703,
        1.1590475127975155,
        13.274697752591045,
        14.083731747792497,
        0,
        10.90770336523331,
        19.085681940377032,
        0,
        20.955774882348294,
    ],
    3,
)
def test_no_minute_has_more_beginnings_than_allowed(gaps: list[float], per_minute: int) -> None:
    pace, now, begun = Pace(per_minute), 0.0, list[float]()
    for gap in gaps:
        now += gap
        while (seconds := pace.wait_seconds(now)) > 0:
            now += seconds
        pace.begin(now)
        begun.append(now)
    for index in range(len(begun) - per_minute):
        assert begun[index + per_minute] - begun[index] >= 60 - 1e-6


async def test_a_server_that_asks_for_fewer_gets_half_and_then_slowly_more() -> None:
    rates = Rates(8)
    async with rates.turn() as began, rates.turn() as other:
        rates.throttled(began, 0)
        rates.throttled(other, 0)  # of the same moment: the same complaint
    assert rates.limit == 4
    for _ in range(4):
        rates.answered()
    assert rates.limit in (4, 5)
    for _ in range(100):
        rates.answered()
    assert rates.limit == 8
    for _ in range(10):
        async with rates.turn() as began:
            rates.throttled(began, 0)
        await asyncio.sleep(0)
    assert rates.limit == 1


async def test_no_more_are_under_way_than_the_limit_and_none_in_a_pause() -> None:
    rates, most = Rates(3), 0

    async def one() -> None:
        nonlocal most
        async with rates.turn():
            most = max(most, rates.under_way)
            await asyncio.sleep(0.001)

    await asyncio.gather(*(one() for _ in range(12)))
    assert most == 3
    loop = asyncio.get_running_loop()
    async with rates.turn() as began:
        rates.throttled(began, 0.05)
    paused = loop.time()
    await one()
    assert loop.time() - paused >= 0.04


async def test_one_who_gives_up_waiting_leaves_the_line() -> None:
    rates = Rates(1)
    async with rates.turn():
        waiting = [asyncio.create_task(_enter(rates)) for _ in range(2)]
        await asyncio.sleep(0)
        waiting[0].cancel()
    await waiting[1]
    assert rates.under_way == 0


async def _enter(rates: Rates) -> None:
    async with rates.turn():
        pass
