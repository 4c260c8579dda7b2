"""Sends generated traces at the rate asked for, and says so when nobody takes them."""

import logging
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Final
from urllib.parse import urlsplit

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from spanmill.errors import SpanmillError
from spanmill.generate.options import Options
from spanmill.generate.scenarios import SCENARIOS
from spanmill.generate.senders import Service, Tally, make_service
from spanmill.generate.texts import TOPICS
from spanmill.generate.trace import Trace

_SERVICES: Final = ("shop-assistant", "concierge")
_FLUSH_TRACES: Final = 200
"""Fewer spans than the SDK's queue holds, whatever the scenarios: what it drops, it drops silently."""
_LONGEST_TRACE_NANOSECONDS: Final = 20_000_000_000
_CONNECT_SECONDS: Final = 3.0


def send(options: Options) -> int:
    """Send until the options say stop; the number of traces. Raises `SpanmillError` when the endpoint refuses."""
    _check_endpoint(options)
    random, tally = Random(options.seed), Tally()  # noqa: S311 - repeatable, not secret
    with _quiet_sdk(), _progress(options.count) as progress:
        services = [make_service(name, options, random, tally) for name in _SERVICES]
        sent = 0
        try:
            for sent in _paced(options):
                _tell_trace(services, random)
                progress.advance(progress.task_ids[0])
                if sent % _FLUSH_TRACES == 0:
                    _flush(services, tally)
        finally:
            for service in services:
                service.shutdown()
    _check_tally(options, tally)
    return sent


def _paced(options: Options) -> Iterator[int]:
    """1, 2, 3, ... no faster than the rate, until the count or the duration is reached."""
    began, number = time.monotonic(), 0
    while not (options.count and number >= options.count):
        elapsed = time.monotonic() - began
        if options.duration_seconds and elapsed >= options.duration_seconds:
            return
        if options.rate and elapsed < number / options.rate:
            time.sleep(number / options.rate - elapsed)
        number += 1
        yield number


def _tell_trace(services: list[Service], random: Random) -> None:
    """One trace that ends about now; sessions come back, so that they have several turns."""
    (scenario,) = random.choices([s for s, _ in SCENARIOS], weights=[share for _, share in SCENARIOS])
    service = services[1] if scenario.__name__ == "agent_with_tools" else services[0]
    session = {"session.id": f"session-{random.randint(1, 40):02d}", "user.id": f"user-{random.randint(1, 15):02d}"}
    service.sessions.add(session["session.id"])
    trace = Trace(service, random, time.time_ns() - _LONGEST_TRACE_NANOSECONDS, session)
    scenario(trace, random.choice(TOPICS))


def _flush(services: list[Service], tally: Tally) -> None:
    for service in services:
        service.flush()
    if tally.failed and not tally.sent:
        raise SpanmillError("generate: the endpoint accepts nothing; see the collector's log")


def _check_endpoint(options: Options) -> None:
    parts = urlsplit(options.target)
    try:
        with socket.create_connection((parts.hostname or "localhost", parts.port or 80), timeout=_CONNECT_SECONDS):
            pass
    except (OSError, ValueError) as error:
        raise SpanmillError(
            f"generate: cannot connect to {options.target}: {error}. "
            "Start a collector (`spanmill run --config config.example.yaml`), or name one: --endpoint host:port"
        ) from None


def _check_tally(options: Options, tally: Tally) -> None:
    if tally.failed:
        raise SpanmillError(
            f"generate: {tally.failed} of {tally.failed + tally.sent} requests to {options.target} were not accepted. "
            f"Is {options.protocol.value} what it speaks there? The collector's log and its "
            "`otelcol_receiver_refused_*` metrics say more."
        )


@contextmanager
def _quiet_sdk() -> Iterator[None]:
    """The SDK logs every attempt; one sentence at the end says the same."""
    logger = logging.getLogger("opentelemetry")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def _progress(count: int) -> Iterator[Progress]:
    columns = (SpinnerColumn(), TextColumn("sending traces"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
        progress.add_task("traces", total=count or None)
        yield progress
