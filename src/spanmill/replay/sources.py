"""What a path holds that can be sent again."""

from pathlib import Path

from spanmill.dead_letters import letters
from spanmill.exporters.duckdb.database import directory_of
from spanmill.exporters.duckdb.live_table import SETTLED
from spanmill.exporters.duckdb.tail import TAIL
from spanmill.journal.directory import DEAD_LETTERS
from spanmill.journal.reading import pipeline_directories, signal_of
from spanmill.journal.segment import SUFFIX
from spanmill.replay.dead_letters import Letters
from spanmill.replay.journals import Journals
from spanmill.replay.options import ReplayError
from spanmill.replay.piece import Source
from spanmill.replay.stored import StoredFiles, files_of_store, single_file
from spanmill.schema import TABLES
from spanmill.storage.commits import DIRECTORY as COMMITS

_EXPECTED = (
    "expected dead letters (.arrow files, or their directory), what a parquet or duckdb exporter writes, one Parquet "
    "file of that, or a journal's directory"
)


def source_at(path: Path) -> Source:
    """The source at a path. Raises `ReplayError`, `CorruptLog`, `OSError`."""
    if not path.is_dir() and directory_of(path).is_dir():  # the file of a duckdb exporter, there or not
        path = directory_of(path)
    if path.is_dir():
        return _directory(path)
    if not path.exists():
        raise ReplayError(f"{path}: there is no such file or directory")
    if path.suffix == ".arrow":
        return Letters([path])
    if path.suffix == ".parquet":
        return StoredFiles([single_file(path)])
    raise ReplayError(f"{path}: nothing that can be replayed; {_EXPECTED}")


def _directory(path: Path) -> Source:
    if any(_is_table(path / table.name) for table in TABLES.values()):
        return StoredFiles(files_of_store(path))
    for signal, table in TABLES.items():
        if path.absolute().name == table.name and _is_table(path):
            return StoredFiles([file for file in files_of_store(path.absolute().parent) if file.signal is signal])
    if found := letters(path) or sorted(path.glob("[!.]*.arrow")):
        return Letters(found)
    if path.absolute().name == DEAD_LETTERS:
        return Letters([])
    if signal_of(path.absolute()) is not None and _has_segments(path):
        return Journals([path.absolute()])
    if journals := [each for each in pipeline_directories(path) if _has_segments(each)]:
        return Journals(journals)
    raise ReplayError(f"{path}: nothing that can be replayed; {_EXPECTED}")


def _is_table(path: Path) -> bool:
    return any((path / name).is_dir() for name in (COMMITS, TAIL, SETTLED))


def _has_segments(path: Path) -> bool:
    return next(path.glob(f"*{SUFFIX}"), None) is not None
