"""Configuration of the file exporter."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from spanmill.config.base import Model
from spanmill.config.values import Duration, Flag, Positive, Whole


class Rotation(Model):
    """When a file is put aside and a new one begun."""

    max_megabytes: Positive = 100
    """Size of a full file, in MiB."""
    max_days: Whole = 0
    """Delete files put aside so many days ago; 0: never."""
    max_backups: Whole = 100
    """Keep so many files put aside; 0: all."""
    localtime: Flag = False
    """Name files put aside after local time rather than UTC."""


class GroupBy(Model):
    """One file for each value of a resource attribute."""

    enabled: Flag = False
    """On: `path` must hold one `*`, which the value replaces."""
    resource_attribute: str = "fileexporter.path_segment"
    """The attribute whose value goes into the path."""
    max_open_files: Positive = 100
    """Most files open at once; the least recently used is closed."""


class FileExporterConfig(Model):
    """Writes what came through as OTLP, one request after another."""

    on_when_null: ClassVar = frozenset({"rotation"})
    unsupported: ClassVar = {"encoding": "encoding extensions are not supported; write `format`"}

    path: Annotated[str, Field(min_length=1)]
    """The file to write."""
    format: Literal["json", "proto"] = "json"
    """`json`: one OTLP/JSON request a line. `proto`: protobuf, each request after its length in 4 bytes, big-endian."""
    append: Flag = False
    """Go on at the end of the file. Off: the file is emptied at start, as the Collector does."""
    compression: Literal["zstd"] | None = None
    """Compress each request; each then stands after its length in 4 bytes. None: no compression."""
    flush_interval: Duration = 1.0
    """How often what is written is handed to the operating system."""
    rotation: Rotation | None = None
    """When a new file is begun. None: never. A bare `rotation:` turns it on at its defaults."""
    group_by: GroupBy = GroupBy()
    """One file for each value of a resource attribute."""
    create_directory: Flag = False
    """Make the directories of `path`."""
    directory_permissions: Annotated[str, Field(pattern="^0?[0-7]{3}$")] = "0755"
    """Permissions of directories that are made, in octal."""

    @field_validator("compression", mode="before")
    @classmethod
    def empty_is_none(cls, value: Any) -> Any:
        return None if value in ("", "none") else value
