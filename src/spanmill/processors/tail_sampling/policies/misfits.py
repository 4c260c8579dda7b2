"""What in the configuration of policies only their engine can judge: SQL, patterns, OTTL."""

from collections.abc import Iterator
from typing import Final

import duckdb

from spanmill.conditions import InvalidCondition, engine
from spanmill.config.base import Misfit
from spanmill.config.problems import did_you_mean
from spanmill.processors.tail_sampling.policies.firsts import USABLE
from spanmill.processors.tail_sampling.policies.matching import having, ottl
from spanmill.processors.tail_sampling.policy_config import FirstOf, OttlCondition, StringAttribute
from spanmill.processors.tail_sampling.policy_tree import SubPolicy
from spanmill.schema import TABLES
from spanmill.signal import Signal

_COLUMNS: Final = frozenset(TABLES[Signal.TRACES].schema.names)
_EXPECTED: Final = "a SQL condition over a trace, such as bool_or(status_code = 'error') or sum(cost_usd) > 0.5"


def misfits(policy: SubPolicy) -> Iterator[Misfit]:
    """Everything in a policy and those within it, with paths from the policy's block."""
    if policy.having is not None:
        try:
            having(policy.having)
        except InvalidCondition as error:
            yield Misfit(("having",), error.problem, _EXPECTED, error.hint)
    if policy.string_attribute is not None:
        yield from _patterns(policy.string_attribute)
    if policy.ottl_condition is not None:
        yield from _ottl(policy.ottl_condition)
    if policy.first_of is not None:
        yield from _columns(policy.first_of)
    for path, member in policy.members():
        yield from (misfit._replace(path=(*path, *misfit.path)) for misfit in misfits(member))


def _patterns(text: StringAttribute) -> Iterator[Misfit]:
    for index, pattern in enumerate(text.values if text.enabled_regex_matching else ()):
        try:
            engine.connection().execute("SELECT regexp_matches('', ?)", [pattern]).fetchall()
        except duckdb.Error as error:
            reason = str(error).split("\n", 1)[0].partition(": ")[2]
            path = ("string_attribute", "values", index)
            yield Misfit(path, f"the pattern cannot be used: {reason}", "a regular expression in RE2's syntax")


def _columns(first: FirstOf) -> Iterator[Misfit]:
    for index, name in enumerate(first.columns):
        path = ("first_of", "columns", index)
        if name in _COLUMNS and name not in USABLE:
            yield Misfit(path, f"the column `{name}` has no plain values", "texts, whole numbers or booleans")
        elif name not in USABLE:
            hint = did_you_mean(name, USABLE)
            yield Misfit(path, f"`{name}` is no column of `spans`", "a column such as prompt_version", hint)


def _ottl(condition: OttlCondition) -> Iterator[Misfit]:
    path, expected = ("ottl_condition",), "type: sql"
    if condition.spanevent:
        hint = "Write, for example, having: \"bool_or(len(list_filter(events, lambda e: e.name = 'exception')) > 0)\"."
        yield Misfit((*path, "spanevent"), "OTTL conditions over events are not supported", expected, hint)
    if not condition.span:
        return
    translated = ottl(OttlCondition(span=condition.span))
    if not translated.exact:
        hint = f'Write having: "{translated.sql}".' if translated.sql else "See the columns of `spans` in the manual."
        problem = "OTTL conditions are not supported, unless they are simple"
        yield Misfit((*path, "span"), problem, expected, hint)
        return
    try:
        having(translated.sql)
    except InvalidCondition as error:
        yield Misfit((*path, "span"), f"the condition cannot be read as SQL: {error.problem}", expected, error.hint)
