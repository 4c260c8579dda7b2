"""Allocation is tuned in a process of its own: the settings cannot be taken back."""

import os
import subprocess
import sys

PROGRAM = """
import pyarrow as pa
from spanmill.memory import tune_allocation
before = pa.default_memory_pool().backend_name
tune_allocation()
print(before, pa.default_memory_pool().backend_name)
"""


def pools(**environ: str) -> list[str]:
    """The name of Arrow's memory pool before and after."""
    cleared = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "ARROW_"))}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=cleared | environ, check=True, capture_output=True, text=True
    )
    return done.stdout.split()


def test_arrow_and_the_codec_share_the_systems_heap() -> None:
    assert pools()[1] == "system"


def test_what_the_environment_chose_is_left_alone() -> None:
    before, after = pools(ARROW_DEFAULT_MEMORY_POOL="mimalloc", MALLOC_ARENA_MAX="2")
    assert before == after
