"""Bytes in flight: bounded, shared fairly between senders, and all accounted for in the end."""

from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from spanmill.admission import LATELY_SECONDS, Admission, Held, JournalRoom
from spanmill.errors import Busy

BOUND = 1000
SENDERS = st.sampled_from(["a", "b", "c"])


def taken(held: Held, size: int) -> bool:
    try:
        held.add(size)
    except Busy:
        return False
    return True


def flood(admission: Admission, stack: ExitStack, senders: int, size: int) -> None:
    """Everybody in turn asks for one more request, until nobody gets any."""
    hungry = [f"flood {number}" for number in range(senders)]
    while hungry:
        hungry = [name for name in hungry if taken(stack.enter_context(admission.hold(name)), size)]


def test_one_flooding_sender_takes_half() -> None:
    admission = Admission(BOUND)
    with ExitStack() as stack:
        flood(admission, stack, senders=1, size=10)
        assert admission.in_flight_bytes == BOUND // 2
    assert admission.in_flight_bytes == 0


@given(st.integers(1, 12), st.integers(1, 10))
def test_flooding_senders_get_equal_shares_and_leave_as_much_to_a_newcomer(senders: int, size: int) -> None:
    admission = Admission(BOUND)
    with ExitStack() as stack:
        flood(admission, stack, senders, size)
        share = BOUND / (senders + 1)
        held = [admission.held_by(f"flood {number}") for number in range(senders)]
        assert max(held) < share + size
        assert min(held) > share - 2 * size
        newcomer = stack.enter_context(admission.hold("newcomer"))
        newcomer.add(BOUND - admission.in_flight_bytes)


def test_a_newcomer_is_let_in_beside_a_flood_and_takes_its_share_when_the_flood_ebbs() -> None:
    admission = Admission(BOUND)
    with ExitStack() as stack:
        flood(admission, stack, senders=1, size=10)
        other = stack.enter_context(ExitStack())
        while taken(other.enter_context(admission.hold("newcomer")), 10):
            pass
        assert admission.held_by("newcomer") == 250
        assert not taken(stack.enter_context(admission.hold("flood 0")), 10)


def test_a_large_request_of_a_quiet_sender_is_let_in_while_it_fits() -> None:
    admission = Admission(BOUND)
    with admission.hold("busy") as busy, admission.hold("quiet") as quiet, admission.hold("quiet") as second:
        busy.add(1)
        quiet.add(600)
        quiet.add(390)
        with pytest.raises(Busy, match="990 bytes of this sender are in flight, and 9 are left for all"):
            second.add(1)


def test_the_only_request_is_let_in_however_large_it_is() -> None:
    admission = Admission(BOUND)
    with admission.hold("a") as held, admission.hold("b") as other:
        held.add(5 * BOUND)
        held.add(5 * BOUND)
        with pytest.raises(Busy, match=f"{10 * BOUND} bytes are in flight, of {BOUND} allowed"):
            other.add(1)


def test_a_request_covers_what_it_needs_and_no_more() -> None:
    admission = Admission(BOUND)
    with admission.hold("a") as held:
        held.add(100)
        held.cover(70)
        assert admission.in_flight_bytes == 100
        held.cover(130)
        assert admission.in_flight_bytes == 130


def test_what_was_expected_and_never_came_counts_for_nothing() -> None:
    clock = Clock()
    admission, room = Admission(BOUND, clock=clock), RoomFor(BOUND)
    admission.rooms = [room]
    with admission.hold("a") as held:
        held.add(300)
        held.shrink_to(20)
        held.shrink_to(100)
        assert admission.in_flight_bytes == admission.held_by("a") == 20
    send(admission, "a", 1)
    assert room.asked[-1] == 20
    assert admission.in_flight_bytes == 0


class RoomFor:
    """Something with room for so many bytes, and for senders that sent no more lately."""

    def __init__(self, room: float) -> None:
        self.room = room
        self.asked: list[float] = []

    def room_bytes(self, lately: float) -> float:
        self.asked.append(lately)
        if lately > self.room:
            raise Busy("there is no room")
        return self.room


class Clock:
    """A clock that a test sets, in seconds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def send(admission: Admission, sender: str, size: int) -> None:
    with admission.hold(sender) as held:
        held.add(size)


def test_what_a_sender_sent_lately_decides_where_room_is_short() -> None:
    clock = Clock()
    admission = Admission(BOUND, clock=clock)
    send(admission, "much", 500)
    send(admission, "little", 10)
    admission.rooms = [RoomFor(100)]
    with pytest.raises(Busy, match="there is no room"):
        send(admission, "much", 1)
    send(admission, "little", 10)
    clock.now += 2 * LATELY_SECONDS
    send(admission, "much", 1)


@given(st.lists(st.tuples(SENDERS, st.integers(1, 100), st.floats(0, 8)), max_size=60))
def test_lately_is_at_most_what_was_sent_in_two_intervals(steps: list[tuple[str, int, float]]) -> None:
    clock = Clock()
    admission, room = Admission(BOUND, clock=clock), RoomFor(float("inf"))
    admission.rooms = [room]
    sent: list[tuple[float, str, int]] = []
    for sender, size, passed in steps:
        clock.now += passed
        send(admission, sender, size)
        since = clock.now - 2 * LATELY_SECONDS
        assert 0 <= room.asked[-1] <= sum(s for moment, name, s in sent if name == sender and moment >= since)
        sent.append((clock.now, sender, size))


def test_a_steady_sender_is_taken_for_what_it_sends_in_an_interval() -> None:
    clock = Clock()
    admission, room = Admission(BOUND, clock=clock), RoomFor(float("inf"))
    admission.rooms = [room]
    for _ in range(1000):
        clock.now += 0.1
        send(admission, "steady", 10)
    assert all(480 <= lately <= 510 for lately in room.asked[200:])


def test_senders_that_are_silent_are_forgotten() -> None:
    clock = Clock()
    admission = Admission(BOUND, clock=clock)
    for number in range(1000):
        send(admission, str(number), 1)
    clock.now += 3 * LATELY_SECONDS
    send(admission, "another", 1)
    assert not admission._lately._before
    assert len(admission._lately._now) == 1


def test_the_least_of_all_bounds_counts() -> None:
    admission = Admission(BOUND)
    memory = RoomFor(200)
    admission.rooms = [RoomFor(10_000), memory]
    with admission.hold("a") as first, admission.hold("b") as second:
        first.add(100)
        assert not taken(second, 101)
        memory.room = 300
        assert taken(second, 101)


def test_a_sender_that_is_alone_may_fill_what_is_shared() -> None:
    admission = Admission(10 * BOUND)
    admission.shared = [JournalRoom(FillingJournal(held_bytes=900))]
    send(admission, "alone", 2 * BOUND)
    send(admission, "alone", 1)
    send(admission, "another", 1)
    with pytest.raises(Busy):
        send(admission, "alone", 1)


@dataclass
class FillingJournal:
    held_bytes: int
    max_bytes: int = BOUND


def test_a_journal_that_fills_up_turns_away_who_fills_it() -> None:
    admission, journal = Admission(10 * BOUND), FillingJournal(held_bytes=BOUND // 2)
    admission.shared = [JournalRoom(journal)]
    send(admission, "little", 10)
    send(admission, "much", 2 * BOUND)
    send(admission, "much", 1)
    send(admission, "little", 10)
    journal.held_bytes = 900
    with pytest.raises(Busy, match="the journal holds 900 bytes, of 1000 allowed, and this sender sent 2001 lately"):
        send(admission, "much", 1)
    send(admission, "little", 10)
    journal.held_bytes = 1100
    with pytest.raises(Busy):
        send(admission, "little", 10)
    send(admission, "new", 10)


class Traffic(RuleBasedStateMachine):
    """Requests of three senders that begin, grow and end in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.admission = Admission(BOUND)
        self.requests: list[tuple[str, Held, int]] = []

    @rule(sender=SENDERS)
    def begin(self, sender: str) -> None:
        self.requests.append((sender, self.admission.hold(sender).__enter__(), 0))

    @precondition(lambda self: self.requests)
    @rule(data=st.data(), size=st.one_of(st.integers(0, 50), st.integers(0, 2 * BOUND)))
    def grow(self, data: st.DataObject, size: int) -> None:
        index = data.draw(st.integers(0, len(self.requests) - 1))
        sender, held, before = self.requests[index]
        alone = self.admission.in_flight_bytes == before
        fits = self.admission.in_flight_bytes + size <= BOUND
        only = self.admission.held_by(sender) == before
        fair = self.admission.held_by(sender) + size <= BOUND - self.admission.in_flight_bytes - size
        assert taken(held, size) == (not size or alone or (fits and (only or fair)))
        grown = self.admission.held_by(sender) - sum(s for n, h, s in self.requests if n == sender)
        self.requests[index] = (sender, held, before + grown)

    @precondition(lambda self: self.requests)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        _, held, _ = self.requests.pop(data.draw(st.integers(0, len(self.requests) - 1)))
        held.__exit__(None, None, None)

    @invariant()
    def every_byte_is_accounted_for(self) -> None:
        assert self.admission.in_flight_bytes == sum(size for _, _, size in self.requests)
        for sender in ("a", "b", "c"):
            assert self.admission.held_by(sender) == sum(size for name, _, size in self.requests if name == sender)
        assert set(self.admission._senders) == {name for name, _, size in self.requests if size}

    @invariant()
    def the_bound_holds_but_for_a_single_request(self) -> None:
        large = [size for _, _, size in self.requests if size]
        assert len(large) <= 1 or self.admission.in_flight_bytes <= max(BOUND, *large)

    @invariant()
    def a_sender_with_several_requests_holds_half_at_most(self) -> None:
        for sender in ("a", "b", "c"):
            sizes = [size for name, _, size in self.requests if name == sender and size]
            assert len(sizes) < 2 or sum(sizes) <= BOUND / 2

    def teardown(self) -> None:
        for _, held, _ in self.requests:
            held.__exit__(None, None, None)
        assert self.admission.in_flight_bytes == 0
        assert not self.admission._senders


TestTraffic = Traffic.TestCase
