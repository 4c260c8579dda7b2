"""What is in the file that users open."""

from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from spanmill.disk import Disk
from spanmill.exporters.duckdb.catalogue import Snapshot, publish
from spanmill.schema import TABLES
from spanmill.signal import Signal

_HEADERS_BYTES = 3 * 4096
SPANS = TABLES[Signal.TRACES]


def _catalogue_of(files: int, directory: Path) -> bytes:
    path, file = directory / f"{files}.duckdb", directory / "empty.parquet"
    pq.write_table(SPANS.schema.empty_table(), file)
    publish(Disk(), path, [Snapshot(SPANS, [file] * files)])
    return path.read_bytes()


@pytest.mark.parametrize("files", [1, 40, 300])
def test_a_reader_for_whom_the_catalogue_changes_between_its_headers_and_its_content_gets_the_new_one(
    tmp_path: Path, files: int
) -> None:
    old, new = _catalogue_of(0, tmp_path), _catalogue_of(files, tmp_path)
    torn = tmp_path / "torn.duckdb"
    torn.write_bytes(old[:_HEADERS_BYTES] + new[_HEADERS_BYTES:])
    with duckdb.connect(str(torn), read_only=True) as connection:
        (sql,) = connection.execute("SELECT sql FROM duckdb_views() WHERE view_name = 'spans'").fetchall()[0]
        assert sql.count("empty.parquet") == files
        assert connection.execute("SELECT count(*) FROM spans").fetchall() == [(0,)]
