"""How the process takes memory from the operating system: once for all, at its start."""

import ctypes
import os
import sys

_MIB = 1024 * 1024
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -2, -3, -8
"""Parameters of glibc's `mallopt`."""
_POOL = "ARROW_DEFAULT_MEMORY_POOL"


def tune_allocation() -> None:
    """Keep freed memory for the next batch, in two heaps, for Arrow and the codec alike.

    Batches are tens of megabytes that live for a second. By default Arrow's allocator and glibc's give such blocks back
    at once and fault them in again, page by page, which costs as much as the work on them; and each thread has a heap
    of its own, so that the peak is that of all threads. With one heap threads wait for each other: a sixth less
    memory for three hundredths more CPU. Where the environment says otherwise (`MALLOC_...`,
    `ARROW_DEFAULT_MEMORY_POOL`), it is left to decide.

    To be called before Arrow is imported: it begins threads, and what heaps there are then stay in use.
    """
    if sys.platform == "linux" and not any(name.startswith("MALLOC_") for name in os.environ):
        _mallopt(
            {_M_ARENA_MAX: 2, _M_MMAP_THRESHOLD: 1024 * _MIB, _M_TRIM_THRESHOLD: 128 * _MIB, _M_TOP_PAD: 16 * _MIB}
        )
    if _POOL in os.environ:
        return
    if "pyarrow" in sys.modules:
        import pyarrow as pa

        pa.set_memory_pool(pa.system_memory_pool())
    else:
        os.environ[_POOL] = "system"  # also for what Arrow itself asks for, which the call leaves as it is


def _mallopt(settings: dict[int, int]) -> None:
    """Nothing happens where the C library is not glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, value in settings.items():
            mallopt(parameter, value)
