"""`kill -9` at random moments under load, again and again: what was acknowledged is stored, exactly once."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from spanmill.generate.collector import Collector
from tests.delivery.crashes.cycles import CYCLES, SEED, rounds
from tests.delivery.crashes.experiment import Experiment
from tests.delivery.crashes.oracle import Verdict

_ENOUGH_CYCLES = 20


def _what_never_happened(data: Path) -> list[str]:
    """A crash in the middle of something can only be met where that something happens."""
    signs = {
        "parquet put files together": any(data.glob("parquet/spans/date=*/hour=*/merged-*")),
        "duckdb put files together": any(data.glob("spanmill.duckdb.d/spans/settled/date=*/hour=*/merged-*")),
        "the journal deleted a segment": not any(data.glob(f"journal/traces/{1:020d}.segment")),
    }
    return [sign for sign, seen in signs.items() if not seen]


def _kill_again_and_again(
    directory: Path, seed: int, cycles: int, *, sampling: bool = False, **journal: Any
) -> tuple[Verdict, str]:
    with Experiment(directory, directory / "data", seed, journal=journal, sampling=sampling) as experiment:
        for _ in range(cycles):
            experiment.run(Collector.kill)
        verdict = experiment.settle()
    return verdict, experiment.explain(verdict)


def test_what_was_acknowledged_survives_kill_9_exactly_once(tmp_path: Path) -> None:
    verdict, report = _kill_again_and_again(tmp_path, SEED, 3)
    assert verdict.clean, report


@pytest.mark.torture
@rounds(CYCLES)
def test_what_was_acknowledged_survives_every_kill_9_exactly_once(tmp_path: Path, seed: int, cycles: int) -> None:
    verdict, report = _kill_again_and_again(tmp_path, seed, cycles)
    assert verdict.clean, report
    if cycles >= _ENOUGH_CYCLES:
        assert _what_never_happened(tmp_path / "data") == [], report
    shutil.rmtree(tmp_path / "data")


@pytest.mark.torture
@rounds(max(1, CYCLES // 5))
def test_spans_that_waited_for_a_decision_survive_every_kill_9_exactly_once(
    tmp_path: Path, seed: int, cycles: int
) -> None:
    verdict, report = _kill_again_and_again(tmp_path, seed, cycles, sampling=True)
    assert verdict.clean, report
    shutil.rmtree(tmp_path / "data")


@pytest.mark.torture
@pytest.mark.parametrize("fsync", ["interval", "never"])
def test_a_journal_that_does_not_wait_for_the_disk_survives_kill_9_too(tmp_path: Path, fsync: str) -> None:
    """What the operating system has been given outlives the process."""
    verdict, report = _kill_again_and_again(tmp_path, SEED, 10, fsync=fsync)
    assert verdict.clean, report


@pytest.mark.torture
def test_a_journal_in_memory_does_not_survive_kill_9_or_this_harness_is_blind(tmp_path: Path) -> None:
    verdict, report = _kill_again_and_again(tmp_path, SEED, 5, enabled=False)
    assert verdict.lost, report
