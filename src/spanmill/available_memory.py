"""How much memory there is, and giving back what is not needed."""

import ctypes
import gc
import os
from pathlib import Path

import pyarrow as pa

_CGROUPS = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")


def total_bytes(cgroups: Path = _CGROUPS, membership: Path = _MEMBERSHIP) -> int:
    """The memory that this process may use: the machine's, or less where a control group (v2 or v1) says so."""
    limit = group_limit_bytes(cgroups, membership)
    return _machine_bytes() if limit is None else limit


def group_limit_bytes(cgroups: Path = _CGROUPS, membership: Path = _MEMBERSHIP) -> int | None:
    """The limit of this process's control group (v2 or v1), beyond which the kernel ends it; None when there is none.

    Version 1 says "no limit" with a number larger than any machine's memory.
    """
    limit = min(_limits(cgroups, membership), default=None)
    return None if limit is None or limit >= _machine_bytes() else limit


def give_back() -> None:
    """Collect what Python holds in cycles, and return what allocators keep for later to the operating system."""
    gc.collect()
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc only
    if trim is not None:
        trim(0)


def _machine_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _limits(cgroups: Path, membership: Path) -> list[int]:
    """The limits of this process's groups and of those that hold them; inside a container the path may be unknown."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        lines = []
    files = [cgroups / "memory.max", cgroups / "memory" / "memory.limit_in_bytes"]
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            base, name = cgroups, "memory.max"
        elif "memory" in controllers.split(","):
            base, name = cgroups / "memory", "memory.limit_in_bytes"
        else:
            continue
        group = base / path.lstrip("/")
        files += [each / name for each in (group, *group.parents) if each.is_relative_to(base)]
    return [limit for file in files if (limit := _limit(file)) is not None]


def _limit(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # no such group, or `max`
        return None
