"""What a judge's answer says, or why it says nothing: an answer that is not clear has no score, never a default one.

Tolerated are what models put around their JSON: a code fence, prose, reasoning in `<think>`, commas at the end of
lists. Not tolerated is what leaves a choice: an answer cut off, two answers that differ, a score beyond the scale.
"""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from spanmill.judge.evaluator import Evaluator
from spanmill.judge.scale import REASONING_KEY, Raw, Scale

_MAX_EXPLANATION: Final = 4000
"""Characters of a judge's reasons that are kept."""
_MAX_ANSWER: Final = 200_000
"""Characters. No answer of a few sentences is as long; a model that repeats itself for ever is not read to the end."""
_THOUGHTS: Final = re.compile(r"\s*<think(?:ing)?>", re.IGNORECASE)
_THOUGHTS_END: Final = re.compile(r"</think(?:ing)?>", re.IGNORECASE)
_STRING_OR_COMMA: Final = re.compile(r'("(?:[^"\\]|\\.)*+")|,(?=\s*[}\]])', re.DOTALL)
_BRACE: Final = re.compile(r"[{}]")
_OBJECT_START: Final = re.compile(r"""\s*+["'}]""")
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,20}(?:\.[0-9]{1,20})?", re.ASCII)
_BOOLEANS: Final = {"true": True, "yes": True, "false": False, "no": False}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge found."""

    score: float
    """0 (worst) to 1 (best)."""
    raw: Raw
    """The answer itself, on the evaluator's scale."""
    label: str | None
    """Of a category its label, of a boolean `true` or `false`, of a number None."""
    explanation: str
    """The judge's reasons; empty when it gave none."""
    passed: bool | None
    """Whether the score reaches the evaluator's threshold; None without one."""


@dataclass(frozen=True, slots=True)
class Unparsable:
    """An answer without a verdict."""

    reason: str
    """One sentence without a word of the answer."""
    code: str
    """One word for a label: empty, nothing, malformed, ambiguous, missing, wrong_type, out_of_scale."""


class _Wrong(Exception):  # noqa: N818 - carries the outcome through the parser
    def __init__(self, code: str, reason: str) -> None:
        self.outcome = Unparsable(reason, code)


class _Answer(NamedTuple):
    raw: Raw
    explanation: str


def parse(evaluator: Evaluator, text: str) -> Verdict | Unparsable:
    """The verdict in a judge's answer. Never raises."""
    scale = evaluator.scale
    try:
        answer = _only_answer(scale, text)
        score = scale.score(answer.raw)
    except _Wrong as wrong:
        return wrong.outcome
    label = None if scale.kind == "number" else str(answer.raw).lower() if scale.kind == "boolean" else str(answer.raw)
    return Verdict(score, answer.raw, label, answer.explanation, evaluator.passed(score))


def _only_answer(scale: Scale, text: str) -> _Answer:
    if not text.strip():
        raise _Wrong("empty", "the answer is empty")
    if len(text) > _MAX_ANSWER:
        raise _Wrong("malformed", f"the answer is longer than {_MAX_ANSWER} characters")
    objects = [held for held in _objects(_without_thoughts(text)) if scale.key in held]
    if not objects:
        raise _Wrong("missing", f"the answer has no JSON object with `{scale.key}`")
    answers = [_Answer(_raw(scale, held[scale.key]), _explanation(held)) for held in objects]
    if any(answer.raw != answers[0].raw for answer in answers):
        raise _Wrong("ambiguous", "the answer holds several verdicts that differ")
    return answers[-1]


def _without_thoughts(text: str) -> str:
    if not _THOUGHTS.match(text):
        return text
    end = _THOUGHTS_END.search(text)
    if end is None:
        raise _Wrong("malformed", "the answer breaks off within the model's thoughts")
    return text[end.end() :]


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects that stand in a text side by side.

    Nothing within braces that are not JSON counts: what is there may be quoted from the judged text, and the answer
    around it cut off.
    """
    position, open_braces = 0, 0
    while (brace := _BRACE.search(text, position)) is not None:
        position = brace.end()
        if brace[0] == "}":
            open_braces = max(open_braces - 1, 0)
        elif _OBJECT_START.match(text, position):
            if open_braces:
                raise _Wrong("malformed", "the answer is not JSON, or breaks off")
            held, position = _decoded(text, brace.start())
            yield held
        else:
            open_braces += 1
    if open_braces:
        raise _Wrong("malformed", "the answer is not JSON, or breaks off")


def _decoded(text: str, start: int) -> tuple[dict[str, Any], int]:
    """The object that begins at `start`, and where it ends."""
    try:
        held, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        pass
    else:
        return held, end
    mended = _STRING_OR_COMMA.sub(lambda found: found[1] or " ", text[start:])
    try:
        # A blank in a comma's place: the text keeps its length, and what follows its position.
        held, end = _DECODER.raw_decode(mended)
    except (ValueError, RecursionError):
        raise _Wrong("malformed", "the answer is not JSON, or breaks off") from None
    return held, start + end


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    held = dict(pairs)
    if len(held) < len(pairs):
        raise ValueError("a key stands there twice")
    return held


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_distinct, parse_constant=_no_number, strict=False)
"""Takes line breaks within texts, which models write."""


def _raw(scale: Scale, value: Any) -> Raw:
    if scale.kind == "number":
        return _number(scale, value)
    if scale.kind == "boolean":
        found = _BOOLEANS.get(value.strip().lower()) if isinstance(value, str) else value
        if not isinstance(found, bool):
            raise _Wrong("wrong_type", "the verdict is neither true nor false")
        return found
    if not isinstance(value, str):
        raise _Wrong("wrong_type", "the label is not a text")
    known = {label.casefold(): label for label in scale.labels}
    if (label := known.get(value.strip().casefold())) is None:
        raise _Wrong("out_of_scale", "the label is none of the evaluator's labels")
    return label


def _number(scale: Scale, value: Any) -> float:
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Wrong("wrong_type", "the score is not a number")
    # Compared before it is made a float: JSON has whole numbers beyond any float.
    if not (scale.least <= value <= scale.most) or not math.isfinite(value):
        raise _Wrong("out_of_scale", f"the score is not from {scale.least:g} to {scale.most:g}")
    return float(value)


def _explanation(held: dict[str, Any]) -> str:
    reasons = held.get(REASONING_KEY)
    return reasons.strip()[:_MAX_EXPLANATION] if isinstance(reasons, str) else ""
