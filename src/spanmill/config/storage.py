"""Blocks that the exporters into files share: compaction and retention."""

from typing import Literal

from spanmill.config.base import Model
from spanmill.config.values import Duration, Flag, Positive

FileCompression = Literal["zstd", "snappy", "gzip", "lz4", "none"]


class Compaction(Model):
    """How small files are put together in the background."""

    enabled: Flag = True
    """Off: files stay as they were written."""
    interval: Duration = 600.0
    """How often small files are looked for."""
    min_files: Positive = 8
    """A partition with fewer small files is left alone."""
    target_size_mib: Positive = 512
    """Size that files are put together to, in MiB."""
    grace: Duration = 600.0
    """How long files that were put together stay, for queries under way."""


class CatalogueCompaction(Compaction):
    """The same for a database: a connection that somebody keeps open goes on needing the files it was opened on."""

    grace: Duration = 3600.0
    """How long files that were put together stay. A connection that is older may have to be opened again."""
