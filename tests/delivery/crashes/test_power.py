"""Power cuts at random moments under load: what was acknowledged is stored exactly once, if answers wait for the disk.

The counterpart, which must lose data, shows that a cut is a cut: a harness that sees no loss there sees none anywhere.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.delivery.crashes.cycles import CYCLES, SEED, rounds
from tests.delivery.crashes.experiment import Experiment
from tests.delivery.crashes.oracle import Verdict, before_an_end
from tests.delivery.crashes.power import FILE_SYSTEMS, CannotMount, LoopDisk

pytestmark = pytest.mark.torture

_INTERVAL_SECONDS = 0.3
_LATE_SECONDS = 0.3
"""How much later than it should a sync may be done, on a machine with so much else to do."""


@pytest.fixture(params=FILE_SYSTEMS)
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LoopDisk]:
    made = LoopDisk(tmp_path, request.param)
    try:
        made.__enter__()
    except CannotMount as missing:
        pytest.skip(str(missing))
    try:
        yield made
    finally:
        made.__exit__(None, None, None)


def _cut_again_and_again(
    disk: LoopDisk, outside: Path, seed: int, cycles: int, *, max_age: str = "200ms", **journal: Any
) -> tuple[Verdict, Experiment]:
    with Experiment(outside, disk.path / "data", seed, journal=journal, max_age=max_age) as experiment:
        for _ in range(cycles):
            experiment.run(disk.cut)
        return experiment.settle(), experiment


@rounds(CYCLES // len(FILE_SYSTEMS))
def test_what_was_acknowledged_survives_every_power_cut_exactly_once(
    disk: LoopDisk, tmp_path: Path, seed: int, cycles: int
) -> None:
    verdict, experiment = _cut_again_and_again(disk, tmp_path, seed, cycles)
    assert verdict.clean, experiment.explain(verdict)


def test_without_any_sync_a_power_cut_loses_data_or_this_harness_is_blind(disk: LoopDisk, tmp_path: Path) -> None:
    """Rows stay in the journal for as long as they can: the stores sync what they write."""
    verdict, experiment = _cut_again_and_again(disk, tmp_path, SEED, 5, max_age="10s", fsync="never")
    assert verdict.lost, experiment.explain(verdict)


def test_with_a_sync_every_so_often_a_power_cut_loses_no_more_than_came_since(disk: LoopDisk, tmp_path: Path) -> None:
    verdict, experiment = _cut_again_and_again(
        disk, tmp_path, SEED, 20, max_age="10s", fsync="interval", fsync_interval=f"{_INTERVAL_SECONDS}s"
    )
    assert verdict.lost, experiment.explain(verdict)
    places = [before_an_end(fault.acknowledged_at or 0.0, experiment.ends) for fault in verdict.lost]
    too_old = [place for place in places if place is None or place[1] > _INTERVAL_SECONDS + _LATE_SECONDS]
    assert too_old == [], experiment.explain(verdict)
