"""How rows are laid out inside one Parquet file."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from spanmill.schema import Table

SCHEMA_VERSION = 4
"""Version of the stored tables; in every file's metadata as `spanmill.schema`, with `spanmill.table` beside it."""

_SCHEMA = "spanmill.schema"

_DISTINCT = frozenset(
    {
        *("trace_id", "span_id", "parent_span_id", "start_time", "end_time", "time", "observed_time", "duration_ms"),
        *("attributes.key_value.value", "input", "output", "system_instructions", "body", "status_message"),
        *("session_id", "user_id", "value", "value_int", "sum", "min", "max", "time_to_first_token_ms"),
        *("input_cost_usd", "output_cost_usd", "cost_usd"),
        *("evaluation_explanation", "evaluation_lag_seconds", "evaluation_response_id", "evaluation_user_id"),
        "evaluation_session_id",
    }
)
"""Columns whose values rarely repeat: a dictionary would only cost time (a quarter of the time of writing a file)."""
_UNRANGED = frozenset(
    {
        *("trace_id", "span_id", "parent_span_id", "input", "output", "system_instructions", "body", "status_message"),
        *("evaluation_explanation", "evaluation_response_id"),
    }
)
"""Columns whose least and greatest value rule no row group out, as of anything inside lists and maps."""
_LOOKED_UP = "trace_id"
"""Gets a Bloom filter, so that a search for one trace opens few row groups."""
_SPANS_PER_TRACE = 4


@dataclass(frozen=True, slots=True)
class FileOptions:
    """What a user may choose about files."""

    compression: str = "zstd"
    """zstd, snappy, gzip, lz4 or none."""
    compression_level: int | None = None
    row_group_rows: int = 122_880
    row_group_bytes: int = 64 << 20
    """Bound of a row group in bytes of Arrow data; what writing and merging hold in memory at once."""

    def rows_at_once(self, rows: int, nbytes: int) -> int:
        """How many of `rows` rows of `nbytes` bytes together make a row group."""
        fitting = self.row_group_bytes * rows // max(nbytes, 1)
        return max(1, min(self.row_group_rows, fitting))


def open_writer(file: BinaryIO, table: Table, options: FileOptions, first: pa.Table, metadata: dict[str, str]) -> Any:
    """A `ParquetWriter` for rows like `first`, which are not written yet. Timestamps keep their nanoseconds."""
    described = {"spanmill.table": table.name, _SCHEMA: str(SCHEMA_VERSION), **metadata}
    codec = options.compression.upper()
    paths = list(_leaves(table.stored_schema))
    empty = {name for name in table.stored_schema.names if first.column(name).null_count == len(first)}
    bloom = {_LOOKED_UP: {"ndv": len(first) // _SPANS_PER_TRACE + 1, "fpp": 0.01}}
    return pq.ParquetWriter(
        file,
        table.stored_schema.with_metadata(described),
        version="2.6",
        # A compressor is set up for each column chunk, which for a column of nulls costs more than it saves.
        compression={path: "NONE" if path.partition(".")[0] in empty else codec for path in paths},
        compression_level=_levels(options, paths, empty),
        use_dictionary=[path for path in paths if path not in _DISTINCT],
        write_statistics=[path for path in paths if "." not in path and path not in _UNRANGED],
        write_page_index=True,
        bloom_filter_options=bloom if _LOOKED_UP in table.stored_schema.names and _LOOKED_UP not in empty else None,
    )


def schema_version(path: Path) -> int:
    """The version in a file's metadata; 0 where there is none, or no file that can be read."""
    try:
        found = (pq.read_metadata(path).metadata or {}).get(_SCHEMA.encode(), b"")
    except (OSError, pa.ArrowException):
        return 0
    return int(found) if found.isdigit() else 0


def _levels(options: FileOptions, paths: list[str], empty: set[str]) -> dict[str, int] | None:
    if options.compression_level is None or options.compression not in {"zstd", "gzip"}:
        return None
    return {path: options.compression_level for path in paths if path.partition(".")[0] not in empty}


def _leaves(schema: pa.Schema) -> Iterator[str]:
    """The columns as Parquet knows them: one for each primitive, lists and maps taken apart."""
    for field in schema:
        yield from _leaves_of(field.name, field.type)


def _leaves_of(path: str, kind: pa.DataType) -> Iterator[str]:
    if pa.types.is_map(kind):
        yield from _leaves_of(f"{path}.key_value.key", kind.key_type)
        yield from _leaves_of(f"{path}.key_value.value", kind.item_type)
    elif pa.types.is_list(kind):
        yield from _leaves_of(f"{path}.list.element", kind.value_type)
    elif pa.types.is_struct(kind):
        for child in kind:
            yield from _leaves_of(f"{path}.{child.name}", child.type)
    else:
        yield path
