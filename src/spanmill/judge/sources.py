"""Where a template's variable comes from, and the rows that it is read from."""

from dataclasses import dataclass
from typing import Final, Protocol

import pyarrow as pa

QUESTION: Final = "question"
"""What the user asked last in `input`. It stands where a column's name stands."""


class Rows(Protocol):
    """Spans by their public columns: a `Batch` of traces, or anything that has such columns."""

    def __len__(self) -> int: ...

    def column(self, name: str) -> pa.Array:
        """One public column of the table `spans`; nulls where nothing is known."""


@dataclass(frozen=True, slots=True)
class Source:
    """Either a column or an attribute, of the judged span or of other spans of its trace."""

    column: str = ""
    """A public column, or `question`."""
    attribute: str = ""
    """The key of an attribute."""
    operation: str = ""
    """Of all spans of the trace with this operation, in order of time. Empty: of the judged span."""
    max_characters: int | None = None
    """What is longer is cut in the middle. None: the evaluator's own limit."""

    @property
    def held_in(self) -> str:
        """The public column in which its value stands."""
        if self.attribute:
            return "attributes"
        return "input" if self.column == QUESTION else self.column

    @property
    def of_trace(self) -> bool:
        """Whether other spans of the trace are needed."""
        return bool(self.operation)
