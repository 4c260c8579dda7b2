"""What is taken for all the memory there is: the machine's, or a control group's where one has a limit."""

import os
from pathlib import Path

import pytest

from spanmill.available_memory import give_back, group_limit_bytes, total_bytes
from tests.data import spans

MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
UNLIMITED = "9223372036854771712\n"
"""How version 1 says that there is no limit."""


@pytest.mark.parametrize(
    ("membership", "files", "expected"),
    [
        ("0::/", {"memory.max": "1000\n"}, 1000),
        ("0::/a/b", {"a/b/memory.max": "max\n", "a/memory.max": "5000\n"}, 5000),
        ("0::/unknown", {"memory.max": "7000\n"}, 7000),
        ("4:cpu,memory:/docker/x\n0::/", {"memory/docker/x/memory.limit_in_bytes": "3000\n"}, 3000),
        ("4:memory:/x", {"memory/x/memory.limit_in_bytes": UNLIMITED, "memory/memory.limit_in_bytes": UNLIMITED}, None),
        ("0::/", {"memory.max": "max\n"}, None),
        ("0::/", {"memory.max": f"{MACHINE * 2}\n"}, None),
        ("0::/", {}, None),
    ],
)
def test_a_containers_limit_is_all_the_memory_there_is(
    tmp_path: Path, membership: str, files: dict[str, str], expected: int | None
) -> None:
    for name, content in files.items():
        (tmp_path / "cgroup" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "cgroup" / name).write_text(content)
    (tmp_path / "membership").write_text(membership)
    assert group_limit_bytes(tmp_path / "cgroup", tmp_path / "membership") == expected
    assert total_bytes(tmp_path / "cgroup", tmp_path / "membership") == (MACHINE if expected is None else expected)


def test_without_control_groups_it_is_the_machines(tmp_path: Path) -> None:
    assert group_limit_bytes(tmp_path, tmp_path / "nothing") is None
    assert total_bytes(tmp_path, tmp_path / "nothing") == MACHINE


def test_this_very_process_may_use_no_more_than_the_machine_has() -> None:
    """The kernel's own files, whatever they say where the tests run."""
    assert 0 < total_bytes() <= MACHINE


def test_giving_back_is_harmless() -> None:
    batch = spans(10)
    give_back()
    assert len(batch) == 10
