"""The laws of the queue that senders share: nothing lost, order kept for each, and no one in front of all others."""

import time

from hypothesis import given
from hypothesis import strategies as st

from spanmill.fair_queue import QUANTUM_BYTES, FairQueue

SENDERS = st.sampled_from(["a", "b", "c", "d"])
SIZES = st.one_of(st.integers(0, 1000), st.integers(0, 10 * QUANTUM_BYTES))
LIMITS = st.integers(0, 20 * QUANTUM_BYTES)
PUTS = st.tuples(SENDERS, SIZES)
Item = tuple[str, int, int]
"""The sender, its size, and a number of its own that grows."""


def filled(puts: list[tuple[str, int]]) -> FairQueue[Item]:
    queue: FairQueue[Item] = FairQueue()
    for number, (sender, size) in enumerate(puts):
        queue.put(sender, size, (sender, size, number))
    return queue


def drained(queue: FairQueue[Item], max_bytes: int = QUANTUM_BYTES) -> list[Item]:
    items: list[Item] = []
    while queue:
        items += queue.take(max_bytes)
    return items


@given(st.lists(st.one_of(PUTS, LIMITS), max_size=60))
def test_nothing_is_lost_or_doubled_and_each_senders_order_is_kept(steps: list[tuple[str, int] | int]) -> None:
    queue: FairQueue[Item] = FairQueue()
    put: list[Item] = []
    taken: list[Item] = []
    for number, step in enumerate(steps):
        if isinstance(step, int):
            taken += queue.take(step)
        else:
            put.append((*step, number))
            queue.put(*step, put[-1])
        assert len(queue) == len(put) - len(taken)
    taken += drained(queue)
    assert sorted(taken, key=lambda item: item[2]) == put
    for sender in {item[0] for item in put}:
        assert [item for item in taken if item[0] == sender] == [item for item in put if item[0] == sender]


@given(st.lists(PUTS, min_size=1, max_size=60), LIMITS)
def test_at_least_one_item_is_taken_and_no_more_than_asked_for(puts: list[tuple[str, int]], max_bytes: int) -> None:
    queue = filled(puts)
    while queue:
        taken = queue.take(max_bytes)
        assert taken
        assert sum(size for _, size, _ in taken) <= max_bytes or len(taken) == 1


@given(st.lists(PUTS, min_size=1, max_size=60))
def test_a_large_enough_limit_takes_everything_at_once(puts: list[tuple[str, int]]) -> None:
    queue = filled(puts)
    assert len(queue.take(sum(size for _, size in puts))) == len(puts)
    assert (len(queue), queue.take(1)) == (0, [])


@given(st.lists(st.lists(SIZES, min_size=1, max_size=40), min_size=2, max_size=4), LIMITS)
def test_senders_that_wait_all_the_time_get_the_same_bytes(sizes: list[list[int]], max_bytes: int) -> None:
    queue = filled([(str(sender), size) for sender, each in enumerate(sizes) for size in each])
    waiting = {str(sender): len(each) for sender, each in enumerate(sizes)}
    got = dict.fromkeys(waiting, 0)
    largest = max(max(each) for each in sizes)
    while queue:
        for sender, size, _ in queue.take(max_bytes):
            got[sender] += size
            waiting[sender] -= 1
            if min(waiting.values()) == 0:
                return
            assert max(got.values()) - min(got.values()) < QUANTUM_BYTES + largest


@given(st.lists(SIZES, min_size=1, max_size=200), SIZES)
def test_a_newcomer_is_served_after_a_turn_of_everybody_else(flood: list[int], size: int) -> None:
    """Nobody starves: how much is in front of an item depends on its size, not on how much others have put in."""
    queue = filled([("flood", each) for each in flood])
    queue.put("quiet", size, ("quiet", size, -1))
    before = 0
    for sender, each, _ in drained(queue):
        if sender == "quiet":
            break
        before += each
    assert before < size + 2 * QUANTUM_BYTES


def test_a_flood_of_large_items_waits_behind_itself() -> None:
    queue = filled([("flood", 10 * QUANTUM_BYTES)] * 50 + [("quiet", 1000)] * 60)
    first = drained(queue)[:60]
    assert [sender for sender, _, _ in first].count("quiet") == 60


def test_senders_that_are_done_leave_nothing_behind() -> None:
    queue = filled([(str(number), 1) for number in range(1000)])
    drained(queue)
    assert not queue._lines
    assert not queue._turns


def test_work_is_in_proportion_to_items_and_bytes() -> None:
    """A hundred thousand items of a thousand senders in about a second, however slow the machine."""
    queue = filled([(str(number % 1000), 300) for number in range(100_000)])
    started = time.process_time()
    assert len(drained(queue, 16 * 1024 * 1024)) == 100_000
    assert time.process_time() - started < 5
