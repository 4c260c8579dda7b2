"""The way back from the public tables to records, so that stored rows can leave as OTLP unchanged.

Public columns show values as people read them: times without the unknown, ids in hex, attributes as text. What that
leaves out is stored beside them in one column, `otlp`, which no view shows:

    otlp: struct<
        types           text     a letter for each value of the row (`otlp.letters`), in the order that the signal's
                                 module gives
        rest            binary   what else the columns do not say, as a serialized OTLP message; mostly null
        resource_types  text     the letters of the resource attributes
        resource_rest   binary   ResourceSpans without attributes and spans; null when the resource has nothing else
        scope           binary   ScopeSpans without spans; null when the scope has nothing but name and version
        metric          binary   (metrics only) Metric with nothing but its metadata; null when there is none
    >

Where `types` is null, `rest` is the whole item (Span, LogRecord, or a Metric of one point), because it holds something
that no column can show: a key twice, a time beyond the year 2262, bytes within an array. The same goes for
`resource_types` and `resource_rest`. Rows of a file that was written before there was this column have none: then the
types are guessed from the texts, and what no column shows is lost.

For each signal there is a module with the two directions; `Inverse` is what a table knows of them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

COLUMN = "otlp"


@dataclass(frozen=True, slots=True)
class Inverse:
    """Both directions for one table."""

    type: pa.StructType
    """Of the column `otlp`."""
    remainder: Callable[[pa.RecordBatch, pa.Table], pa.StructArray]
    """The column `otlp` from records and the public table that was made of them."""
    records: Callable[[pa.Table], pa.RecordBatch]
    """The records from a public table with the column `otlp`, in one chunk."""


__all__ = ["COLUMN", "Inverse"]
