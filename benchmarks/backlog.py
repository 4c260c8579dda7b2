"""What a collector takes while an exporter is down, and how quickly the exporter catches up afterwards.

    python benchmarks/backlog.py [--mib 1024] [--size light]

The exporter (Parquet) is put out of action by a file where its directory should be. Aims: at most 100 MiB more resident
memory with a backlog of 1 GiB than with one of 64 MiB; delivered at twice the rate at which it came in, or quicker.
"""

import argparse
import time
from pathlib import Path

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

from spanmill.generate.collector import own_page

_SIZES = {"light": payloads.LIGHT, "llm": payloads.LLM}
_MIB = 1024 * 1024
_SMALL_BACKLOG_MIB = 64
_SENDERS = 32


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--mib", type=int, default=1024, help="of backlog")
    arguments.add_argument("--size", choices=list(_SIZES), default="llm")
    arguments.add_argument("--spans", type=int, default=500, help="in a request")
    chosen = arguments.parse_args()
    with working_directory() as directory:
        _measure(directory, Case("grpc", chosen.spans, _SIZES[chosen.size], 200), chosen.mib)


def _measure(directory: Path, case: Case, wanted_mib: int) -> None:
    file, say = directory / "requests.bin", Console(width=110).print
    payloads.write_requests(file, case_requests(case))
    with collector(directory) as (running, ports):
        assert running.process is not None
        pid, target = running.process.pid, f"127.0.0.1:{ports['grpc']}"
        send("grpc", target, file, "100", _SENDERS)
        wait_until_sent(ports["metrics"], 100 * case.spans)
        delivered = sent_spans(ports["metrics"])

        working, aside = directory / "parquet", directory / "aside"
        working.rename(aside)
        working.touch()
        spans, seconds, small_mib, cpu = 0, 0.0, 0.0, cpu_seconds(pid)
        while (held := own_page(ports["metrics"])["spanmill_journal_held_bytes"] / _MIB) < wanted_mib:
            small_mib = small_mib or (memory_mib(pid, "VmRSS") if held >= _SMALL_BACKLOG_MIB else 0.0)
            sent = send("grpc", target, file, "3s", _SENDERS)
            spans, seconds = spans + sent.requests * case.spans, seconds + sent.seconds
        large_mib, taking = memory_mib(pid, "VmRSS"), spans / seconds
        say(f"taken while the exporter was down: {spans:,} spans, {held:,.0f} MiB on the disk, {taking:,.0f} spans/s,")
        say(f"  {held * _MIB / spans:.0f} bytes/span, {(cpu_seconds(pid) - cpu) * 1e6 / spans:.1f} us of CPU per span")
        say(
            f"resident memory: {small_mib:.0f} MiB with {_SMALL_BACKLOG_MIB} MiB held, {large_mib:.0f} with {held:,.0f}"
        )

        cpu, began = cpu_seconds(pid), time.monotonic()
        working.unlink()
        aside.rename(working)
        wait_until_sent(ports["metrics"], delivered + spans, timeout_seconds=1800)
        giving, used = spans / (time.monotonic() - began), (cpu_seconds(pid) - cpu) * 1e6 / spans
        say(f"delivered afterwards: {giving:,.0f} spans/s, {giving / taking:.1f} times as fast as it came in,")
        say(f"  {used:.1f} us of CPU per span, peak {memory_mib(pid, 'VmHWM'):.0f} MiB")
    say("aims: 100 MiB more at most; twice as fast or faster")


if __name__ == "__main__":
    main()
