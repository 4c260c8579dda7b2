"""Conditions over groups of rows: SQL booleans made of aggregates, `max(duration_ms) > 30000 or count(*) > 100`.

They are read here and evaluated by whoever groups the rows, many of them in one query: see `Having`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from spanmill.conditions import engine
from spanmill.conditions.expression import (
    Attribute,
    InvalidCondition,
    Node,
    bind,
    check,
    named_columns,
    nodes,
    parse,
    replace_attributes,
)

_HINT: Final = "Say of which rows: bool_or(...) when it is enough that it is so for one, bool_and(...) for all."


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One aggregate, as SQL in a query over the rows."""

    sql: str
    tried: str
    """The same, leaving out rows for which its arguments cannot be worked out."""
    failed: str
    """Another one: whether there are such rows. Empty where there cannot be."""

    @property
    def name(self) -> str:
        """What its column is called; equal aggregates have the same name."""
        return f"aggregate_{hashlib.blake2b(self.sql.encode(), digest_size=8).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Having:
    """A condition that was read. It holds for a group where `sql` is true in a query over the columns that the
    aggregates give, under their names, in a query over the group's rows."""

    sql: str
    aggregates: tuple[Aggregate, ...]
    columns: tuple[str, ...] = ()
    """The columns that the aggregates refer to, beside `attributes`."""
    attributes: tuple[Attribute, ...] = ()
    """Entries of maps that they refer to as columns of these names."""


def read(sql: str, table: str, schema: pa.Schema, of_group: Mapping[str, str]) -> Having:
    """Parse and check a condition over groups of rows of a table.

    `of_group` has names that stand for a value of the whole group, with the aggregates that give it. Raises
    `InvalidCondition`.
    """
    node = parse(sql)
    check(node, engine.functions() | engine.aggregates(), "a group of rows")
    attributes: dict[str, Attribute] = {}
    found: dict[str, Aggregate] = {}
    reader = _Reader(of_group, found, table, schema)
    outer = to_sql(reader.replaced(node, frozenset()))
    listed = ", ".join(f"{each.sql} AS {each.name}" for each in found.values()) or "1 AS nothing"
    bind(f"SELECT ({outer}) FROM (SELECT {listed} FROM {table})", table, schema, sql)  # noqa: S608 - our own names
    found.clear()
    outer = to_sql(reader.replaced(replace_attributes(node, attributes), frozenset()))
    parts = {"parts": [parse(each.sql) for each in found.values()]}
    columns = named_columns(parts, schema.names)
    return Having(outer, tuple(found.values()), columns, tuple(attributes.values()))


def to_sql(node: Node) -> str:
    """The SQL of an expression."""
    tree = engine.parse("SELECT 1")
    tree["statements"][0]["node"]["select_list"] = [node]
    return engine.unparse(tree).removeprefix("SELECT ")


@dataclass(frozen=True, slots=True)
class _Reader:
    of_group: Mapping[str, str]
    found: dict[str, Aggregate]
    table: str
    schema: pa.Schema

    def replaced(self, node: Any, bound: frozenset[str]) -> Any:
        """The tree with each aggregate as a column. `bound`: the parameters of lambdas around it."""
        if isinstance(node, list):
            return [self.replaced(each, bound) for each in node]
        if not isinstance(node, dict):
            return node
        if node.get("class") == "COLUMN_REF":
            return self._of_group(node, bound)
        if node.get("class") == "FUNCTION" and node["function_name"] in engine.aggregates():
            return self._aggregate(node)
        if node.get("class") == "LAMBDA":
            bound |= {part for each in nodes(node["lhs"]) for part in each.get("column_names", ())}
        return {key: self.replaced(value, bound) for key, value in node.items()}

    def _of_group(self, node: Node, bound: frozenset[str]) -> Node:
        name, *rest = node["column_names"]
        if name in bound:
            return node
        if rest and name.lower() == self.table:
            name = rest[0]
        if name.lower() in self.of_group:
            return dict(self.replaced(parse(self.of_group[name.lower()]), bound))
        if name.lower() in (known.lower() for known in self.schema.names):
            raise InvalidCondition(f"{name} has a value for each row, and stands outside of an aggregate", _HINT)
        return node

    def _aggregate(self, node: Node) -> Node:
        for each in nodes([value for key, value in node.items() if key != "function_name"]):
            name = each.get("column_names", [""])[0].lower()
            if name in self.of_group and name not in self.schema.names:
                raise InvalidCondition(f"{name} is a value of the whole group", "Write it outside of an aggregate.")
            if each is not node and each.get("function_name") in engine.aggregates():
                raise InvalidCondition(f"{each['function_name']} is an aggregate within an aggregate")
        aggregate = _compiled(node)
        self.found[aggregate.name] = aggregate
        return _column(aggregate.name)


def _column(name: str) -> Node:
    return parse(f'"{name}"')


def _compiled(node: Node) -> Aggregate:
    parts: list[Node] = [dict(each.get("expression", each)) for each in _arguments(node)]
    if node.get("filter"):
        parts.append(node["filter"])
    failed = " OR ".join(f"bool_or(TRY([{to_sql(part)}]) IS NULL)" for part in parts if _can_fail(part))
    return Aggregate(to_sql(node), to_sql(_tried(node)), failed)


def _arguments(node: Node) -> list[Node]:
    """DuckDB 2 calls them so, and puts a name beside each."""
    return list(node["arguments"] if "arguments" in node else node["children"])


def _tried(node: Node) -> Node:
    key = "arguments" if "arguments" in node else "children"
    attempted = [
        {**each, "expression": _try(each["expression"])} if "expression" in each else _try(each) for each in node[key]
    ]
    return {**node, key: attempted, **({"filter": _try(node["filter"])} if node.get("filter") else {})}


def _try(node: Node) -> Node:
    return parse(f"TRY({to_sql(node)})") if _can_fail(node) else node


def _can_fail(node: Node) -> bool:
    return node.get("class") not in ("CONSTANT", "COLUMN_REF")
