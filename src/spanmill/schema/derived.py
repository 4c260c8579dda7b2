"""Tables that have no files of their own: some columns of some rows of another table, under names of their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from spanmill.schema.logs import LOGS
from spanmill.schema.table import Table


@dataclass(frozen=True, slots=True)
class Derived:
    """A view over a table."""

    name: str
    of: Table
    columns: Mapping[str, str]
    """The name of each column here, and there."""
    where_set: str
    """A column of the table that is null in rows that do not belong here."""

    def docs(self) -> dict[str, str]:
        """What each column is, under its name here."""
        return {name: self.of.column(column).doc for name, column in self.columns.items()}


_SAME_NAME: Final = ("judge_provider", "judge_model", "template_hash")
_WITHOUT_PREFIX: Final = (
    *("cost_usd", "outcome", "sample_weight", "threshold", "passed", "lag_seconds", "user_id", "session_id", "model"),
    *("feature", "prompt", "prompt_version", "language", "response_id", "error_type"),
)


def _short(*names: str) -> dict[str, str]:
    return {name: f"evaluation_{name}" for name in names}


EVALUATIONS: Final = Derived(
    "evaluations",
    LOGS,
    {name: name for name in ("time", "trace_id", "span_id")}
    | _short("name", "score", "label", "explanation", "source")
    | {name: name for name in _SAME_NAME}
    | _short(*_WITHOUT_PREFIX)
    | {"service_name": "service_name"},
    where_set="evaluation_source",
)
DERIVED: Final = (EVALUATIONS,)
