"""Files of credentials that change, vanish and come back."""

import os
from pathlib import Path

import pytest

from spanmill.net.watched_file import WatchedFile
from tests.logs import CapturedLog


def parse(text: str) -> str:
    if not text.strip():
        raise ValueError("there is nothing in it")
    return text.strip()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("one\n")
    return path


def replace(path: Path, text: str) -> None:
    """As careful programs do: a new file takes the old one's name."""
    other = path.with_name("new")
    other.write_text(text)
    other.rename(path)


def test_a_changed_file_is_read_again(path: Path) -> None:
    log = CapturedLog()
    watched = WatchedFile(str(path), parse, log, 0.0)
    assert watched.current() == "one"
    replace(path, "two\n")
    assert watched.current() == "two"
    path.write_text("three\n")
    assert watched.current() == "three"
    assert [entry["event"] for entry in log.entries] == ["credentials were read again"] * 2


def test_a_link_that_points_elsewhere_is_a_change(path: Path, tmp_path: Path) -> None:
    """How Kubernetes renews a mounted secret."""
    second, link = tmp_path / "second", tmp_path / "link"
    second.write_text("six\n")
    os.utime(second, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    link.symlink_to(path)
    watched = WatchedFile(str(link), parse, CapturedLog(), 0.0)
    link.unlink()
    link.symlink_to(second)
    assert watched.current() == "six"


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (Path.unlink, "No such file or directory"),
        (lambda path: path.write_text(""), "there is nothing in it"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "not UTF-8 text"),
        (lambda path: path.write_bytes(b"x" * 1024 * 1024 + b"y"), "larger than 1048576 bytes"),
        (lambda path: (path.unlink(), path.mkdir()), "Is a directory"),
    ],
    ids=["gone", "empty", "binary", "huge", "directory"],
)
def test_a_file_that_cannot_be_used_leaves_what_was_there_in_use(path: Path, spoil: object, reason: str) -> None:
    assert callable(spoil)
    log = CapturedLog()
    watched = WatchedFile(str(path), parse, log, 0.0)
    spoil(path)
    assert [watched.current() for _ in range(3)] == ["one"] * 3
    (entry,) = log.entries
    assert (entry["log_level"], entry["event"]) == (
        "error",
        "credentials cannot be read again; the ones before stay in use",
    )
    assert str(path) in entry["reason"]
    assert reason in entry["reason"]


def test_a_file_that_comes_back_is_taken_up(path: Path) -> None:
    watched = WatchedFile(str(path), parse, CapturedLog(), 0.0)
    path.unlink()
    assert watched.current() == "one"
    path.write_text("two\n")
    assert watched.current() == "two"


def test_a_file_is_looked_at_no_more_often_than_asked(path: Path) -> None:
    watched = WatchedFile(str(path), parse, CapturedLog(), 3600.0)
    path.write_text("two\n")
    assert watched.current() == "one"


def test_a_file_that_cannot_be_used_at_the_start_is_refused_with_its_path(path: Path) -> None:
    path.write_text("\n")
    with pytest.raises(ValueError, match=f"{path}: there is nothing in it"):
        WatchedFile(str(path), parse, CapturedLog())
    with pytest.raises(OSError, match=f"cannot read {path}-: No such file"):
        WatchedFile(f"{path}-", parse, CapturedLog())
