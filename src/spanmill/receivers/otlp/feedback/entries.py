"""The body of a request with feedback: one object or a list of them, as evaluations, or all that is wrong with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import orjson

from spanmill.config.problems import Problem, describe, did_you_mean, dotted, one_of
from spanmill.config.tree import Path
from spanmill.errors import Rejected
from spanmill.llm.evaluations import Evaluation
from spanmill.otlp.json import parse
from spanmill.receivers.otlp.feedback import fields
from spanmill.receivers.otlp.feedback.fields import Wrong
from spanmill.receivers.otlp.feedback.rating import Rating, rating, scale_of

MAX_ENTRIES: Final = 1000
"""In one request."""
MAX_PROBLEMS: Final = 50
"""That are named in an answer; what comes after them is not looked at."""
_OBJECTS_PER_ENTRY = 4
"""Itself, `metadata`, `scale`, stars."""
_LONGEST_KEY = 80
_NO_SPAN_ALONE = "A span id alone does not say which trace it is of."

Read = Callable[[Any], Any]
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Entries:
    evaluations: tuple[Evaluation, ...]
    """Without those that say exactly what another one says."""
    duplicates: int
    """So many were left out."""


class Unusable(Exception):  # noqa: N818 - a finding about the sender's data
    """All that is wrong with a request. The messages of the problems quote nothing, what they found does."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(problem.render() for problem in problems))
        self.problems = problems


def read(body: bytes, now: int) -> Entries:
    """`now`: nanoseconds since 1970, the time of feedback that names none. Raises `Unusable`."""
    given = _given(body)
    placed: list[tuple[Path, Any]] = [((), given)]
    if isinstance(given, list):
        placed = [((index,), entry) for index, entry in enumerate(given)]
    findings, readers = _Findings(), _readers(now)
    evaluations: dict[bytes, Evaluation] = {}
    for at, entry in placed:
        evaluation = _evaluation(at, entry, now, readers, findings)
        if findings.full:
            break
        if evaluation is not None:
            evaluations.setdefault(orjson.dumps(entry, option=orjson.OPT_SORT_KEYS), evaluation)
    if findings.problems:
        raise Unusable(tuple(findings.problems[:MAX_PROBLEMS]))
    return Entries(tuple(evaluations.values()), len(placed) - len(evaluations))


def _given(body: bytes) -> Any:
    try:
        given = parse(body, _OBJECTS_PER_ENTRY * MAX_ENTRIES + 1)
    except Rejected as error:
        raise Unusable((Problem(error.reason),)) from None
    if isinstance(given, list) and len(given) > MAX_ENTRIES:
        message = "there is too much feedback in one request"
        raise Unusable((Problem(message, expected=f"at most {MAX_ENTRIES}", found=f"{len(given)}"),))
    return given


class _Findings:
    """What is wrong so far, and where."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    @property
    def full(self) -> bool:
        return len(self.problems) >= MAX_PROBLEMS

    def add(self, path: Path, wrong: Wrong) -> None:
        self.problems.append(Problem(wrong.message, dotted(path), None, wrong.expected, wrong.found, wrong.hint))

    def attempt(self, path: Path, work: Callable[..., _T], *arguments: Any) -> _T | None:
        """What the work gives; None when it finds something wrong."""
        try:
            return work(*arguments)
        except Wrong as wrong:
            self.add(path, wrong)
            return None


def _readers(now: int) -> Mapping[str, Read]:
    """How each field is read. `value` is looked at together with `scale`."""
    return {
        "trace_id": fields.trace_place,
        "traceparent": fields.traceparent,
        "span_id": fields.span_id,
        "name": fields.name,
        "value": lambda value: value,
        "scale": scale_of,
        "label": fields.name,
        "comment": fields.comment,
        "user_id": fields.identity,
        "session_id": fields.identity,
        "time": lambda value: fields.time_nanoseconds(value, now),
        "metadata": fields.metadata,
    }


def _evaluation(at: Path, entry: Any, now: int, readers: Mapping[str, Read], findings: _Findings) -> Evaluation | None:
    """None when something is wrong with it."""
    if not isinstance(entry, dict):
        expected = "an object with `trace_id`, `name` and `value`, or a list of them"
        findings.add(at, Wrong("this is no feedback", expected, describe(entry)))
        return None
    before = len(findings.problems)
    values = _values(at, entry, readers, findings)
    if not findings.full:
        _check_complete(at, entry, findings)
    rated = _rated(at, entry, values, findings)
    if rated is None or len(findings.problems) > before:
        return None
    trace_id, span_id = values.get("trace_id") or values["traceparent"]
    return Evaluation(
        name=values["name"],
        trace_id=trace_id,
        span_id=values.get("span_id", span_id),
        time_unix_nano=values.get("time", now),
        source="person",
        score=rated.score,
        label=values.get("label", rated.label),
        explanation=values.get("comment"),
        user_id=values.get("user_id"),
        session_id=values.get("session_id"),
        metadata=values.get("metadata", {}),
    )


def _values(at: Path, entry: dict[str, Any], readers: Mapping[str, Read], findings: _Findings) -> dict[str, Any]:
    """The fields that say something: null and an empty text say nothing."""
    values = {}
    for key, given in entry.items():
        if findings.full:
            break
        if key not in readers:
            name = key[:_LONGEST_KEY]
            hint = did_you_mean(name, readers) or f"Known are {one_of(readers)}."
            findings.add((*at, name), Wrong("unknown field", hint=hint))
        elif not _is_nothing(given):
            value = findings.attempt((*at, key), readers[key], given)
            if value is not None:
                values[key] = value
    return values


def _is_nothing(given: Any) -> bool:
    return given is None or (isinstance(given, str) and not given)


def _check_complete(at: Path, entry: dict[str, Any], findings: _Findings) -> None:
    there = {key for key, given in entry.items() if not _is_nothing(given)}
    if {"trace_id", "traceparent"} <= there:
        findings.add((*at, "traceparent"), Wrong("it says what `trace_id` says already", "one of the two"))
    if not {"trace_id", "traceparent"} & there:
        hint = _NO_SPAN_ALONE if "span_id" in there else ""
        findings.add(
            (*at, "trace_id"), Wrong("the field is missing", "the id of the trace, or `traceparent`", "", hint)
        )
    for key, expected in (("name", "what is rated, such as helpful"), ("value", "the rating")):
        if key not in there:
            findings.add((*at, key), Wrong("the field is missing", expected))


def _rated(at: Path, entry: dict[str, Any], values: dict[str, Any], findings: _Findings) -> Rating | None:
    """None too where there is no value, or a scale that is none: that was found already."""
    scale_is_wrong = not _is_nothing(entry.get("scale")) and "scale" not in values
    if "value" not in values or scale_is_wrong:
        return None
    rated = findings.attempt((*at, "value"), rating, values["value"], values.get("scale"))
    if rated is not None and rated.score is None and "label" in values:
        findings.add((*at, "label"), Wrong("the value is a category, which is the label itself", "no `label`"))
    return rated
