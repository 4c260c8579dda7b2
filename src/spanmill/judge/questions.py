"""From chosen spans to questions for a judge."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from spanmill.judge import languages
from spanmill.judge.choice import inclusion_probability
from spanmill.judge.evaluator import AUTO, Evaluator
from spanmill.judge.fence import fenced
from spanmill.judge.frame import DEFAULT_LANGUAGE, frame_of
from spanmill.judge.model import Message
from spanmill.judge.sources import QUESTION, Rows, Source
from spanmill.judge.variables import missing, of_rows, values

_LABELS: Final = {"feature": "feature", "prompt": "prompt_name", "prompt_version": "prompt_version"}
"""Labels of the evaluation event, and the columns that they are copied from."""
_COPIED: Final = (
    "trace_id", "span_id", "sample_weight", "response_id", "language", "request_model", "response_model",
    *_LABELS.values(),
)  # fmt: skip
COLUMNS: Final = (*_COPIED, "end_time", "input", "output")
"""What a question needs of a span beside its variables."""


@dataclass(frozen=True, slots=True)
class Question:
    """One evaluator's question about one span. All that the evaluation event needs beside the verdict."""

    evaluator: str
    template_hash: str
    trace_id: str
    """32 hex digits."""
    span_id: str
    """16 hex digits."""
    messages: tuple[Message, ...]
    schema: Mapping[str, Any]
    """JSON Schema of the answer."""
    key: bytes
    """16 bytes: of the evaluator, its template and the span. The same span is asked about once under it."""
    content: bytes
    """16 bytes: of the messages and the evaluator. Questions with equal content have equal answers."""
    span_end_ns: int
    """Nanoseconds since 1970; 0 when unknown."""
    sample_weight: float
    """How many spans it stands for: the span's own weight over the probability that it was chosen to be judged."""
    labels: Mapping[str, str]
    """Of the judged span, those that are known: model, feature, prompt, prompt_version, language."""
    response_id: str = ""
    model: str = ""
    """The judge's model that the evaluator asks for; empty: the usual one."""
    language: str = DEFAULT_LANGUAGE
    """That of the template."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A span of which the evaluator cannot ask: a variable that its template needs has no value."""

    evaluator: str
    trace_id: str
    span_id: str
    key: bytes
    missing: str
    """The variable's name."""


def questions(
    rows: Rows, evaluator: Evaluator, *, trace: Rows | None = None, probability: float | None = None
) -> tuple[list[Question], list[Skipped]]:
    """The evaluator's questions about all these rows, in their order; and the rows that cannot be asked about.

    `trace` has spans of the same traces, for variables that come from these; None: the rows themselves.
    `probability` is that with which a row is among the rows; None: by the evaluator's share.
    """
    if not len(rows):
        return [], []
    if probability is None:
        probability = inclusion_probability(evaluator.share)
    spans = _spans(rows)
    asked: list[Question] = []
    skipped: list[Skipped] = []
    for span, variables in zip(spans, values(rows, evaluator, rows if trace is None else trace), strict=True):
        trace_id, span_id = span["trace_id"] or "", span["span_id"] or ""
        key = key_of(evaluator.name, evaluator.template_hash, trace_id, span_id)
        language = template_language(evaluator, span["spoken"])
        lacking = missing(variables, evaluator.templates[language].required)
        if lacking:
            skipped.append(Skipped(evaluator.name, trace_id, span_id, key, lacking))
        else:
            asked.append(_question(evaluator, span, variables, language, key, probability))
    return asked, skipped


def key_of(evaluator: str, template_hash: str, trace_id: str, span_id: str) -> bytes:
    """`Question.key`."""
    return _digest(evaluator, template_hash, trace_id, span_id)


def template_language(evaluator: Evaluator, spoken: str | None) -> str:
    """Which of the evaluator's templates is for a conversation in this language."""
    wanted = spoken if evaluator.language == AUTO else evaluator.language
    known = list(evaluator.templates)
    return next((language for language in (wanted, DEFAULT_LANGUAGE) if language in known), None) or known[0]


def _question(
    evaluator: Evaluator,
    span: Mapping[str, Any],
    variables: Mapping[str, str],
    language: str,
    key: bytes,
    probability: float,
) -> Question:
    filled = evaluator.templates[language].fill(fenced(variables))
    system, user = frame_of(language).around(filled, evaluator.scale)
    labels = {name: span[column] for name, column in _LABELS.items()}
    labels |= {"model": span["request_model"] or span["response_model"], "language": span["language"] or span["spoken"]}
    return Question(
        evaluator=evaluator.name,
        template_hash=evaluator.template_hash,
        trace_id=span["trace_id"] or "",
        span_id=span["span_id"] or "",
        messages=({"role": "system", "content": system}, {"role": "user", "content": user}),
        schema=evaluator.scale.schema(),
        key=key,
        content=_digest(evaluator.name, evaluator.template_hash, evaluator.model, system, user),
        span_end_ns=span["end_time"] or 0,
        sample_weight=(1.0 if span["sample_weight"] is None else span["sample_weight"]) / probability,
        labels={name: value for name, value in labels.items() if value},
        response_id=span["response_id"] or "",
        model=evaluator.model,
        language=language,
    )


def _spans(rows: Rows) -> list[dict[str, Any]]:
    """What is to be known of each row beside its variables. `spoken` is its language, None when that is not clear."""
    columns = {name: rows.column(name).to_pylist() for name in _COPIED}
    columns["end_time"] = rows.column("end_time").cast("int64").to_pylist()
    asked, answered = of_rows(Source(QUESTION), rows), of_rows(Source("output"), rows)
    columns["spoken"] = [
        languages.primary(tag) or languages.by_script(question) or languages.by_script(answer)
        for tag, question, answer in zip(columns["language"], asked, answered, strict=True)
    ]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _digest(*parts: str) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        held = part.encode("utf-8", "surrogatepass")
        digest.update(len(held).to_bytes(8, "big") + held)
    return digest.digest()
