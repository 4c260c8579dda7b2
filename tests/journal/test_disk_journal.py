"""The journal on disk, from outside: what is appended is there after a restart, in order, for whom has not had it."""

import asyncio
import shutil
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from spanmill.component import BatchPreference
from spanmill.disk import Disk
from spanmill.errors import Busy
from spanmill.journal.committer import Policy
from tests.data import spans
from tests.journal.harness import MIB, SEGMENT_BYTES, FaultyDisk, Opened, hurried, packed, request, segments


@pytest.fixture(autouse=True)
async def _hurried() -> AsyncIterator[None]:
    with hurried():
        yield


async def test_what_was_appended_is_read_after_a_restart_in_order_and_byte_equal(tmp_path: Path) -> None:
    async with Opened(tmp_path, Disk()) as it:
        await it.append(*range(1, 11))
    assert len(segments(tmp_path)) > 2
    async with Opened(tmp_path, Disk()) as it:
        assert it.rest("one") == it.rest("two") == list(range(1, 11))
        await it.append(11)
        assert it.rest("one") == [11]
        assert it.notes == []


async def test_a_consumer_continues_after_what_it_committed_and_no_other_is_touched(tmp_path: Path) -> None:
    async with Opened(tmp_path) as it:
        await it.append(*range(1, 8))
        assert it.take(5, "one") == [1, 2, 3, 4, 5]
    async with Opened(tmp_path) as it:
        assert it.rest("one") == [6, 7]
        assert it.rest("two") == list(range(1, 8))


async def test_sequences_ascend_across_restarts_even_when_nothing_is_held(tmp_path: Path) -> None:
    last = 0
    for start in range(3):
        async with Opened(tmp_path) as it:
            for number in range(start * 2 + 1, start * 2 + 3):
                sequence = await it.journal.append(packed(number))
                assert sequence == last + 1
                last = sequence
            for name in it.readers:
                it.take(2, name)
        assert segments(tmp_path) == []


async def test_a_segment_goes_when_every_consumer_has_passed_it(tmp_path: Path) -> None:
    async with Opened(tmp_path) as it:
        await it.append(*range(1, 11))
        before = segments(tmp_path)
        it.take(10, "one")
        assert await it.tidied()
        assert segments(tmp_path) == before
        it.take(4, "two")
        assert await it.tidied()
        assert segments(tmp_path) == before[1:]
        assert it.rest("two") == [5, 6, 7, 8, 9, 10]


async def test_one_sync_serves_all_that_waited(tmp_path: Path) -> None:
    disk = FaultyDisk()
    async with Opened(tmp_path, disk, policy=Policy(MIB)) as it:
        disk.arm()
        await asyncio.gather(*(it.journal.append(packed(number)) for number in range(1, 41)))
        assert disk.steps.count("sync data") < 20
        assert sorted(it.rest()) == list(range(1, 41))


async def test_a_new_consumer_begins_with_what_comes(tmp_path: Path) -> None:
    async with Opened(tmp_path, consumers=("one",)) as it:
        await it.append(1, 2)
    async with Opened(tmp_path, consumers=("one", "new")) as it:
        assert it.rest("new") == []
        await it.append(3)
        assert (it.rest("new"), it.rest("one")) == ([3], [1, 2, 3])


async def test_what_a_removed_consumer_has_not_had_is_kept_and_named(tmp_path: Path) -> None:
    async with Opened(tmp_path) as it:
        await it.append(*range(1, 8))
        it.take(7, "one")
    async with Opened(tmp_path, consumers=("one",)) as it:
        entry = next(entry for entry in it.log.entries if "consumer" in entry)
        assert (entry["consumer"], entry["items"]) == ("two", 7)
    async with Opened(tmp_path) as it:
        assert it.rest("two") == list(range(1, 8))


async def test_a_full_journal_gives_up_what_only_a_removed_consumer_wants(tmp_path: Path) -> None:
    room = packed(1).kept_bytes * 4
    async with Opened(tmp_path, max_bytes=room) as it:
        await it.append(1, 2, 3, 4)
        it.take(4, "one")
        with pytest.raises(Busy, match="allowed"):
            await it.append(5)
    async with Opened(tmp_path, consumers=("one",), max_bytes=room) as it:
        await it.append(5)
        assert it.rest("one") == [5]
        assert "given up" in it.log.entries[-1]["event"]


async def test_a_full_journal_refuses_and_takes_again_when_there_is_room(tmp_path: Path) -> None:
    async with Opened(tmp_path, max_bytes=packed(1).kept_bytes * 3, consumers=("one",)) as it:
        await it.append(1, 2, 3)
        with pytest.raises(Busy) as refused:
            await it.append(4)
        assert 0 < refused.value.retry_after <= 5
        it.take(2, "one")
        await it.append(4)
        assert it.rest("one") == [3, 4]


async def test_a_batch_larger_than_a_segment_gets_a_segment_of_its_own(tmp_path: Path) -> None:
    async with Opened(tmp_path) as it:
        await it.append(1)
        large = it.journal.pack(spans(20_000, first=2))
        assert large.kept_bytes > SEGMENT_BYTES
        await it.journal.append(large)
        await it.append(3)
    async with Opened(tmp_path) as it:
        records = list(iter(it.readers["one"].read, None))
        assert [record.items for record in records] == [1, 20_000, 1]
        assert [len(record.load()) for record in records] == [1, 20_000, 1]


async def test_what_a_consumer_that_keeps_up_gathers_is_not_read_back_from_the_disk(tmp_path: Path) -> None:
    async with Opened(tmp_path, policy=Policy(MIB)) as it:
        large = it.journal.pack(spans(10_000, first=1))
        gathered, meanwhile = BatchPreference().max_bytes // large.size, 4 * MIB // large.size
        assert gathered > meanwhile > 0
        for _ in range(gathered + meanwhile):
            await it.journal.append(large)
        for segment in segments(tmp_path):
            segment.unlink()
        records = [it.readers["one"].read() for _ in range(gathered)]
        assert [len(record.load()) for record in records if record] == [10_000] * gathered


async def test_files_are_private_and_their_space_is_taken_before_it_is_used(tmp_path: Path) -> None:
    directory = tmp_path / "journal"
    async with Opened(directory, Disk(), policy=Policy(MIB)) as it:
        await it.append(1)
        (segment,) = segments(directory)
        assert segment.stat().st_blocks * 512 >= MIB
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}
    assert segment.stat().st_size < MIB


async def test_appending_after_the_end_is_refused_and_not_left_waiting(tmp_path: Path) -> None:
    async with Opened(tmp_path) as it:
        await it.append(1)
    with pytest.raises(Busy, match="stopping"):
        await it.journal.append(packed(2))


async def test_what_waits_when_the_journal_stops_is_written(tmp_path: Path) -> None:
    it = await Opened(tmp_path).start()
    appends = [asyncio.create_task(it.journal.append(packed(number))) for number in range(1, 21)]
    await asyncio.sleep(0)
    await it.journal.stop()
    assert sorted([await append for append in appends]) == list(range(1, 21))
    async with Opened(tmp_path) as it:
        assert sorted(it.rest()) == list(range(1, 21))


async def test_stopping_twice_and_without_a_start_is_harmless(tmp_path: Path) -> None:
    it = Opened(tmp_path / "never")
    await it.journal.stop()
    assert not (tmp_path / "never").exists()
    await it.start()
    await it.journal.stop()
    await it.journal.stop()


async def test_records_beyond_the_consumers_own_position_get_later_sequences(tmp_path: Path) -> None:
    """After a power cut without fsync an exporter may hold more than its journal does."""
    async with Opened(tmp_path) as it:
        await it.append(1, 2)
        it.readers["one"].rewind(7)
        assert await it.journal.append(packed(8)) == 8
        assert it.rest("one") == [8]
        assert it.rest("two") == [1, 2, 8]
    async with Opened(tmp_path) as it:
        assert it.rest("one") == [8]


async def test_the_oldest_age_and_the_bytes_held_are_told(tmp_path: Path) -> None:
    async with Opened(tmp_path, consumers=("one",)) as it:
        assert it.value("oldest_age") == 0
        await it.append(1, 2)
        assert it.value("held_bytes") == 2 * packed(1).kept_bytes == it.readers["one"].held_bytes
        assert 0 < it.value("oldest_age") < 60
        assert it.readers["one"].held_items == 2
        it.take(2, "one")
        assert (it.value("held_bytes"), it.value("oldest_age")) == (0, 0)


async def test_the_room_left_on_its_disk_is_told(tmp_path: Path) -> None:
    async with Opened(tmp_path) as it:
        assert 0 < it.value("disk_free_bytes") <= shutil.disk_usage(tmp_path).total


@pytest.mark.parametrize("fsync", ["always", "interval", "never"])
async def test_a_process_that_dies_loses_nothing_in_any_mode(tmp_path: Path, fsync: str) -> None:
    policy = Policy(SEGMENT_BYTES, fsync)  # type: ignore[arg-type]
    it = await Opened(tmp_path, policy=policy).start()
    await it.append(*range(1, 9))
    await it.abandon()
    async with Opened(tmp_path, policy=policy) as it:
        assert it.rest() == list(range(1, 9))


async def test_a_request_is_held_after_it_was_appended_and_after_a_restart_and_after_its_segment_is_gone(
    tmp_path: Path,
) -> None:
    async with Opened(tmp_path) as it:
        assert not it.journal.holds(request(1))
        await it.append(*range(1, 9))
        assert all(it.journal.holds(request(number)) for number in range(1, 9))
        for name in it.readers:
            it.take(8, name)
        await it.tidied()
    assert segments(tmp_path) == []
    async with Opened(tmp_path) as it:
        assert all(it.journal.holds(request(number)) for number in range(1, 9))
        assert not it.journal.holds(request(9))
