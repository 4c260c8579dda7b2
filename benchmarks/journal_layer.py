"""The journal on disk without a collector round it: acknowledgements a second, and starting with a backlog.

    python benchmarks/journal_layer.py [--quick] [--backlog-gib 1 4] [--spans 500] [--slow-disk-ms 5]

Aims: 25,000 acknowledgements/s of 4 KiB, each synced; ready within 10 s of a start with 10 GiB, and 200 MB/s when all
of it is read again. The page cache is dropped before a start where this process may do so.
"""

import argparse
import asyncio
import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

import payloads
from measuring import memory_mib, working_directory
from rich.console import Console
from rich.progress import track
from rich.table import Table

from spanmill.batch import Batch
from spanmill.disk import Disk
from spanmill.journal.committer import Policy
from spanmill.journal.disk import DiskJournal, Limits
from spanmill.journal.stored import StoredBatch, store
from spanmill.memory import tune_allocation
from spanmill.names import PipelineId
from spanmill.otlp.codec import decode
from spanmill.signal import Signal
from spanmill.telemetry.logs import component_log
from spanmill.telemetry.metrics import Metrics

_KIB, _MIB, _GIB = 1024, 1024**2, 1024**3
_CONSUMER = "consumer"
_COMMIT_EVERY = 64
"""Records that a consumer is done with at once."""
_READ_AT_ONCE = 16


class SlowDisk(Disk):
    """A disk whose syncs of journals take longer."""

    def __init__(self, pause_seconds: float) -> None:
        self._pause_seconds = pause_seconds

    def sync_data(self, descriptor: int) -> None:
        super().sync_data(descriptor)
        time.sleep(self._pause_seconds)


def journal(directory: Path, disk: Disk | None = None) -> DiskJournal:
    """A journal of traces with the defaults but for its size."""
    log = component_log("journal", "benchmark")
    policy, limits = Policy(segment_bytes=32 * _MIB), Limits(max_bytes=1024 * _GIB)
    return DiskJournal(directory, PipelineId(Signal.TRACES), limits, policy, Metrics(), log, disk)


def noise(size: int) -> StoredBatch:
    """A record of so many bytes, which nothing can compress."""
    whole = store(_batch(1))
    return StoredBatch(1, size, whole.load, (), memoryview(os.urandom(size)), whole.crc)


def _batch(spans: int) -> Batch:
    return Batch(Signal.TRACES, decode(Signal.TRACES, [payloads.request(Random(1), spans, payloads.LIGHT)]).records)


async def append_all(directory: Path, disk: Disk, record: StoredBatch, producers: int, count: int) -> list[float]:
    """Append from so many producers, each waiting for its answer, with a consumer that keeps up; the latencies."""
    kept = journal(directory, disk)
    reader = kept.reader(_CONSUMER)
    await kept.start()
    latencies: list[float] = []
    left = iter(range(count))

    async def produce() -> None:
        for _ in left:
            began = time.perf_counter()
            sequence = await kept.append(record)
            latencies.append(time.perf_counter() - began)
            if sequence % _COMMIT_EVERY == 0:
                reader.commit(sequence)

    await asyncio.gather(*(produce() for _ in range(producers)))
    await kept.stop()
    return latencies


def appending(quick: bool, pause_seconds: float) -> Iterator[list[str]]:
    """A row for each size of record and number of producers."""
    for size, producers, most in ((4, 1, 2_000), (4, 256, 60_000), (64, 1, 1_000), (64, 64, 8_000)):
        count = most // 10 if quick or (pause_seconds and producers == 1) else most
        with working_directory() as directory:
            cpu, began = time.process_time(), time.perf_counter()
            disk = SlowDisk(pause_seconds) if pause_seconds else Disk()
            latencies = asyncio.run(append_all(directory / "journal", disk, noise(size * _KIB), producers, count))
            rate, used = count / (time.perf_counter() - began), (time.process_time() - cpu) * 1e6 / count
        latencies.sort()
        p50, p99 = (1000 * latencies[int(part * count)] for part in (0.5, 0.99))
        yield [
            f"{size} KiB",
            f"{producers}",
            f"{rate:,.0f}",
            f"{rate * size / 1000:,.0f}",
            f"{p50:.2f}",
            f"{p99:.2f}",
            f"{used:.0f}",
        ]


async def fill(directory: Path, record: StoredBatch, size: int) -> None:
    """Leave a backlog of `size` bytes behind."""
    kept = journal(directory)
    kept.reader(_CONSUMER)
    await kept.start()
    for _ in range(0, size, 64 * record.kept_bytes):
        await asyncio.gather(*(kept.append(record) for _ in range(64)))
    await kept.stop()


async def start_and_replay(directory: Path) -> tuple[float, float, int, float, float]:
    """Seconds until it is ready, growth in MiB by that, records, seconds to read all, growth in MiB by that."""
    kept = journal(directory)
    reader = kept.reader(_CONSUMER)
    before, began = memory_mib(os.getpid(), "VmRSS"), time.perf_counter()
    await kept.start()
    ready, index = time.perf_counter() - began, memory_mib(os.getpid(), "VmRSS") - before
    records, began = reader.unread, time.perf_counter()
    while batch := [record for _ in range(_READ_AT_ONCE) if (record := reader.read()) is not None]:
        await asyncio.to_thread(lambda held: [record.load() for record in held], batch)
        reader.commit(batch[-1].sequence)
    seconds, peak = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before
    await kept.stop()
    return ready, index, records, seconds, peak


def restarting(gib: list[float], spans: int) -> Iterator[list[str]]:
    """A row for each backlog."""
    record = store(_batch(spans))
    for size in gib:
        with working_directory() as directory:
            asyncio.run(fill(directory / "journal", record, int(size * _GIB)))
            drop_page_cache()
            ready, index, records, seconds, peak = asyncio.run(start_and_replay(directory / "journal"))
        stored = records * record.kept_bytes
        yield [
            f"{stored / _GIB:.2f} GiB",
            f"{records:,}",
            f"{record.kept_bytes / spans:.0f}",
            f"{ready:.2f}",
            f"{index:.0f}",
            f"{stored / seconds / 1e6:,.0f}",
            f"{records * spans / seconds:,.0f}",
            f"{peak:.0f}",
        ]


def drop_page_cache() -> None:
    """So that a start reads from the disk. Only root may."""
    os.sync()
    with suppress(OSError):
        Path("/proc/sys/vm/drop_caches").write_text("3")


@contextmanager
def shown(title: str, *headings: str) -> Iterator[Table]:
    """A table that is printed at the end."""
    table = Table(title=title, title_justify="left")
    for heading in headings:
        table.add_column(heading, justify="right")
    yield table
    Console(width=110).print(table)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--quick", action="store_true", help="a tenth of the load, a backlog of 0.1 GiB")
    arguments.add_argument("--backlog-gib", type=float, nargs="*", default=[1.0], help="0: none")
    arguments.add_argument("--spans", type=int, default=500, help="in a record of the backlog")
    arguments.add_argument("--slow-disk-ms", type=float, default=0.0, help="added to every sync")
    chosen = arguments.parse_args()
    tune_allocation()
    appends = list(track(appending(chosen.quick, chosen.slow_disk_ms / 1000), "appending", total=4, transient=True))
    with shown("appending", "record", "producers", "acks/s", "MB/s", "p50 ms", "p99 ms", "CPU us/ack") as table:
        for row in appends:
            table.add_row(*row)
    columns = ("backlog", "records", "bytes/span", "ready s", "index MiB", "replay MB/s", "spans/s", "peak MiB")
    with shown("starting with a backlog", *columns) as table:
        for row in restarting([0.1] if chosen.quick else chosen.backlog_gib, chosen.spans):
            table.add_row(*row)
    print("aims: 25,000 acks/s of 4 KiB; ready within 10 s with 10 GiB; 200 MB/s replayed")


if __name__ == "__main__":
    main()
