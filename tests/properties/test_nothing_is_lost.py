"""The law: received = delivered + refused + rejected + dropped by a filter + dead-lettered + still held, span by span.

Over random graphs, faults of disks and exporters, and restarts, through the real intake, journals and deliveries.
"""

import asyncio
import errno
import os
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spanmill.errors import Busy, StartError
from tests.data import traces
from tests.journal.collector import in_duckdb, in_parquet
from tests.journal.harness import hurried
from tests.properties.daemon import FAULTS, Daemon
from tests.properties.graphs import NAMES, GraphPlan, graphs

_RAM = Path("/dev/shm")


@dataclass(frozen=True)
class Send:
    """So many requests at once, of so many spans each; to which receiver goes by number."""

    requests: int
    spans: int
    patient: bool
    """Whether a refused request is sent again until it is taken."""


@dataclass(frozen=True)
class Resend:
    """Everything that was accepted, once more."""


@dataclass(frozen=True)
class Fail:
    """The journals' disk fails, from now on for so many operations."""

    error: int
    operations: int


@dataclass(frozen=True)
class Upset:
    """An exporter fails at its next attempts."""

    exporter: int
    faults: tuple[str, ...]


@dataclass(frozen=True)
class Restart:
    killed: bool


STEPS = st.one_of(
    st.builds(Send, requests=st.integers(1, 4), spans=st.integers(1, 4), patient=st.booleans()),
    st.builds(Send, requests=st.integers(1, 4), spans=st.integers(1, 4), patient=st.just(True)),
    st.builds(Resend),
    st.builds(Fail, error=st.sampled_from([errno.ENOSPC, errno.EIO]), operations=st.integers(1, 12)),
    st.builds(
        Upset, exporter=st.integers(0, 3), faults=st.lists(st.sampled_from(FAULTS), min_size=1, max_size=6).map(tuple)
    ),
    st.builds(Restart, killed=st.booleans()),
)


@dataclass
class Sent:
    """What senders know of one request."""

    receiver: str
    spans: dict[int, str]
    """Ids and names."""
    payload: bytes
    accepted: bool = False
    gone: bool = field(default=False)
    """Refused, and its sender has given up: it may be anywhere, but nowhere twice."""


class World:
    """Senders, a collector, and what each was told."""

    def __init__(self, plan: GraphPlan, directory: Path) -> None:
        self.plan = plan
        self.daemon = Daemon(plan, directory)
        self.sent: list[Sent] = []
        self._next = 1

    async def live(self, steps: list[Any]) -> None:
        await self.daemon.start()
        for step in steps:
            await self._take(step)
        self.daemon.disk.heal()
        self.daemon.disk.count = None
        for faults in self.daemon.faults.values():
            faults.clear()
        for request in self.sent:
            if not request.gone:
                await self._send(request, patient=True)
        await self.daemon.delivered()
        await self.daemon.stop(grace_seconds=10)
        assert self.daemon.died == []

    async def _take(self, step: Any) -> None:
        match step:
            case Send():
                requests = [self._request(step.spans) for _ in range(step.requests)]
                await asyncio.gather(*(self._send(request, patient=step.patient) for request in requests))
            case Resend():
                await asyncio.gather(*(self._send(r, patient=True) for r in self.sent if r.accepted))
            case Fail():
                disk = self.daemon.disk
                disk.arm()
                disk.error, disk.fail_at, disk.last = step.error, 0, step.operations - 1
            case Upset():
                exporters = self.plan.exporters
                self.daemon.faults[exporters[step.exporter % len(exporters)]] += step.faults
            case Restart():
                await (self.daemon.kill() if step.killed else self.daemon.stop(grace_seconds=0.05))
                await self._start()

    async def _start(self) -> None:
        """As whoever supervises the collector does: until it runs."""
        while self.daemon.graph is None:
            try:
                await self.daemon.start()
            except StartError:
                await self.daemon.stop(grace_seconds=0.05)

    def _request(self, count: int) -> Sent:
        numbers = range(self._next, self._next + count)
        self._next += count
        request = traces(count, first=numbers[0])
        names = {}
        for number, span in zip(numbers, request.resource_spans[0].scope_spans[0].spans, strict=True):
            span.name = names[number] = NAMES[number % len(NAMES)]
        receivers = self.plan.receivers
        sent = Sent(receivers[numbers[0] % len(receivers)], names, request.SerializeToString())
        self.sent.append(sent)
        return sent

    async def _send(self, request: Sent, *, patient: bool) -> None:
        while True:
            try:
                outcome = await self.daemon.send(request.receiver, request.payload)
            except Busy:
                if not patient:
                    request.gone = not request.accepted
                    return
                await asyncio.sleep(0.002)
            else:
                assert outcome.rejected == 0
                request.accepted = True
                return

    # What must hold in the end.

    def check(self) -> None:
        dead = self.daemon.dead()
        for exporter in self.plan.exporters:
            delivered = self._delivered(exporter)
            expected, possible = self._expected(exporter)
            letters: Counter[int] = Counter()
            for (_, name, number), times in dead.items():
                if name == exporter:
                    letters[number] += times
            exact = exporter in {"parquet", "duckdb"}
            for number in expected.keys() | possible.keys() | delivered.keys() | letters.keys():
                accounted = delivered[number] + letters[number]
                context = f"{exporter} span {number}: {delivered[number]} delivered, {letters[number]} dead-lettered"
                assert accounted >= expected[number], f"{context}, expected {expected[number]}"
                if exact:
                    assert accounted <= expected[number] + possible[number], f"{context}, expected {expected[number]}"

    def _delivered(self, exporter: str) -> Counter[int]:
        if exporter == "parquet":
            return in_parquet(self.daemon.directory)
        return in_duckdb(self.daemon.directory) if exporter == "duckdb" else self.daemon.remembered[exporter]

    def _expected(self, exporter: str) -> tuple[Counter[int], Counter[int]]:
        """How often each span must have come, and how often it may have: of requests that were refused for good."""
        expected: Counter[int] = Counter()
        possible: Counter[int] = Counter()
        for request in self.sent:
            for number, name in request.spans.items():
                times = self.plan.arrivals(request.receiver, name)[exporter]
                (expected if request.accepted else possible)[number] += times
        return +expected, +possible


def obey(plan: GraphPlan, steps: list[Any]) -> None:
    with tempfile.TemporaryDirectory(dir=_RAM if _RAM.is_dir() else None) as name, hurried():
        world = World(plan, Path(name))
        asyncio.run(asyncio.wait_for(world.live(steps), 60))
        world.check()


LIVES = st.lists(STEPS, min_size=1, max_size=8)


@settings(max_examples=10 if os.environ.get("HYPOTHESIS_PROFILE", "quick") == "quick" else 200)
@given(plan=graphs(), steps=LIVES)
def test_every_span_is_accounted_for_whatever_fails(plan: GraphPlan, steps: list[Any]) -> None:
    obey(plan, steps)


@pytest.mark.torture
@pytest.mark.timeout(3600)
@settings(max_examples=1_000)
@given(plan=graphs(), steps=LIVES)
def test_every_span_is_accounted_for_in_a_thousand_lives(plan: GraphPlan, steps: list[Any]) -> None:
    obey(plan, steps)
