"""Policies that say yes or no about a trace, as SQL over it.

What each type means is the Collector's doing, as of contrib 0.164: attributes are looked for on spans and on their
resources, and one of another type is none (the Collector takes it for 0, "" or false). Latency is that of the whole
trace (the Collector stops at the first span with which it is within its bounds).
"""

import re
from dataclasses import dataclass
from typing import Final

from spanmill.conditions.expression import Attribute
from spanmill.conditions.having import Aggregate, Having, read
from spanmill.processors.filter.ottl import translate
from spanmill.processors.tail_sampling.policies.columns import (
    SCHEMA,
    TABLE,
    PublicColumn,
    Source,
    TextOfAttribute,
    TypedAttribute,
    column,
)
from spanmill.processors.tail_sampling.policy_config import (
    BooleanAttribute,
    Latency,
    NumericAttribute,
    OttlCondition,
    SpanCount,
    StringAttribute,
    TraceStateMember,
)
from spanmill.processors.tail_sampling.policy_tree import SubPolicy

_OF_TRACE: Final = {
    "span_count": "count(*)",
    "trace_duration_ms": "(epoch_ns(max(end_time)) - epoch_ns(min(start_time))) / 1000000.0",
    "lowest_score": "min(lowest_score)",
    "negative_feedback": "bool_or(negative_feedback)",
}
"""What `having` may refer to outside of aggregates."""
_MOST_TRACE_STATE: Final = 256
"""Characters of a member, as the Collector has it."""


@dataclass(frozen=True, slots=True)
class Match:
    """A question about a trace: see `conditions.having.Having`."""

    sql: str
    aggregates: tuple[Aggregate, ...]
    sources: tuple[Source, ...]


def match_of(policy: SubPolicy) -> Match | None:
    """The question that a policy asks; None for one that asks none. Raises `InvalidCondition`."""
    match policy:
        case SubPolicy(type="sql", having=str(sql)):
            return having(sql)
        case SubPolicy(latency=Latency() as latency):
            return _latency(latency)
        case SubPolicy(numeric_attribute=NumericAttribute() as number):
            return _number(number)
        case SubPolicy(string_attribute=StringAttribute() as text):
            return _text(text)
        case SubPolicy(boolean_attribute=BooleanAttribute() as boolean):
            sides = _sides(boolean.key, "bool")
            return _any(" OR ".join(f"{_name(side)} = {boolean.value}" for side in sides), sides, boolean.invert_match)
        case SubPolicy(status_code=codes) if codes is not None:
            listed = ", ".join(_literal(code.lower()) for code in codes.status_codes)
            return _any(f"status_code IN ({listed})", (PublicColumn("status_code"),))
        case SubPolicy(span_count=SpanCount() as count):
            return _count(count)
        case SubPolicy(trace_state=TraceStateMember() as member):
            return _trace_state(member)
        case SubPolicy(type="trace_flags"):
            return _any("(flags & 1) <> 0", (PublicColumn("flags"),))
        case SubPolicy(ottl_condition=OttlCondition() as condition):
            return having(ottl(condition).sql)
    return None


def having(sql: str) -> Match:
    """A question in SQL. Raises `InvalidCondition`."""
    condition: Having = read(sql, TABLE, SCHEMA, _OF_TRACE)
    sources = [*map(column, condition.columns), *map(TextOfAttribute, condition.attributes)]
    return Match(condition.sql, condition.aggregates, tuple(sources))


@dataclass(frozen=True, slots=True)
class Ottl:
    """What becomes of OTTL conditions. When they are not `exact`, `sql` is advice, and empty when there is none."""

    exact: bool
    sql: str


def ottl(condition: OttlCondition) -> Ottl:
    """The SQL that says the same as OTTL conditions."""
    translation = translate({"traces": {"span": list(condition.span)}})
    held = " OR ".join(f"({sql})" for sql in translation.drop.get("traces", ()))
    return Ottl(translation.exact and not condition.spanevent, f"bool_or({held})" if held else "")


def _latency(latency: Latency) -> Match:
    first, last = _aggregate("min(start_time)"), _aggregate("max(end_time)")
    milliseconds = f"(epoch_ns({last.name}) - epoch_ns({first.name})) // 1000000"
    sql = f"{milliseconds} > {latency.threshold_ms}"
    if latency.upper_threshold_ms:
        sql = f"({sql} AND {milliseconds} <= {latency.upper_threshold_ms})"
    return Match(sql, (first, last), (PublicColumn("start_time"), PublicColumn("end_time")))


def _number(number: NumericAttribute) -> Match:
    sides = _sides(number.key, "int")
    bounds = [("{} >= %d", number.min_value), ("{} <= %d", number.max_value)]
    within = " AND ".join(form % bound for form, bound in bounds if bound)
    held = " OR ".join(f"({within.format(*([_name(side)] * 2))})" for side in sides)
    return _any(held, sides, number.invert_match)


def _text(text: StringAttribute) -> Match:
    sides = _sides(text.key, "string")
    of_span, of_resource = (_name(side) for side in sides)
    if text.enabled_regex_matching:
        on_span, on_resource = (
            " OR ".join(f"regexp_matches({name}, {_literal(pattern)})" for pattern in text.values)
            for name in (of_span, of_resource)
        )
        held = f"({of_span} <> '' AND ({on_span})) OR {on_resource}"  # an empty text of a span counts as none
    else:
        listed = ", ".join(_literal(value) for value in text.values if value) or "NULL"
        held = f"{of_span} IN ({listed}) OR {of_resource} IN ({listed})"
    return _any(held, sides, text.invert_match)


def _count(count: SpanCount) -> Match:
    spans = _aggregate("count(*)")
    sql = f"{spans.name} >= {count.min_spans}"
    if count.max_spans:
        sql = f"({sql} AND {spans.name} <= {count.max_spans})"
    return Match(sql, (spans,), ())


def _trace_state(member: TraceStateMember) -> Match:
    values = [re.escape(value) for value in member.values if len(member.key) + len(value) < _MOST_TRACE_STATE]
    pattern = rf"(^|,)[ \t]*{re.escape(member.key)}=({'|'.join(values)})[ \t]*(,|$)"
    held = f"regexp_matches(trace_state, {_literal(pattern)})" if values else "false"
    return _any(held, (PublicColumn("trace_state"),))


def _sides(key: str, kind: str) -> tuple[TypedAttribute, TypedAttribute]:
    """The attribute of the span, and that of its resource."""
    of_span, of_resource = Attribute("attributes", key), Attribute("resource_attributes", key)
    return TypedAttribute(of_span, kind), TypedAttribute(of_resource, kind)  # type: ignore[arg-type]


def _any(condition: str, sources: tuple[Source, ...], invert: bool = False) -> Match:
    """Whether the condition holds for any span; inverted, for none."""
    aggregate = _aggregate(f"coalesce(bool_or({condition}), false)")
    return Match(f"NOT {aggregate.name}" if invert else aggregate.name, (aggregate,), sources)


def _aggregate(sql: str) -> Aggregate:
    """One that cannot fail."""
    return Aggregate(sql, sql, "")


def _name(source: Source) -> str:
    return '"' + source.name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
