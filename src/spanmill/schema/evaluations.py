"""What the table `logs` says of evaluations: columns that are null for every record but `gen_ai.evaluation.result`.

They are computed from the attributes, whoever sent the event, so that what masks or removes an attribute reaches the
column too. A batch without such an event costs one look at the events' names, whatever the number of columns.
"""

import threading
import weakref
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.llm import evaluations as names
from spanmill.otlp.anyvalue import attribute_values, values_to_text
from spanmill.schema.columns import text_or_null
from spanmill.schema.table import Column

_OLDER_EVENT_NAME: Final = "event.name"
"""Where SDKs put an event's name before log records had a field for it."""
_HUMAN: Final = frozenset({"human", "person", "user"})
_USD: Final = pa.decimal128(18, 9)
_MOST_USD: Final = 1e8
_NUMBER: Final = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"


class _Events(NamedTuple):
    """The evaluations among some records."""

    rows: np.ndarray
    """Which records they are, ascending."""
    attributes: pa.ListArray
    """Theirs."""


class _Memo(threading.local):
    """The records looked at last, as all columns of a table are made one after the other."""

    records: Callable[[], pa.RecordBatch | None] = staticmethod(lambda: None)
    events: _Events | None = None


_memo = _Memo()


def _events(records: pa.RecordBatch) -> _Events:
    if _memo.events is None or _memo.records() is not records:
        _memo.events = _find(records)
        _memo.records = weakref.ref(records)
    return _memo.events


def _find(records: pa.RecordBatch) -> _Events:
    event_names, attributes = records.column("event_name"), records.column("attributes")
    found = _booleans(pc.equal(event_names, names.EVENT_NAME))
    nameless = _booleans(pc.equal(event_names, ""))
    if nameless.any() and pc.any(pc.equal(attributes.flatten().field("key"), _OLDER_EVENT_NAME)).as_py():
        older = attribute_values(attributes, _OLDER_EVENT_NAME).field("string_value")
        found = found | (nameless & _booleans(pc.equal(older, names.EVENT_NAME)))
    rows = np.flatnonzero(found)
    return _Events(rows, attributes.take(pa.array(rows)) if len(rows) < len(found) else attributes)


def _booleans(values: pa.BooleanArray) -> np.ndarray:
    """A null counts as false."""
    return np.asarray(values.fill_null(False).to_numpy(zero_copy_only=False))


Read = Callable[[pa.ListArray], pa.Array]
"""From the attributes of evaluations one value for each."""


def _column(name: str, kind: pa.DataType, doc: str, read: Read) -> Column:
    def compute(records: pa.RecordBatch) -> pa.Array:
        rows, attributes = _events(records)
        if not len(rows):
            return pa.nulls(records.num_rows, kind)
        values = read(attributes)
        if len(rows) == records.num_rows:
            return values
        places = np.full(records.num_rows, -1, np.int64)
        places[rows] = np.arange(len(rows))
        return values.take(pa.array(places, mask=places < 0))

    return Column(name, kind, doc, compute)


def _texts(*keys: str) -> Read:
    """The text under the first of the keys that has one."""
    return lambda attributes: pc.coalesce(
        *(text_or_null(values_to_text(attribute_values(attributes, key))) for key in keys)
    )


def _numbers(*keys: str) -> Read:
    """The number under the first of the keys that has one, however it was sent; what is not finite is none."""
    return lambda attributes: pc.coalesce(*(_number(attribute_values(attributes, key)) for key in keys))


def _number(values: pa.StructArray) -> pa.DoubleArray:
    double, whole, flag = (values.field(name) for name in ("double_value", "int_value", "bool_value"))
    numbers = pc.coalesce(double, whole.cast(pa.float64(), safe=False), flag.cast(pa.int8()).cast(pa.float64()))
    texts = values.field("string_value")
    if texts.null_count < len(texts):
        texts = pc.utf8_trim_whitespace(texts)
        readable = pc.match_substring_regex(texts, _NUMBER)
        numbers = pc.coalesce(numbers, pc.if_else(readable, texts, None).cast(pa.float64()))
    return pc.if_else(pc.is_finite(numbers), numbers, None)


def _usd(key: str) -> Read:
    def read(attributes: pa.ListArray) -> pa.Array:
        dollars = _number(attribute_values(attributes, key))
        payable = pc.and_(pc.greater_equal(dollars, 0.0), pc.less(dollars, _MOST_USD))
        return pc.if_else(payable, dollars, None).cast(_USD)

    return read


def _flags(*keys: str) -> Read:
    """Whether; sent as a boolean or as its name."""

    def read(attributes: pa.ListArray) -> pa.Array:
        texts = pc.utf8_lower(_texts(*keys)(attributes))
        return pc.if_else(pc.is_in(texts, pa.array(["true", "false"])), pc.equal(texts, "true"), None)

    return read


def _source(attributes: pa.ListArray) -> pa.StringArray:
    kinds = pc.utf8_lower(_texts("gen_ai.evaluation.evaluator.type", "gen_ai.evaluation.evaluator_type")(attributes))
    others = pc.if_else(pc.is_in(kinds, pa.array(sorted(_HUMAN))).fill_null(False), "person", "application")
    return pc.coalesce(_texts(names.SOURCE)(attributes), others)


_SCORES: Final = (names.SCORE, "gen_ai.evaluation.score")
_LABELS: Final = (names.LABEL, "gen_ai.evaluation.label")


def _outcome(attributes: pa.ListArray) -> pa.StringArray:
    error = _texts(names.ERROR_TYPE)(attributes).is_valid()
    verdict = pc.or_(_numbers(*_SCORES)(attributes).is_valid(), _texts(*_LABELS)(attributes).is_valid())
    concluded = pc.if_else(pc.and_not(error, verdict), "failed", "scored")
    return pc.coalesce(_texts(names.OUTCOME)(attributes), concluded)


_TEXT, _DOUBLE = pa.string(), pa.float64()

EVALUATION_COLUMNS: Final = (
    _column("evaluation_name", _TEXT, "Of an evaluation: what was looked at.", _texts(names.NAME)),
    _column("evaluation_score", _DOUBLE, "The score, 0 (worst) to 1 (best) where judges give it.", _numbers(*_SCORES)),
    _column("evaluation_label", _TEXT, "The verdict in a word.", _texts(*_LABELS)),
    _column(
        "evaluation_explanation",
        _TEXT,
        "Why, in the judge's or the person's words.",
        _texts(names.EXPLANATION, "gen_ai.evaluation.reasoning"),
    ),
    _column("evaluation_source", _TEXT, "Who evaluated: judge, person or application; null: no evaluation.", _source),
    _column(
        "evaluation_outcome",
        _TEXT,
        "scored, failed, skipped, ...; not said: failed if there is an error and no verdict, else scored.",
        _outcome,
    ),
    _column("judge_provider", _TEXT, "Who served the model that judged.", _texts(names.JUDGE_PROVIDER)),
    _column("judge_model", _TEXT, "The model that judged.", _texts(names.JUDGE_MODEL)),
    _column("template_hash", _TEXT, "Hash of the evaluator's template and scale.", _texts(names.TEMPLATE_HASH)),
    _column("evaluation_cost_usd", _USD, "What the evaluation cost, USD.", _usd(names.COST_USD)),
    _column(
        "evaluation_sample_weight",
        _DOUBLE,
        "How many spans the evaluation stands for; null means 1.",
        _numbers(names.SAMPLE_WEIGHT),
    ),
    _column("evaluation_threshold", _DOUBLE, "The evaluator's limit for the score.", _numbers(names.THRESHOLD)),
    _column(
        "evaluation_passed",
        pa.bool_(),
        "Whether the score is on the good side of the threshold.",
        _flags(names.PASSED, "gen_ai.evaluation.passed"),
    ),
    _column(
        "evaluation_lag_seconds",
        _DOUBLE,
        "Seconds from the evaluated span's end to the evaluation.",
        _numbers(names.LAG_SECONDS),
    ),
    _column(
        "evaluation_user_id",
        _TEXT,
        "The person who gave the feedback, or whom the evaluated span served.",
        _texts(names.USER_ID, "user.id", "enduser.id"),
    ),
    _column(
        "evaluation_session_id",
        _TEXT,
        "The conversation or session that was evaluated.",
        _texts(names.SESSION_ID, "gen_ai.conversation.id"),
    ),
    _column(
        "evaluation_model",
        _TEXT,
        "The model that was evaluated.",
        _texts(names.MODEL, "gen_ai.request.model", "gen_ai.response.model"),
    ),
    _column("evaluation_feature", _TEXT, "The product feature that was evaluated.", _texts(names.FEATURE)),
    _column("evaluation_prompt", _TEXT, "The prompt template's name.", _texts(names.PROMPT, "gen_ai.prompt.name")),
    _column("evaluation_prompt_version", _TEXT, "The prompt template's version.", _texts(names.PROMPT_VERSION)),
    _column("evaluation_language", _TEXT, "The language of the conversation, BCP 47.", _texts(names.LANGUAGE)),
    _column(
        "evaluation_response_id",
        _TEXT,
        "The provider's id of the answer that was evaluated.",
        _texts(names.RESPONSE_ID, "gen_ai.response_id"),
    ),
    _column("evaluation_error_type", _TEXT, "Why there is no verdict.", _texts(names.ERROR_TYPE)),
)
"""`evaluation_source` is not null exactly where the record is an evaluation."""
