"""The journal in memory: order, cursors, bounds."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanmill.errors import Busy
from spanmill.journal import Reader, Record
from spanmill.journal.memory import MemoryJournal
from tests.data import packed_size, span_ids, spans

MIB = 1024 * 1024


async def following(reader: Reader) -> Record:
    """The next record; waits for it."""
    while (record := reader.read()) is None:
        await reader.wait()
    return record


async def test_every_reader_gets_every_record_in_order() -> None:
    journal = MemoryJournal(MIB)
    one, two = journal.reader("one"), journal.reader("two")
    for number in (1, 2, 3):
        await journal.append(journal.pack(spans(1, first=number)))
    for reader in (one, two):
        assert [span_ids((await following(reader)).load())[0] for _ in range(3)] == [1, 2, 3]


async def test_a_reader_waits_for_what_is_not_there_yet() -> None:
    journal = MemoryJournal(MIB)
    waiting = asyncio.create_task(following(journal.reader("one")))
    await asyncio.sleep(0)
    assert not waiting.done()
    await journal.append(journal.pack(spans(2)))
    assert len((await waiting).load()) == 2


async def test_cancelling_a_wait_skips_nothing() -> None:
    journal = MemoryJournal(MIB)
    reader = journal.reader("one")
    waiting = asyncio.create_task(following(reader))
    await asyncio.sleep(0)
    waiting.cancel()
    await journal.append(journal.pack(spans(1)))
    assert (await following(reader)).sequence == 1


async def test_records_are_held_until_the_slowest_reader_has_committed_them() -> None:
    journal = MemoryJournal(MIB)
    fast, slow = journal.reader("fast"), journal.reader("slow")
    await journal.append(journal.pack(spans(1)))
    await following(fast)
    fast.commit(1)
    assert journal.held_bytes > 0
    assert slow.held_items == 1
    await following(slow)
    slow.commit(1)
    assert journal.held_bytes == 0


async def test_a_full_journal_refuses_and_takes_again_when_there_is_room() -> None:
    batch = spans(10)
    journal = MemoryJournal(int(packed_size(batch) * 1.5))
    reader = journal.reader("one")
    await journal.append(journal.pack(batch))
    with pytest.raises(Busy, match="allowed") as refused:
        await journal.append(journal.pack(batch))
    assert refused.value.retry_after > 0
    await following(reader)
    reader.commit(1)
    assert await journal.append(journal.pack(batch)) == 2


async def test_after_turning_a_batch_away_nothing_is_taken_until_there_is_room_for_it() -> None:
    small, large = spans(1), spans(500)
    journal = MemoryJournal(int(packed_size(large) * 1.2))
    reader = journal.reader("one")
    for _ in range(2):
        await journal.append(journal.pack(small))
    await journal.append(journal.pack(spans(10)))
    with pytest.raises(Busy):
        journal.reserve(packed_size(large))
    with pytest.raises(Busy):
        journal.reserve(0)
    reader.commit(3)
    journal.reserve(0)
    assert await journal.append(journal.pack(large)) == 4


async def test_a_batch_larger_than_the_journal_passes_when_the_journal_is_empty() -> None:
    journal = MemoryJournal(10)
    journal.reader("one")
    assert await journal.append(journal.pack(spans(3))) == 1


async def test_rewinding_reads_again_from_what_the_output_does_not_hold() -> None:
    journal = MemoryJournal(MIB)
    reader = journal.reader("one")
    for number in (1, 2, 3):
        await journal.append(journal.pack(spans(1, first=number)))
    reader.rewind(2)
    assert (await following(reader)).sequence == 3
    assert reader.held_items == 1


@given(st.lists(st.sampled_from(["append", "read", "commit"]), max_size=40))
def test_held_is_what_was_appended_less_what_every_reader_committed(steps: list[str]) -> None:
    async def check() -> None:
        batch = spans(2)
        journal = MemoryJournal(MIB)
        reader = journal.reader("one")
        appended = read = committed = 0
        for step in steps:
            if step == "append":
                appended += 1
                assert await journal.append(journal.pack(batch)) == appended
            elif step == "read" and reader.unread:
                read += 1
                assert (await following(reader)).sequence == read
            elif step == "commit" and read > committed:
                committed += 1
                reader.commit(committed)
            assert reader.unread == appended - read
            assert reader.held_items == 2 * (appended - committed)
            assert journal.held_bytes == packed_size(batch) * (appended - committed) == reader.held_bytes

    asyncio.run(check())
