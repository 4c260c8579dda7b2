"""The SQL that says what a filter written for the Collector says: OTTL conditions, and the older include and exclude.

Covers comparisons, `IsMatch`, `nil`, `and`, `or`, `not` and parentheses; anything else is not translated. Where the SQL
means exactly the same, the filter runs as it is; otherwise it goes into the error as advice.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

SECTIONS: Final = ("traces", "metrics", "logs", "trace_conditions", "metric_conditions", "log_conditions", "spans")
_FLAT: Final = {"trace_conditions": "traces", "metric_conditions": "metrics", "log_conditions": "logs"}
_CONTEXTS: Final = {
    "traces": ("span", "resource"),
    "metrics": ("metric", "datapoint", "resource"),
    "logs": ("log_record", "resource"),
}
_UNCERTAIN_WORDS: Final = frozenset({"not", "true", "false"})
"""Under `not`, SQL's null differs from OTTL's false; and attributes are texts here, so that `true` is like "true"."""

_TOKEN: Final = re.compile(
    r"""\s*(?:
      (?P<match>IsMatch)\s*\(
    | (?P<map>(?:(?:span|log|datapoint|resource)\.)?attributes)\[(?P<key>"(?:[^"\\]|\\.)*")\]
    | (?P<string>"(?:[^"\\]|\\.)*")
    | (?P<number>-?\d+(?:\.\d+)?)
    | (?P<operator>==|!=|<=|>=|<|>|\(|\)|,)
    | (?P<word>[A-Za-z_][A-Za-z0-9_.]*)
    )""",
    re.VERBOSE,
)
_WORDS: Final = {
    "and": "and",
    "or": "or",
    "not": "not",
    "true": "'true'",
    "false": "'false'",
    "nil": "null",
    "name": "name",
    "kind": "kind",
    "status.code": "status_code",
    "status.message": "status_message",
    "body": "body",
    "severity_number": "severity_number",
    "severity_text": "severity_text",
    "metric.name": "name",
    "metric.unit": "unit",
    "metric.description": "description",
    "instrumentation_scope.name": "scope_name",
    "scope.name": "scope_name",
}
_NOT_PATHS: Final = frozenset({"and", "or", "not", "true", "false", "nil"})
_DIFFERS: Final = "is distinct from"
"""To OTTL a value that is not there differs from every text; to SQL's `<>` it is neither."""
_SEVERITIES: Final = {"TRACE": 1, "DEBUG": 5, "INFO": 9, "WARN": 13, "ERROR": 17, "FATAL": 21}


@dataclass(slots=True)
class Translation:
    """What became of a filter written for the Collector."""

    drop: dict[str, list[str]] = field(default_factory=dict)
    """SQL conditions by signal."""
    left: list[str] = field(default_factory=list)
    """What was not translated."""
    exact: bool = True
    """Whether nothing was left and the SQL drops the very same rows."""

    def block(self) -> str:
        """The `drop` block as YAML."""
        lists = ", ".join(
            f"{signal}: [" + ", ".join('"' + sql.replace('"', '\\"') + '"' for sql in conditions) + "]"
            for signal, conditions in self.drop.items()
        )
        return f"drop: {{{lists}}}"

    def advice(self) -> str:
        """Sentences for an error."""
        sentences = [f"Write {self.block()}."] if self.drop else []
        if self.left:
            sentences.append(f"Not translated: {'; '.join(self.left)}.")
        return " ".join(sentences) or "Write drop: [\"name = '/healthz'\"] with the columns of the signal's table."


def translate(data: dict[str, Any]) -> Translation:
    """Translate every condition of a filter's body."""
    result = Translation()
    for signal, context, condition in _conditions(data):
        sql = to_sql(condition, context)
        if sql is None:
            result.left.append(condition)
        else:
            result.drop.setdefault(signal, []).append(sql)
            result.exact &= _is_exact(condition)
    for section in SECTIONS:
        if isinstance(body := data.get(section), dict):
            _translate_names(section, body, result)
    result.exact &= bool(result.drop) and not result.left
    return result


def _conditions(data: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Signal, context and text of every condition; a context without rows here makes its text untranslatable."""
    for section in SECTIONS:
        body = data.get(section)
        if section in _FLAT:
            yield from ((_FLAT[section], "", str(each)) for each in (body if isinstance(body, list) else ()))
        elif isinstance(body, dict):
            for context, group in body.items():
                known = context in _CONTEXTS.get(section, ())
                texts = group if isinstance(group, list) else ()
                yield from ((section, context, str(each) if known else f"{context}: {each}") for each in texts)


def _translate_names(signal: str, body: dict[str, Any], result: Translation) -> None:
    """`include` and `exclude` of metrics by name, from before there was OTTL."""
    for key in ("include", "exclude"):
        match = body.get(key)
        if match is None:
            continue
        by_name = signal == "metrics" and isinstance(match, dict) and set(match) == {"match_type", "metric_names"}
        names, kind = (match["metric_names"], match["match_type"]) if by_name else ([], "")
        if not isinstance(names, list) or not names or kind not in ("strict", "regexp"):
            result.left.append(key)
            continue
        texts = ["'" + str(name).replace("'", "''") + "'" for name in names]
        held = f"name in ({', '.join(texts)})"
        if kind == "regexp":
            held = " or ".join(f"regexp_matches(name, {text})" for text in texts)
        result.drop.setdefault(signal, []).append(held if key == "exclude" else f"not ({held})")


def to_sql(condition: str, context: str = "") -> str | None:
    """The SQL for one OTTL condition, or None where the translation would be a guess.

    `context` is what paths without one refer to: `resource`, or the row.
    """
    parts, end, text = [], 0, condition.strip()
    while end < len(text):
        match = _TOKEN.match(text, end)
        piece = _piece(match, context) if match else None
        if match is None or piece is None:
            return None
        parts.append(piece)
        end = match.end()
    sql = " ".join(parts).replace("( ", "(").replace(" )", ")").replace(" ,", ",")
    return sql.replace(f"{_DIFFERS} null", "is not null").replace("= null", "is null") or None


def _is_exact(condition: str) -> bool:
    for match in _TOKEN.finditer(condition):
        empty = match.lastgroup == "string" and match["string"] == '""'  # columns are null rather than empty
        if empty or match.lastgroup == "number" or (match.lastgroup == "word" and match["word"] in _UNCERTAIN_WORDS):
            return False
    return True


def _piece(match: re.Match[str], context: str) -> str | None:
    kind = match.lastgroup
    if kind == "match":
        return "regexp_matches("
    if kind == "key":
        of_resource = match["map"].startswith("resource.") or (context == "resource" and match["map"] == "attributes")
        table = "resource_attributes" if of_resource else "attributes"
        return f"{table}[{_quote(match['key'])}]"
    if kind == "string":
        return _quote(match["string"])
    if kind == "operator":
        return {"==": "=", "!=": _DIFFERS}.get(match["operator"], match["operator"])
    if kind == "number":
        return match["number"]
    word = match["word"]
    return _word(word) if context != "resource" or word in _NOT_PATHS else None


def _quote(text: str) -> str:
    inner = re.sub(r"\\(.)", r"\1", text[1:-1])
    return "'" + inner.replace("'", "''") + "'"


def _word(word: str) -> str | None:
    for prefix, values in (("SPAN_KIND_", None), ("STATUS_CODE_", None), ("SEVERITY_NUMBER_", _SEVERITIES)):
        if word.startswith(prefix):
            rest = word.removeprefix(prefix)
            return f"'{rest.lower()}'" if values is None else str(values[rest]) if rest in values else None
    for prefix in ("span.", "log.", "datapoint."):
        word = word.removeprefix(prefix)
    return _WORDS.get(word)
