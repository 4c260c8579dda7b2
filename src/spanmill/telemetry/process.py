"""What the operating system knows about this process: uptime, CPU, memory, files. Read when somebody scrapes."""

import os
import resource
import sys
import threading
import time
from pathlib import Path

import pyarrow as pa

from spanmill.telemetry.metrics import Metrics

_STATM = Path("/proc/self/statm")
_FILES = Path("/proc/self/fd")


def measure_process(metrics: Metrics, started: float | None = None) -> None:
    """Register the process metrics. `started` is the `time.monotonic()` that uptime counts from; None: now."""
    since = time.monotonic() if started is None else started
    metrics.observed_counter("otelcol_process_uptime", lambda: time.monotonic() - since)
    metrics.observed_counter("otelcol_process_cpu_seconds", cpu_seconds)
    metrics.gauge("otelcol_process_memory_rss", resident_bytes)
    metrics.gauge("spanmill_process_arrow_allocated_bytes", pa.total_allocated_bytes)
    metrics.gauge("spanmill_process_threads", threading.active_count)
    if _FILES.is_dir():
        metrics.gauge("spanmill_process_open_files", lambda: sum(1 for _ in _FILES.iterdir()))


def cpu_seconds() -> float:
    """User and system time of all threads."""
    times = os.times()
    return times.user + times.system


def resident_bytes() -> float:
    """Resident memory; where there is no /proc, the most there ever was."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
