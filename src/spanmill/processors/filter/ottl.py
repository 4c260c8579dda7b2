"""The SQL that says what an OTTL condition of the Collector's filter says, for use in an error message.

Covers comparisons, `IsMatch`, `nil`, `and`, `or`, `not` and parentheses; anything else is not translated.
"""

import re
from typing import Any, Final

SECTIONS: Final = ("traces", "metrics", "logs", "trace_conditions", "metric_conditions", "log_conditions", "spans")
_FLAT: Final = {"trace_conditions": "traces", "metric_conditions": "metrics", "log_conditions": "logs"}

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
_SEVERITIES: Final = {"TRACE": 1, "DEBUG": 5, "INFO": 9, "WARN": 13, "ERROR": 17, "FATAL": 21}


def to_sql(condition: str) -> str | None:
    """The SQL for one OTTL condition, or None where the translation would be a guess."""
    parts, end, text = [], 0, condition.strip()
    while end < len(text):
        match = _TOKEN.match(text, end)
        piece = _piece(match) if match else None
        if match is None or piece is None:
            return None
        parts.append(piece)
        end = match.end()
    sql = " ".join(parts).replace("( ", "(").replace(" )", ")").replace(" ,", ",")
    return sql.replace("!= null", "is not null").replace("= null", "is null") or None


def _piece(match: re.Match[str]) -> str | None:
    kind = match.lastgroup
    if kind == "match":
        return "regexp_matches("
    if kind == "key":
        table = "resource_attributes" if match["map"].startswith("resource.") else "attributes"
        return f"{table}[{_quote(match['key'])}]"
    if kind == "string":
        return _quote(match["string"])
    if kind == "operator":
        return "=" if match["operator"] == "==" else match["operator"]
    if kind == "number":
        return match["number"]
    return _word(match["word"])


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


def advice(data: dict[str, Any]) -> str:
    """A sentence with the `drop` block that stands for the OTTL in `data`; what could not be translated is named."""
    drop: dict[str, list[str]] = {}
    left = []
    for signal, condition in _conditions(data):
        sql = to_sql(condition)
        if sql is None:
            left.append(condition)
        else:
            drop.setdefault(signal, []).append(sql)
    sentences = []
    if drop:
        lists = ", ".join(
            f"{signal}: [" + ", ".join('"' + sql.replace('"', '\\"') + '"' for sql in conditions) + "]"
            for signal, conditions in drop.items()
        )
        sentences.append(f"Write drop: {{{lists}}}.")
    if left:
        sentences.append(f"Not translated: {'; '.join(left)}.")
    return " ".join(sentences) or "Write drop: [\"name = '/healthz'\"] with the columns of the signal's table."


def _conditions(data: dict[str, Any]) -> list[tuple[str, str]]:
    found = []
    for section in SECTIONS:
        body = data.get(section)
        signal = _FLAT.get(section, section)
        groups = body.values() if isinstance(body, dict) else [body]
        for group in groups:
            if isinstance(group, list):
                found += [(signal, condition) for condition in group if isinstance(condition, str)]
    return found
