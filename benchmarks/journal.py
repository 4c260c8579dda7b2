"""What certainty costs: a collector whose answers mean "it is on the disk" against one that holds data in memory.

    python benchmarks/journal.py [--quick | --all] [--only grpc/100/light] [--slow-disk-ms 5] [--rate 200]

One collector for each way of keeping a journal, all running, loaded in turn, round after round: the ratios are those of
neighbours in time. Latency is from a request's first byte to its answer, as its sender sees it. Aims, for `always`: at
32 senders at most 25 % fewer spans/s than in memory; with a sync of 5 ms 20,000 spans/s in requests of 100 spans, of
which 99 in 100 are answered within 50 ms.
"""

import argparse
import statistics
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import payloads
from measuring import (
    Case,
    case_requests,
    collector,
    cpu_seconds,
    memory_mib,
    send,
    sent_spans,
    wait_until_sent,
    working_directory,
)
from rich.console import Console
from rich.progress import track
from rich.table import Table

JOURNALS: dict[str, dict[str, Any]] = {
    "memory": {"enabled": False},
    "always": {"fsync": "always"},
    "interval": {"fsync": "interval"},
    "never": {"fsync": "never"},
}
_BASELINE = "memory"
_SIZES = {"light": payloads.LIGHT, "llm": payloads.LLM}
_USUAL = (
    *(("grpc", 100, "light", senders) for senders in (1, 8, 32, 128)),
    *(("grpc", spans, "light", 32) for spans in (1, 50, 500)),
    *(("grpc", spans, "llm", 32) for spans in (1, 100)),
    *(("http", spans, "light", 32) for spans in (1, 100)),
)
"""Protocol, spans in a request, size of a span, senders."""


@dataclass(frozen=True)
class Turn:
    """What one collector did in one round."""

    spans_per_second: float
    p50_ms: float
    p99_ms: float
    microseconds_per_span: float
    """CPU of the server's process, until everything is in Parquet."""
    resident_mib: float


class Contestant:
    """A collector that stays up through all cases."""

    def __init__(self, stack: ExitStack, directory: Path, journal: dict[str, Any], program: tuple[str, ...]) -> None:
        directory.mkdir()
        parquet = {"directory": str(directory / "parquet"), "max_age": "1s"}
        running, self._ports = stack.enter_context(collector(directory, journal, program, parquet=parquet))
        assert running.process is not None
        self._pid = running.process.pid

    def take_turn(self, case: Case, file: Path, until: str, at_once: int, rate: float) -> Turn:
        """Be sent to; wait until everything is delivered."""
        already, cpu = sent_spans(self._ports["metrics"]), cpu_seconds(self._pid)
        sent = send(case.protocol, f"127.0.0.1:{self._ports[case.protocol]}", file, until, at_once, rate)
        spans = sent.requests * case.spans
        wait_until_sent(self._ports["metrics"], already + spans)
        used = (cpu_seconds(self._pid) - cpu) * 1e6 / spans
        return Turn(spans / sent.seconds, sent.p50_ms, sent.p99_ms, used, memory_mib(self._pid, "VmRSS"))


def cases(every: bool, only: str) -> Iterator[tuple[str, Case, int]]:
    """Named `protocol/spans/size/senders`."""
    crossed = (
        (protocol, spans, size, senders)
        for protocol in ("grpc", "http")
        for size in _SIZES
        for spans in (1, 50, 100, 500)
        for senders in (1, 8, 32, 128)
    )
    for protocol, spans, size, senders in crossed if every else _USUAL:
        name = f"{protocol}/{spans}/{size}/{senders}"
        if only in name:
            yield name, Case(protocol, spans, _SIZES[size], 200), senders


def compare(
    contestants: dict[str, Contestant], case: Case, senders: int, file: Path, until: str, rounds: int, rate: float = 0.0
) -> dict[str, list[Turn]]:
    """Everybody's turns, taken in turn."""
    turns: dict[str, list[Turn]] = {name: [] for name in contestants}
    payloads.write_requests(file, case_requests(case))
    for _ in range(rounds):
        for name, contestant in contestants.items():
            turns[name].append(contestant.take_turn(case, file, until, senders, rate))
    return turns


def rows(case_name: str, turns: dict[str, list[Turn]]) -> Iterator[list[str]]:
    """A row for each journal: medians over the rounds, and the median of the rounds' ratios."""
    for name, mine in turns.items():
        pairs = zip(mine, turns[_BASELINE], strict=True)
        ratio = statistics.median(turn.spans_per_second / base.spans_per_second for turn, base in pairs)
        yield [
            case_name,
            name,
            f"{statistics.median(turn.spans_per_second for turn in mine):,.0f}",
            f"{ratio:.2f}",
            f"{statistics.median(turn.p50_ms for turn in mine):.1f}",
            f"{statistics.median(turn.p99_ms for turn in mine):.1f}",
            f"{statistics.median(turn.microseconds_per_span for turn in mine):.1f}",
            f"{mine[-1].resident_mib:.0f}",
        ]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--quick", action="store_true", help="one short round")
    arguments.add_argument("--all", action="store_true", help="every size, protocol and number of senders")
    arguments.add_argument("--only", default="", help="cases whose name holds this text")
    arguments.add_argument("--journals", default=",".join(JOURNALS), help="which to compare; `memory` is always in")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--slow-disk-ms", type=float, default=0.0, help="added to every sync of the disk")
    arguments.add_argument("--rate", type=float, default=0.0, help="requests a second at most; 0: as many as are taken")
    chosen = arguments.parse_args()
    until, rounds = ("0.5s", 1) if chosen.quick else ("1.5s", chosen.rounds)
    slow = Path(__file__).with_name("slow_disk.py")
    program = ("-m", "spanmill") if not chosen.slow_disk_ms else (str(slow), f"{chosen.slow_disk_ms}")
    table = Table(title=f"journals, {chosen.slow_disk_ms:g} ms added to each sync", title_justify="left")
    for heading in ("case", "journal", "spans/s", "of memory", "p50 ms", "p99 ms", "CPU us/span", "RSS MiB"):
        table.add_column(heading, justify="left" if heading in {"case", "journal"} else "right", no_wrap=True)
    console = Console(width=110)
    try:
        with working_directory() as directory, ExitStack() as stack:
            wanted = [name for name in JOURNALS if name == _BASELINE or name in chosen.journals.split(",")]
            contestants = {name: Contestant(stack, directory / name, JOURNALS[name], program) for name in wanted}
            file = directory / "requests.bin"
            compare(contestants, Case("grpc", 100, payloads.LIGHT, 200), 8, file, "0.5s", 1)  # a warm-up
            for name, case, senders in track(list(cases(chosen.all, chosen.only)), "measuring", transient=True):
                for row in rows(name, compare(contestants, case, senders, file, until, rounds, chosen.rate)):
                    table.add_row(*row)
                table.add_section()
    finally:
        console.print(table)
    console.print("aims: `always` at 32 senders 0.75 of memory; at a sync of 5 ms 20,000 spans/s, p99 50 ms")


if __name__ == "__main__":
    main()
