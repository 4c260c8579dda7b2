"""Configuration of the file exporter."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from spanmill.config.base import Model
from spanmill.config.values import Duration, Flag, Positive, Whole, invalid


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
    """One file for each value of a resource attribute: not supported."""

    enabled: Flag = False
    """Must stay off. For files by attribute use an exporter for each, behind `filter` processors."""
    resource_attribute: str = "fileexporter.path_segment"
    """Accepted for the Collector's sake."""
    max_open_files: Positive = 100
    """Accepted for the Collector's sake."""

    @field_validator("enabled")
    @classmethod
    def is_off(cls, value: bool) -> bool:
        if value:
            hint = "Use one exporter for each group, behind a `filter` processor."
            raise invalid("one file for each value of an attribute is not supported", "false", hint)
        return value


class FileExporterConfig(Model):
    """Writes what came through as OTLP, one request after another."""

    on_when_null: ClassVar = frozenset({"rotation"})
    unsupported: ClassVar = {"encoding": "encoding extensions are not supported; write `format`"}

    path: Annotated[str, Field(min_length=1)]
    """The file to write."""
    format: Literal["json", "proto"] = "json"
    """`json`: one OTLP/JSON request a line. `proto`: protobuf, each request after its length in 4 bytes, big-endian."""
    append: Flag = False
    """Go on at the end of the file. Off: it is emptied at start, as the Collector does, unless there is `rotation`."""
    compression: Literal["zstd"] | None = None
    """Compress each request; each then stands after its length in 4 bytes. None: no compression."""
    flush_interval: Duration = 1.0
    """How often what was written is forced to the disk (fsync); 0: after every write."""
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
