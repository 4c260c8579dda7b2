"""Configuration of the parquet exporter."""

from typing import Annotated, ClassVar

from pydantic import Field

from spanmill.config.base import Model
from spanmill.config.storage import Compaction, FileCompression
from spanmill.config.values import Duration, Positive


class ParquetExporterConfig(Model):
    """Writes Parquet files in Hive partitions (`spans/date=2025-01-31/hour=13/`), each row exactly once.

    A file is written when `target_size_mib` is reached, or after `max_age`. Small files are put together later.
    """

    on_when_null: ClassVar = frozenset({"compaction"})

    directory: Annotated[str, Field(min_length=1)]
    """The directory that holds `spans/`, `metrics/` and `logs/`; made if it is not there."""
    target_size_mib: Positive = 32
    """Write a file as soon as so much is gathered, in MiB of columns in memory: a tenth of it or so on disk.

    Writing takes two to three times as much memory for a moment. Compaction makes larger files of these."""
    max_age: Duration = 60.0
    """Write a file when its first row has waited so long. What is not written yet cannot be queried."""
    compression: FileCompression = "zstd"
    """How column chunks are compressed."""
    compression_level: Annotated[int, Field(strict=True, ge=1, le=22)] | None = None
    """Level for zstd (1 to 22) and gzip (1 to 9). None: the library's default."""
    row_group_rows: Positive = 122_880
    """Most rows in a row group; what a query reads at once."""
    compaction: Compaction = Compaction()
    """How small files are put together."""
    retention: Duration = 0.0
    """Delete partitions whose newest row is older than this; 0: keep for ever."""
