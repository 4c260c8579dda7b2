"""Rows to partitions: one for each hour (UTC) of the table's time column, named as Hive does."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

NANOSECONDS_PER_HOUR = 3_600_000_000_000
UNKNOWN = "__HIVE_DEFAULT_PARTITION__"
"""Hive's name for null. Readers of Hive partitions, DuckDB among them, turn it back into null."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Hour = int | None
"""Hours since 1970; None for rows whose time is unknown."""


def directory_of(hour: Hour) -> str:
    """`date=2025-01-31/hour=13`."""
    if hour is None:
        return f"date={UNKNOWN}/hour={UNKNOWN}"
    moment = _EPOCH + timedelta(hours=hour)
    return f"date={moment:%Y-%m-%d}/hour={moment:%H}"


def hour_of(directory: str) -> Hour:
    """The hour of a directory named by `directory_of`."""
    date, hour = (part.partition("=")[2] for part in directory.split("/"))
    if date == UNKNOWN:
        return None
    moment = datetime.fromisoformat(date).replace(tzinfo=UTC) + timedelta(hours=int(hour))
    return (moment - _EPOCH) // timedelta(hours=1)


def by_hour(rows: pa.Table, time_column: str) -> Iterator[tuple[Hour, pa.Table]]:
    """The rows of each hour in their order, the hour with the most rows first. Without a copy if there is only one."""
    times = rows.column(time_column)
    span = pc.min_max(times.cast(pa.int64())).as_py()
    if times.null_count == 0 and len(rows) and _hour(span["min"]) == _hour(span["max"]):
        yield _hour(span["min"]), rows
        return
    nanoseconds = pc.fill_null(times.cast(pa.int64()), 0).to_numpy()
    # A null's own value comes before any hour that a 64-bit count of nanoseconds can have.
    hours = np.where(times.is_null().to_numpy(), np.iinfo(np.int32).min, nanoseconds // NANOSECONDS_PER_HOUR)
    found, codes, counts = np.unique(hours, return_inverse=True, return_counts=True)
    ordered = rows.take(pa.array(np.argsort(codes, kind="stable")))
    ends = np.cumsum(counts)
    for index in np.argsort(-counts, kind="stable"):
        hour = int(found[index])
        part = ordered.slice(int(ends[index] - counts[index]), int(counts[index]))
        yield None if hour == np.iinfo(np.int32).min else hour, part


def _hour(nanoseconds: int) -> int:
    return nanoseconds // NANOSECONDS_PER_HOUR
