"""Allocation is tuned in a process of its own: the settings cannot be taken back."""

import ctypes
import os
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, sys, tempfile, threading
from spanmill.memory import tune_allocation
if "late" in sys.argv:
    import pyarrow
tune_allocation()
import pyarrow as pa
from spanmill.receivers.otlp import receiver
print(pa.default_memory_pool().backend_name)
threads = [threading.Thread(target=bytearray, args=(100_000,)) for _ in range(4)]
for thread in threads:
    thread.start()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
with tempfile.NamedTemporaryFile() as file:
    stream = ctypes.c_void_p(libc.fopen(file.name.encode(), b"w"))
    libc.malloc_info(0, stream)
    libc.fclose(stream)
    print(file.read().count(b"<heap nr="))
"""
GLIBC = pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_info"), reason="only glibc tells of its heaps")


def found(*arguments: str, **environ: str) -> tuple[str, int]:
    """The name of Arrow's memory pool, and the number of heaps."""
    cleared = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "ARROW_"))}
    command = [sys.executable, "-c", PROGRAM, *arguments]
    done = subprocess.run(command, env=cleared | environ, check=True, capture_output=True, text=True)
    pool, heaps = done.stdout.split()
    return pool, int(heaps)


@GLIBC
def test_arrow_the_codec_and_all_threads_share_two_heaps_of_the_systems() -> None:
    assert found() == ("system", 2)


@GLIBC
def test_arrow_that_was_there_before_shares_the_systems_heap_too() -> None:
    assert found("late")[0] == "system"


@GLIBC
def test_what_the_environment_chose_is_left_alone() -> None:
    pool, heaps = found(ARROW_DEFAULT_MEMORY_POOL="mimalloc", MALLOC_ARENA_MAX="1")
    assert (pool, heaps) == ("mimalloc", 1)
