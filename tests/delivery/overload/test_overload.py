"""Ten times what the collector can take: memory stays under its limit, who behaves is served, nothing taken is lost.

Two senders behave, each from an address of its own: a few requests a second, and what is refused they send again when
they are told. Two others flood from a third address, over many connections, and listen to nothing.
"""

import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from tests.delivery.overload.experiment import Experiment, SenderProcess, pause
from tests.delivery.overload.sender import Account

MIB: Final = 1024 * 1024
LIMIT_MIB: Final = 320
RECOVERY_SECONDS: Final = 2.0
MEMORY, DISK = {"enabled": False}, {"min_free_disk_mib": 0}


def flood(experiment: Experiment) -> list[SenderProcess]:
    """Requests of 2 MB over 24 connections of each protocol."""
    return [
        experiment.sender(
            experiment.plan("flood", 10 + n, protocol, "127.0.0.1", spans=2000, span_bytes=1000, at_once=24)
        )
        for n, protocol in enumerate(("grpc", "http"))
    ]


def behave(experiment: Experiment) -> list[SenderProcess]:
    """Ten requests of 20 KB a second by each protocol."""
    return [
        experiment.sender(
            experiment.plan("behave", n, protocol, f"127.0.0.{2 + n}", spans=20, span_bytes=1000, rate=10)
        )
        for n, protocol in enumerate(("grpc", "http"))
    ]


def check(directory: Path, journal: dict[str, Any], flood_seconds: float) -> None:
    experiment = Experiment(directory, limit_mib=LIMIT_MIB, journal=journal)
    good, bad = behave(experiment), flood(experiment)
    with experiment:
        for sender in [*good, *bad]:
            sender.begin()
        pause(flood_seconds)
        for sender in bad:
            sender.end()
        floods = [sender.account() for sender in bad]
        over = time.time()
        pause(RECOVERY_SECONDS + 2.0)
        goods = [sender.account() for sender in good]
        metrics = experiment.metrics()
        assert experiment.peak_bytes <= 1.1 * LIMIT_MIB * MIB, experiment.peak_bytes / MIB
        senders, accounts = [*good, *bad], [*goods, *floods]
        stored = experiment.stored([(sender.plan, account) for sender, account in zip(senders, accounts, strict=True)])
    assert (stored.lost, stored.twice, stored.never_taken) == (0, 0, 0)
    assert metrics["otelcol_receiver_accepted_spans"] == stored.found
    check_load(floods)
    for account in goods:
        check_served(account)
        check_back_to_normal(account, over + RECOVERY_SECONDS)
    for account in accounts:
        assert account.faults == []
        assert all(1 <= delay <= 5 for delay in account.delays)


def check_load(floods: list[Account]) -> None:
    """It was ten times as much as could be taken, and no sender was turned away for good."""
    offered = sum(account.size * account.attempts for account in floods)
    taken = sum(account.size * len(account.taken) for account in floods)
    assert 0 < 10 * taken <= offered
    assert sum(len(account.delays) for account in floods) > 0


def check_served(account: Account) -> None:
    """Nearly all at the first attempt or the second, and no answer takes long."""
    assert account.tries
    assert np.mean(np.array(account.tries) <= 2) >= 0.95, account.refusals
    assert np.percentile(account.seconds, 99) < 5.0
    assert len(account.taken) == len(account.tries)


def check_back_to_normal(account: Account, since: float) -> None:
    """Every attempt that began after `since` was the first and the last of its request."""
    late = [began for began in account.began if began > since]
    assert len(late) >= 10
    assert account.last_refusal < since


def test_a_flood_for_seconds(tmp_path: Path) -> None:
    check(tmp_path, DISK, 5.0)


@pytest.mark.torture
@pytest.mark.parametrize("journal", [MEMORY, DISK], ids=["memory journal", "disk journal"])
def test_a_flood_for_a_minute(tmp_path: Path, journal: dict[str, Any]) -> None:
    check(tmp_path, journal, 60.0)
