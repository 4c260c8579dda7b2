"""Conditions are SQL: booleans over the public columns of a batch, run by DuckDB on the Arrow data.

`Condition(sql, signal)` is all that others need. Within: `expression` reads and checks the SQL, `engine` is the DuckDB
that runs it, `comparisons` runs the simple and frequent ones without it.
"""

from spanmill.conditions.condition import Condition, ConditionFailed
from spanmill.conditions.expression import InvalidCondition

__all__ = ["Condition", "ConditionFailed", "InvalidCondition"]
