"""What budgets count and show: exact over crashes, by period and value, whatever comes late or in masses."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanmill.component import Position
from spanmill.errors import Busy, StartError
from spanmill.periods import Calendar
from spanmill.signal import Signal
from tests.data import spans
from tests.journal.harness import FaultyDisk
from tests.processors.llm_cost.budgets.calls import (
    CALLS,
    DAY,
    HOUR,
    NOW,
    Call,
    batch,
    budgets,
    by_hand,
    sums_of,
)
from tests.processors.llm_cost.budgets.running import Clock, Run, running
from tests.storage.harness import Crash

EVERYTHING = budgets(
    limits={
        "company": {"monthly_usd": 5000},
        "features": {"per": "feature", "hourly_usd": 1, "daily_usd": 2, "monthly_usd": 3},
        "users": {"per": "user", "hourly_usd": 1, "daily_usd": 2, "monthly_usd": 3},
        "models": {"per": "model", "hourly_usd": 1, "daily_usd": 2, "monthly_usd": 3},
    }
)
LABELS = ("", "feature", "user_id", "model")
STATE = Path("budgets") / "llm_cost" / "state.json"


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[list[Call]], list[tuple[int, int, str, bool]]]:
    """Records of a journal; and exports: of how many records, at which operation of the disk it is cut off and how, and
    whether the process dies once the export is done and the cursor is not moved."""
    records = draw(st.lists(st.lists(CALLS, min_size=1, max_size=4), min_size=1, max_size=8))
    how = st.sampled_from(["", "error", "before", "after", "in"])
    exports = st.tuples(st.integers(1, 3), st.integers(0, 4), how, st.booleans())
    return records, draw(st.lists(exports, max_size=10))


@given(histories())
async def test_every_row_is_counted_once_whatever_is_cut_off_or_crashes(
    history: tuple[list[list[Call]], list[tuple[int, int, str, bool]]],
) -> None:
    records, exports = history
    with TemporaryDirectory() as directory:
        disk, cursor = FaultyDisk(), 0
        run = await Run(EVERYTHING, Path(directory), disk=disk).start()
        for count, fail_at, how, dies in [*exports, *[(1, 0, "", False)] * len(records)]:
            part = [call for record in records[cursor : cursor + count] for call in record]
            if not part:
                break
            position = Position("j", cursor + 1, min(cursor + count, len(records)))
            disk.fail_at, disk.crash = (fail_at, "" if how == "error" else how) if how else (None, "")
            disk.last = fail_at
            disk.arm()
            crashed = False
            try:
                await run.consumer.export(batch(part), position)
            except Busy:
                pass
            except Crash:
                crashed = True
            else:
                cursor = cursor if dies else position.last
            if crashed or dies:
                run.die()
                disk = FaultyDisk()
                run = await Run(EVERYTHING, Path(directory), disk=disk).start()
                cursor = max(cursor, await run.consumer.committed("j", Signal.TRACES) or 0)
        while cursor < len(records):
            disk.fail_at = None
            await run.consumer.export(batch(records[cursor]), Position("j", cursor + 1, cursor + 1))
            cursor += 1
        assert sums_of(run.tally) == by_hand([c for r in records for c in r], LABELS, Calendar("UTC"))
        run.die()


async def test_spent_and_limit_are_gauges_by_budget_period_and_value(tmp_path: Path) -> None:
    config = budgets(
        limits={
            "company": {"hourly_usd": 10, "daily_usd": 100},
            "features": {"per": "feature", "daily_usd": 5, "exceptions": {"chat": {"daily_usd": 7, "monthly_usd": 70}}},
        }
    )
    async with running(config, tmp_path) as run:
        assert run.values("llm_budget_spent_usd") == {
            ("company", "hour", ""): 0,
            ("company", "day", ""): 0,
            ("features", "day", "chat"): 0,
            ("features", "month", "chat"): 0,
        }
        await run.export(
            [Call("1.25", feature="search"), Call("2", feature="chat"), Call("4", at=NOW - HOUR), Call(None)]
        )
        assert run.values("llm_budget_spent_usd") == {
            ("company", "hour", ""): 3.25,
            ("company", "day", ""): 7.25,
            ("features", "day", "search"): 1.25,
            ("features", "day", ""): 4,
            ("features", "day", "chat"): 2,
            ("features", "month", "chat"): 2,
        }
        assert run.values("llm_budget_limit_usd") == {
            ("company", "hour", ""): 10,
            ("company", "day", ""): 100,
            ("features", "day", "search"): 5,
            ("features", "day", ""): 5,
            ("features", "day", "chat"): 7,
            ("features", "month", "chat"): 70,
        }
        assert run.values("llm_budget_unpriced_calls")["company", "hour", ""] == 1


async def test_a_new_period_begins_at_zero_without_any_traffic(tmp_path: Path) -> None:
    clock = Clock()
    async with running(budgets(limits={"b": {"daily_usd": 9, "monthly_usd": 9}}), tmp_path, clock) as run:
        await run.export([Call("3")])
        clock.time += DAY
        assert run.values("llm_budget_spent_usd") == {("b", "day", ""): 0, ("b", "month", ""): 3}
        clock.time += 31 * DAY
        assert run.values("llm_budget_spent_usd") == {("b", "day", ""): 0, ("b", "month", ""): 0}


async def test_a_day_is_that_of_the_time_zone(tmp_path: Path) -> None:
    config = budgets(limits={"b": {"daily_usd": 9}}, timezone="Asia/Seoul")  # it is 17:53 there
    async with running(config, tmp_path) as run:
        await run.export([Call("1", at=NOW - 17 * HOUR), Call("2", at=NOW - 18 * HOUR)])
        assert run.values("llm_budget_spent_usd") == {("b", "day", ""): 1}


async def test_calls_of_long_ago_and_of_the_future_are_counted_as_ignored(tmp_path: Path) -> None:
    async with running(EVERYTHING, tmp_path) as run:
        await run.export([Call(at=NOW - 100 * DAY), Call(at=NOW + 3 * DAY), Call(at=NOW + 300 * 365 * DAY), Call("2")])
        assert run.metrics.value("llm_budget_ignored_calls", reason="late") == 1
        assert run.metrics.value("llm_budget_ignored_calls", reason="early") == 1
        assert run.values("llm_budget_spent_usd")["company", "month", ""] == 3  # one has no time that OTLP knows: now


async def test_values_beyond_the_limit_are_summed_up_as_other(tmp_path: Path) -> None:
    config = budgets(limits={"users": {"per": "user", "daily_usd": 1}}, max_values=2, thresholds=[100])
    async with running(config, tmp_path) as run:
        await run.export([Call("3", user=f"user {number}") for number in range(5)])
        await run.export([Call("1", user="user 4"), Call("1", user="user 0")])
        spent = run.values("llm_budget_spent_usd")
        assert len(spent) == 3
        assert spent["users", "day", "other"] == 10
        assert ("users", "day", "other") not in run.values("llm_budget_limit_usd")
        assert run.metrics.value("llm_budget_overflowed_calls", label="user_id") == 4
        assert len(run.events("warning")) == 2


async def test_values_that_nobody_uses_any_more_make_room_for_others(tmp_path: Path) -> None:
    clock = Clock()
    config = budgets(limits={"users": {"per": "user", "daily_usd": 1}}, max_values=1)
    async with running(config, tmp_path, clock) as run:
        await run.export([Call(user="ada")])
        clock.time += 5 * DAY
        await run.export([Call(user="bob", at=clock.time), Call(user="ada", at=clock.time)])
        assert {scope.value for scope in run.tally.scopes if scope.label} == {"bob", "other"}


async def test_growth_is_the_last_day_over_the_day_before(tmp_path: Path) -> None:
    clock = Clock(NOW - NOW % HOUR)
    config = budgets(limits={"features": {"per": "feature", "daily_usd": 1}})
    async with running(config, tmp_path, clock) as run:
        await run.export(
            [Call("2", at=clock.time - 30 * HOUR, feature="a"), Call("3", at=clock.time - HOUR, feature="a")]
        )
        await run.export([Call("1", at=clock.time - HOUR, feature="new")])
        assert run.values("llm_cost_day_over_day_ratio") == {("", ""): 2.0, ("feature", "a"): 1.5}
        clock.time += 23 * HOUR + HOUR // 2  # half of what was spent in an hour is more than a day ago by now
        ratios = run.values("llm_cost_day_over_day_ratio")
        assert ratios["feature", "a"] == pytest.approx(1.5 / 1.5)


async def test_sums_outlive_a_restart_and_other_limits(tmp_path: Path) -> None:
    async with running(budgets(limits={"b": {"daily_usd": 10}}), tmp_path) as run:
        await run.export([Call("4", feature="a")])
        assert await run.consumer.committed("j", Signal.TRACES) == 1
    config = budgets(limits={"other name": {"monthly_usd": 99}, "f": {"per": "feature", "daily_usd": 9}})
    async with running(config, tmp_path) as run:
        assert await run.consumer.committed("j", Signal.TRACES) == 1
        assert await run.consumer.committed("another", Signal.TRACES) is None
        assert run.values("llm_budget_spent_usd") == {("other name", "month", ""): 4}
        await run.export([Call("1", feature="a")], first=2)
        assert run.values("llm_budget_spent_usd")["f", "day", "a"] == 1


async def test_records_that_are_in_the_sums_are_not_added_again(tmp_path: Path) -> None:
    async with running(EVERYTHING, tmp_path) as run:
        await run.export([Call("4")], first=7)
        await run.export([Call("4")], first=7)
        await run.export([Call("4")], journal="another", first=7)
        assert run.values("llm_budget_spent_usd")["company", "month", ""] == 8


async def test_batches_without_calls_write_nothing(tmp_path: Path) -> None:
    async with running(EVERYTHING, tmp_path) as run:
        before = (tmp_path / STATE).stat().st_mtime_ns
        await run.consumer.export(spans(3), Position("j", 1, 1))
        assert (tmp_path / STATE).stat().st_mtime_ns == before


@pytest.mark.parametrize("damage", [b"", b"{}", b"\0" * 99, b'{"format":1,"crc32":5}\n{}\n', b"[1]\n"])
async def test_a_damaged_state_file_is_told_kept_and_begins_at_zero(tmp_path: Path, damage: bytes) -> None:
    async with running(EVERYTHING, tmp_path) as run:
        await run.export([Call("4")])
    (tmp_path / STATE).write_bytes(damage)
    async with running(EVERYTHING, tmp_path) as run:
        assert run.values("llm_budget_spent_usd")["company", "month", ""] == 0
        assert "damaged" in run.events("error")[0]
        await run.export([Call("1")], first=2)
    (aside,) = (tmp_path / STATE).parent.glob("*.corrupt-*")
    assert aside.read_bytes() == damage
    async with running(EVERYTHING, tmp_path) as run:
        assert run.values("llm_budget_spent_usd")["company", "month", ""] == 1


async def test_every_changed_byte_of_the_state_file_is_noticed(tmp_path: Path) -> None:
    async with running(EVERYTHING, tmp_path) as run:
        await run.export([Call("4", feature="a")])
    good = (tmp_path / STATE).read_bytes()
    for place in range(good.index(b"\n") + 1, len(good) - 1, 31):
        (tmp_path / STATE).write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        async with running(EVERYTHING, tmp_path) as run:
            assert run.events("error")


async def test_a_state_file_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / STATE).parent.mkdir(parents=True)
    (tmp_path / STATE).write_text('{"format":2,"crc32":0}\n{}\n')
    run = Run(EVERYTHING, tmp_path)
    with pytest.raises(StartError, match="later version"):
        await run.start()
    assert (tmp_path / STATE).read_text().startswith('{"format":2')


async def test_a_directory_belongs_to_one_processor(tmp_path: Path) -> None:
    async with running(EVERYTHING, tmp_path):
        with pytest.raises(StartError, match="in use by another"):
            await Run(EVERYTHING, tmp_path).start()


async def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    config = budgets(limits={"b": {"daily_usd": 1}}, directory=str(tmp_path / "file" / "below"))
    with pytest.raises(StartError, match=r"llm_cost: .*file: .*`budgets.directory`"):
        await Run(config, tmp_path).start()
