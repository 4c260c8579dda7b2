"""The commit log: which files a store is made of, and up to which journal record its rows go.

Records are `_commits/<number>.json`, numbered without a gap. The state is the fold of all of them; now and then it is
written out as `_commits/<number>.checkpoint.json`, which stands for every record up to its number. A record is on disk
before anything relies on it, and never changes.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from spanmill.disk import Disk, make_directories, write_whole
from spanmill.errors import SpanmillError

DIRECTORY = "_commits"
FORMAT_VERSION = 1
CHECKPOINT_EVERY = 256
"""Records between checkpoints: bounds what a reader has to fold."""
MOST_JOURNALS = 1_000
"""Positions that are remembered, the latest committed. Each run with a journal in memory adds one."""
_READ_ATTEMPTS = 20


class CorruptLog(SpanmillError):  # noqa: N818 - says what is the matter
    """The commit log cannot be read."""


class InDoubt(OSError):  # noqa: N818 - says what is the matter
    """A record was neither added for certain nor taken back."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """One Parquet file of a store."""

    path: str
    """Relative to the store, with `/`."""
    rows: int
    bytes: int
    min_time: int | None
    """Least value of the time column, nanoseconds since 1970; None when every row's is null."""
    max_time: int | None
    written: float
    """When, seconds since 1970."""
    schema: int = 1
    """Version of the table's schema."""


@dataclass(frozen=True, slots=True)
class Span:
    """A range of a journal's records, both ends included."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Commit:
    """One record: what one step added and took away."""

    added: tuple[DataFile, ...] = ()
    removed: tuple[str, ...] = ()
    """Files that no longer count. They stay on disk for a while, for queries under way."""
    deleted: tuple[str, ...] = ()
    """Removed files that are gone from the disk."""
    positions: Mapping[str, Span] = field(default_factory=dict)
    """For each journal the records whose rows `added` holds."""
    time: float = 0.0
    """When, seconds since 1970."""


@dataclass(frozen=True, slots=True)
class State:
    """What all records so far amount to."""

    number: int = 0
    """Of the last record folded in."""
    files: Mapping[str, DataFile] = field(default_factory=dict)
    """By path, in the order in which they were added."""
    removed: Mapping[str, float] = field(default_factory=dict)
    """Files that do not count and may still be on disk, and since when (seconds since 1970)."""
    positions: Mapping[str, int] = field(default_factory=dict)
    """The last record held of each journal, the journal committed longest ago first."""

    def after(self, commits: Iterable[Commit]) -> "State":
        """The state once the commits are added to the log, in order."""
        files, removed, positions = dict(self.files), dict(self.removed), dict(self.positions)
        number = self.number
        for commit in commits:
            number += 1
            for path in commit.removed:
                files.pop(path, None)
                removed[path] = commit.time
            for path in commit.deleted:
                removed.pop(path, None)
            for file in commit.added:
                files[file.path] = file
                removed.pop(file.path, None)
            for journal, span in commit.positions.items():
                positions[journal] = max(span.last, positions.pop(journal, span.last))
        kept = list(positions.items())[-MOST_JOURNALS:]
        return State(number, files, removed, dict(kept))


class CommitLog:
    """The writing side. One at a time on a directory; not for several threads at once."""

    def __init__(self, store: Path, disk: Disk) -> None:
        self._directory = store / DIRECTORY
        self._disk = disk
        self._checkpoint = 0
        self.state = State()

    def open(self) -> None:
        """Read the log. Raises `CorruptLog`."""
        self.state = read_state(self._directory.parent)

    def append(self, commit: Commit) -> None:
        """Add a record. On return it is on the disk. After `OSError` it is as if it had not been tried.

        Raises `InDoubt` when the disk does not even let it be taken back: the files that it names must stay. The next
        record takes its place.
        """
        make_directories(self._disk, self._directory)
        path = self._directory / record_name(self.state.number + 1)
        try:
            write_whole(self._disk, path, lambda file: file.write(orjson.dumps(_dump(commit))))
        except OSError as error:
            if path.exists():  # has its name, but perhaps not on the disk: nobody may read yes where we say no
                self._take_back(path, error)
            raise
        self.state = self.state.after([commit])

    def checkpoint_if_due(self) -> None:
        """Write the state out once there are many records, and delete the records it stands for.

        An error of the disk only puts it off.
        """
        if self.state.number - self._checkpoint >= CHECKPOINT_EVERY:
            with suppress(OSError):
                self.checkpoint()

    def _take_back(self, path: Path, cause: OSError) -> None:
        try:
            self._disk.unlink(path)
            self._disk.sync_directory(path.parent)
        except OSError:
            raise InDoubt(*cause.args) from cause

    def checkpoint(self) -> None:
        """Write the state out. A crash at any moment leaves a log that reads the same."""
        name = checkpoint_name(self.state.number)
        write_whole(self._disk, self._directory / name, lambda file: file.write(_dump_state(self.state)))
        self._checkpoint = self.state.number
        for other in self._disk.list(self._directory):
            if other != name and (_number(other) or 0) <= self.state.number:
                self._disk.unlink(self._directory / other)

    def tidy(self) -> None:
        """Delete records that were never finished."""
        for name in self._disk.list(self._directory):
            if _number(name) is None:
                self._disk.unlink(self._directory / name)


def record_name(number: int) -> str:
    """The file name of a record."""
    return f"{number:012d}.json"


def checkpoint_name(number: int) -> str:
    """The file name of the state after record `number`."""
    return f"{number:012d}.checkpoint.json"


def read_state(store: Path) -> State:
    """What the log of a store says now; also while another process writes it. Raises `CorruptLog`."""
    for _ in range(_READ_ATTEMPTS):
        try:
            state = _read_once(store / DIRECTORY)
        except FileNotFoundError:  # a checkpoint has just replaced what was listed
            continue
        if state is not None:
            return state
    raise CorruptLog(f"{store / DIRECTORY}: a record is missing; expected numbers without a gap")


def _read_once(directory: Path) -> State | None:
    """None when a number is missing, which also happens when the directory changes while it is listed."""
    try:
        names = [entry.name for entry in directory.iterdir()]
    except FileNotFoundError:
        return State()
    checkpoints = [number for name in names if ".checkpoint." in name and (number := _number(name)) is not None]
    start = max(checkpoints, default=0)
    state = _load_state(directory / checkpoint_name(start)) if start else State()
    numbers = sorted(
        n for name in names if ".checkpoint." not in name and (n := _number(name)) is not None and n > start
    )
    if numbers != list(range(start + 1, start + 1 + len(numbers))):
        return None
    return state.after([_load(directory / record_name(number)) for number in numbers])


def _number(name: str) -> int | None:
    stem, _, rest = name.partition(".")
    return int(stem) if stem.isdigit() and rest in {"json", "checkpoint.json"} else None


def _dump(commit: Commit) -> dict[str, Any]:
    return {"version": FORMAT_VERSION} | asdict(commit)


def _dump_state(state: State) -> bytes:
    files = [asdict(file) for file in state.files.values()]
    return orjson.dumps({"version": FORMAT_VERSION} | asdict(replace(state, files={})) | {"files": files})


def _load(path: Path) -> Commit:
    data = _parse(path)
    try:
        return Commit(
            tuple(DataFile(**file) for file in data["added"]),
            tuple(data["removed"]),
            tuple(data["deleted"]),
            {journal: Span(**span) for journal, span in data["positions"].items()},
            data["time"],
        )
    except (KeyError, TypeError) as error:
        raise CorruptLog(f"{path}: not a commit record: {error}") from None


def _load_state(path: Path) -> State:
    data = _parse(path)
    try:
        files = {file["path"]: DataFile(**file) for file in data["files"]}
        return State(data["number"], files, data["removed"], data["positions"])
    except (KeyError, TypeError) as error:
        raise CorruptLog(f"{path}: not a checkpoint: {error}") from None


def _parse(path: Path) -> dict[str, Any]:
    try:
        data = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise CorruptLog(f"{path}: not JSON: {error}") from None
    version = data.get("version") if isinstance(data, dict) else None
    if version != FORMAT_VERSION:
        raise CorruptLog(
            f"{path}: written by another version of Spanmill; expected format {FORMAT_VERSION}, found {version}"
        )
    return dict(data)


__all__ = ["Commit", "CommitLog", "CorruptLog", "DataFile", "InDoubt", "Span", "State", "read_state"]
