"""Reads a condition with DuckDB's own parser: what it refers to, and whether it is an expression over one row."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import pyarrow as pa

from spanmill.conditions import engine
from spanmill.config.problems import did_you_mean
from spanmill.errors import SpanmillError
from spanmill.schema import TABLES
from spanmill.signal import Signal

Node = dict[str, Any]

_ALLOWED: Final = frozenset(
    {
        "COLUMN_REF", "CONSTANT", "COMPARISON", "CONJUNCTION", "OPERATOR", "FUNCTION", "CAST", "CASE", "BETWEEN",
        "COLLATE", "LAMBDA", "LAMBDA_REF", "TYPE",
    }
)  # fmt: skip
_REFUSED: Final = {
    "SUBQUERY": "a condition looks at {scope}; it cannot hold a subquery",
    "WINDOW": "a condition looks at {scope}; it cannot hold a window function",
    "STAR": "`*` and COLUMNS() stand for many columns; a condition names the ones it means",
    "PARAMETER": "parameters ($1, ?) have nothing to be filled with",
    "POSITIONAL_REFERENCE": "columns are named, not numbered",
}
MAPS: Final = frozenset({"attributes", "resource_attributes"})
_NOT_FOUND: Final = re.compile(r'Referenced column "(.+?)" not found')


class InvalidCondition(SpanmillError):  # noqa: N818 - a user's text, named for what it is
    """The SQL cannot be a condition. `problem` says why, `hint` (whole sentences) what to do."""

    def __init__(self, problem: str, hint: str = "") -> None:
        self.problem = problem
        self.hint = hint
        super().__init__(f"{problem}. {hint}" if hint else problem)


@dataclass(frozen=True, slots=True)
class Attribute:
    """An entry of a map column that the condition reads by a fixed key: `attributes['http.route']`."""

    column: str
    key: str

    @property
    def name(self) -> str:
        """What the entry is called as a column of its own. SQL does not tell upper case from lower in such names."""
        distinct = "" if self.key == self.key.lower() else f" {self.key.encode().hex()}"
        return f"{self.column}['{self.key}']{distinct}"


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked condition. `node` is its syntax tree, in which an `Attribute` is a column of that name."""

    node: Node
    columns: tuple[str, ...]
    """The public columns it refers to, beside `attributes`."""
    attributes: tuple[Attribute, ...]


def read(sql: str, signal: Signal) -> Expression:
    """Parse and check a condition over the signal's table. Raises `InvalidCondition`."""
    node = parse(sql)
    check(node, engine.functions())
    _bind(sql, signal)
    known = TABLES[signal].schema.names
    attributes: dict[str, Attribute] = {}
    node = replace_attributes(node, attributes)
    return Expression(node, named_columns(node, known), tuple(attributes.values()))


def select(node: Node, table: str) -> str:
    """The query that evaluates the expression for each row of a table."""
    tree = engine.parse(f"SELECT 1 FROM {table}")  # noqa: S608 - our own table's name
    tree["statements"][0]["node"]["select_list"] = [node]
    return engine.unparse(tree)


def text_constant(node: Node) -> str | None:
    """The text of a string literal, None for anything else. DuckDB 2 and DuckDB 1 write it differently."""
    if node.get("class") != "CONSTANT":
        return None
    if "literal" in node:
        return str(node["literal"]["text"]) if node["literal"]["kind"] == "STRING" else None
    value = node.get("value", {})
    return str(value["value"]) if value.get("type", {}).get("id") == "VARCHAR" and not value["is_null"] else None


def named_columns(node: Node, known: Iterable[str]) -> tuple[str, ...]:
    """The columns that the expression refers to. SQL does not tell upper case from lower."""
    names = {part.lower() for each in nodes(node) for part in each.get("column_names", ())}
    return tuple(name for name in known if name.lower() in names)


def parse(sql: str) -> Node:
    """The syntax tree of one expression. Raises `InvalidCondition`."""
    # The line breaks keep a comment at the end of the text from swallowing the bracket.
    tree = engine.parse(f"SELECT (\n{sql}\n)")
    if tree["error"]:
        raise InvalidCondition(f"not SQL: {tree['error_message']}")
    if len(tree["statements"]) != 1:
        raise InvalidCondition("a condition is one expression, not several statements")
    node: Node = tree["statements"][0]["node"]
    rest = ("from_table", "where_clause", "group_expressions", "having", "qualify", "modifiers")
    plain = node.get("type") == "SELECT_NODE" and node["from_table"]["type"] == "EMPTY"
    if not plain or len(node["select_list"]) != 1 or any(node.get(key) for key in rest[1:]):
        raise InvalidCondition("a condition is one expression, not a statement")
    return dict(node["select_list"][0])


def check(node: Node, functions: frozenset[str], scope: str = "one row") -> None:
    """Refuse what looks at more than `scope`, and functions that are not among these. Raises `InvalidCondition`."""
    for each in nodes(node):
        kind = each.get("class")
        if kind in _REFUSED:
            raise InvalidCondition(_REFUSED[kind].format(scope=scope))
        if kind is not None and kind not in _ALLOWED:
            raise InvalidCondition(f"{kind.lower().replace('_', ' ')} expressions are not for conditions")
        if kind == "FUNCTION":
            _check_function(each["function_name"], functions, scope)


def _check_function(name: str, functions: frozenset[str], scope: str) -> None:
    if name in functions:
        return
    kinds = engine.connection().execute(
        "SELECT DISTINCT function_type FROM duckdb_functions() WHERE function_name = ?", [name]
    )
    match [row[0] for row in kinds.fetchall()]:
        case []:
            raise InvalidCondition(f"there is no function {name}", did_you_mean(name, functions))
        case kinds if "aggregate" in kinds and name not in engine.RANDOM:
            raise InvalidCondition(f"a condition looks at one row; {name} is an aggregate over many")
        case _:
            raise InvalidCondition(f"{name} is not for conditions: it looks at more than {scope}")


def _bind(sql: str, signal: Signal) -> None:
    table = TABLES[signal]
    bind(f"SELECT (\n{sql}\n) FROM {table.name}", table.name, table.schema, sql)  # noqa: S608


def bind(query: str, table: str, schema: pa.Schema, sql: str) -> None:
    """Have DuckDB resolve names and types, and try the constants on a row of nulls.

    `query` has `sql`, the user's text, as its only column. Raises `InvalidCondition` also when that is no boolean.
    """
    names = ", ".join(schema.names)
    row = pa.Table.from_arrays([pa.nulls(1, field.type) for field in schema], schema=schema)
    try:
        result = engine.run(query, table, row)
    except duckdb.Error as error:
        message = str(error).split("\n", 1)[0]
        message = message.removeprefix("Binder Error: ").removeprefix("Conversion Error: ").rstrip("!")
        if (missing := _NOT_FOUND.search(str(error))) is None:
            raise InvalidCondition(message) from None
        name = missing[1]
        if f'"{name}"' in sql:
            hint = f"A text stands in single quotes: '{name}'."
        else:
            hint = " ".join(part for part in (did_you_mean(name, schema.names), f"There are: {names}.") if part)
        raise InvalidCondition(f"{table} has no column {name}", hint) from None
    if result.type != pa.bool_():
        raise InvalidCondition(f"the expression is {_sql_type(result.type)}, not a boolean")


def _sql_type(kind: pa.DataType) -> str:
    return "a text" if pa.types.is_string(kind) else f"of type {kind}"


def replace_attributes(node: Any, found: dict[str, Attribute]) -> Any:
    """The tree with `attributes['key']` as columns, so that the map need not be built for the sake of one key."""
    if isinstance(node, list):
        return [replace_attributes(each, found) for each in node]
    if not isinstance(node, dict):
        return node
    if (attribute := _attribute(node)) is not None:
        found[attribute.name] = attribute
        column = next(child for child in node["children"] if child["class"] == "COLUMN_REF")
        return {**column, "alias": node.get("alias", ""), "column_names": [attribute.name]}
    return {key: replace_attributes(value, found) for key, value in node.items()}


def _attribute(node: Node) -> Attribute | None:
    if node.get("type") != "ARRAY_EXTRACT" or len(node.get("children", ())) != 2:
        return None
    column, key = node["children"]
    text = text_constant(key)
    if column.get("class") != "COLUMN_REF" or text is None:
        return None
    name = column["column_names"][-1].lower()
    return Attribute(name, text) if name in MAPS else None


def nodes(tree: Any) -> Iterator[Node]:
    """Every object of the tree."""
    if isinstance(tree, list):
        for each in tree:
            yield from nodes(each)
    elif isinstance(tree, dict):
        yield tree
        for each in tree.values():
            if isinstance(each, dict | list):
                yield from nodes(each)
