"""The simple conditions (comparisons of columns with constants, `and`, `or`, `not`) as Arrow functions.

A call of DuckDB costs about a millisecond however few the rows; these cost some ten microseconds. What is not certain
to mean the same is left to DuckDB, and tests compare the two.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from spanmill.conditions.expression import Node, text_constant

Columns = Mapping[str, pa.Array]
Evaluate = Callable[[Columns], pa.BooleanArray]
"""From the columns that the condition refers to; null where SQL says null."""

_COMPARE: Final = {
    "COMPARE_EQUAL": (pc.equal, pc.equal),
    "COMPARE_NOTEQUAL": (pc.not_equal, pc.not_equal),
    "COMPARE_LESSTHAN": (pc.less, pc.greater),
    "COMPARE_LESSTHANOREQUALTO": (pc.less_equal, pc.greater_equal),
    "COMPARE_GREATERTHAN": (pc.greater, pc.less),
    "COMPARE_GREATERTHANOREQUALTO": (pc.greater_equal, pc.less_equal),
}
"""Each operator, and the one that means the same with the operands exchanged."""
_LIKE: Final = frozenset({"~~", "!~~"})
"""How DuckDB's parser writes LIKE and NOT LIKE."""
_EXACT: Final = range(-(2**31), 2**31)
"""Constants that every numeric column's type holds exactly, unless it is unsigned."""


class NotANumber(Exception):  # noqa: N818 - a reason to ask DuckDB, not a fault
    """A column holds NaN, which SQL orders and Arrow does not."""


def compile_simple(node: Node, types: Mapping[str, pa.DataType]) -> Evaluate | None:
    """How to evaluate an expression over columns of these types; None when it is not simple.

    The function may raise `NotANumber`.
    """
    kind = node.get("type", "")
    children = [compile_simple(child, types) for child in node.get("children", ())]
    if kind in ("CONJUNCTION_AND", "CONJUNCTION_OR"):
        return _conjunction(pc.and_kleene if kind == "CONJUNCTION_AND" else pc.or_kleene, children)
    if kind == "OPERATOR_NOT" and children[0] is not None:
        return partial(_apply, function=pc.invert, operand=children[0])
    if kind == "COLUMN_REF":
        name = _column(node, types)
        return partial(_pick, name=name) if name is not None and types[name] == pa.bool_() else None
    if kind in ("OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL"):
        name = _column(node["children"][0], types)
        function = pc.is_null if kind == "OPERATOR_IS_NULL" else pc.is_valid
        return None if name is None else partial(_of_column, function=function, name=name)
    if kind == "COMPARE_IN":
        return _membership(node, types)
    if node.get("class") == "FUNCTION" and node.get("function_name") in _LIKE:
        return _like(node, types)
    return _comparison(node, types) if kind in _COMPARE else None


def _conjunction(function: Callable[..., pa.Array], children: list[Evaluate | None]) -> Evaluate | None:
    operands = [child for child in children if child is not None]
    if len(operands) != len(children):
        return None

    def evaluate(columns: Columns) -> pa.BooleanArray:
        result = operands[0](columns)
        for operand in operands[1:]:
            result = function(result, operand(columns))
        return result

    return evaluate


def _comparison(node: Node, types: Mapping[str, pa.DataType]) -> Evaluate | None:
    function, exchanged = _COMPARE[node["type"]]
    left, right = node["left"], node["right"]
    if (name := _column(left, types)) is None:
        left, right, function = right, left, exchanged
        name = _column(left, types)
    if name is None:
        return None
    constant = _constant(right, types[name])
    return None if constant is None else partial(_compare, function=function, name=name, constant=constant)


def _membership(node: Node, types: Mapping[str, pa.DataType]) -> Evaluate | None:
    name = _column(node["children"][0], types)
    wanted = [text_constant(child) for child in node["children"][1:]]
    if name is None or types[name] != pa.string() or None in wanted:
        return None
    values = pa.array(wanted, pa.string())

    def evaluate(columns: Columns) -> pa.BooleanArray:
        texts = columns[name]
        found = pc.is_in(texts, value_set=values)
        return pc.if_else(texts.is_valid(), found, pa.scalar(None, pa.bool_())) if texts.null_count else found

    return evaluate


def _like(node: Node, types: Mapping[str, pa.DataType]) -> Evaluate | None:
    """LIKE with nothing but `%` in its pattern: escapes and `_` are not the same in Arrow."""
    text, pattern = (_argument(argument) for argument in node["arguments"])
    name, wanted = _column(text, types), text_constant(pattern)
    if name is None or types[name] != pa.string() or wanted is None or "_" in wanted or "\\" in wanted:
        return None
    matches = partial(_of_column, function=partial(pc.match_like, pattern=wanted), name=name)
    return matches if node["function_name"] == "~~" else partial(_apply, function=pc.invert, operand=matches)


def _argument(argument: Node) -> Node:
    """DuckDB 2 puts a name beside each argument."""
    return dict(argument.get("expression", argument))


def _column(node: Node, types: Mapping[str, pa.DataType]) -> str | None:
    if node.get("class") != "COLUMN_REF" or len(node["column_names"]) != 1:
        return None
    name = node["column_names"][0]
    return name if name in types else None


def _constant(node: Node, kind: pa.DataType) -> pa.Scalar | None:
    if kind == pa.string():
        text = text_constant(node)
        return None if text is None else pa.scalar(text, kind)
    literal = node.get("literal", {})
    try:
        number: Any = {"INTEGER": int, "NUMERIC": float}[literal["kind"]](literal["text"])
    except (KeyError, ValueError):
        return None
    if pa.types.is_float64(kind):
        return pa.scalar(float(number), kind) if not isinstance(number, int) or number in _EXACT else None
    if not pa.types.is_integer(kind) or not isinstance(number, int) or number not in _EXACT:
        return None
    return pa.scalar(number, kind) if number >= 0 or pa.types.is_signed_integer(kind) else None


def _pick(columns: Columns, name: str) -> pa.Array:
    return columns[name]


def _apply(columns: Columns, function: Callable[..., pa.Array], operand: Evaluate) -> pa.Array:
    return function(operand(columns))


def _of_column(columns: Columns, function: Callable[..., pa.Array], name: str) -> pa.Array:
    return function(columns[name])


def _compare(columns: Columns, function: Callable[..., pa.Array], name: str, constant: pa.Scalar) -> pa.BooleanArray:
    column = columns[name]
    if pa.types.is_floating(column.type) and pc.any(pc.is_nan(column)).as_py():
        raise NotANumber
    return function(column, constant)
