"""Configuration of the duckdb exporter."""

from typing import Annotated, Any, ClassVar

from pydantic import Field, field_validator

from spanmill.config.base import Model
from spanmill.config.storage import CatalogueCompaction
from spanmill.config.values import Duration, invalid

_LONGEST_AGE_SECONDS = 10.0


class DuckdbExporterConfig(Model):
    """Keeps a DuckDB database that other processes can query while it is written, each row exactly once."""

    on_when_null: ClassVar = frozenset({"compaction"})

    path: Annotated[str, Field(min_length=1)]
    """The database to open with DuckDB; its directory is made if it is not there."""
    max_age: Duration = 5.0
    """Rows can be queried after so long at most; no more than 10s."""
    compaction: CatalogueCompaction = CatalogueCompaction()
    """How small files are put together."""
    retention: Duration = 0.0
    """Delete rows older than this; 0: keep for ever."""

    @field_validator("max_age")
    @classmethod
    def fresh(cls, value: Any) -> Any:
        if not 0 < value <= _LONGEST_AGE_SECONDS:
            raise invalid("the age is out of range", "more than 0 and at most 10s")
        return value
