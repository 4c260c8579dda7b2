"""The metrics of LLM calls and of evaluations: names, labels, and what each is told of a batch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, Literal, NamedTuple, TypeVar

import numpy as np

from spanmill.exporters.prometheus.llm.calls import Calls
from spanmill.exporters.prometheus.llm.counted import Counted, Measure
from spanmill.exporters.prometheus.llm.evaluations import Evaluations
from spanmill.exporters.prometheus.llm.spaces import ONE, Parts

T = TypeVar("T", bound=Counted)

_INPUT_AND_OUTPUT: Final = ("input", "output")
_TOKEN_TYPES: Final = ("input", "output", "cache_read", "cache_write", "reasoning")

SEMCONV_TOKENS: Final = tuple(float(4**power) for power in range(14))
"""Buckets of `gen_ai.client.token.usage` (OpenTelemetry's semantic conventions, "Generative AI client metrics")."""
SEMCONV_SECONDS: Final = tuple(2**power / 100 for power in range(14))
"""Buckets of `gen_ai.client.operation.duration`, seconds (the same)."""


class Observation(NamedTuple):
    """What a family is told."""

    rows: np.ndarray | None
    """Of which rows, some perhaps twice; None: of each, once."""
    values: np.ndarray
    """One for each of them: what a counter adds, what a histogram observes, the part of a ratio."""
    part: np.ndarray | int = 0
    """For each of them which of the family's `parts` it is for."""
    wholes: np.ndarray | None = None
    """Of ratios."""


@dataclass(frozen=True, slots=True)
class Definition(Generic[T]):
    """One family. Additional labels come to those named here."""

    name: str
    type: Literal["counter", "histogram", "gauge"]
    help: str
    labels: tuple[str, ...]
    observe: Callable[[T], Observation | None]
    """None: nothing to tell."""
    parts: Parts = ONE
    buckets: str | tuple[float, ...] = ()
    """Of a histogram, or under which key they are configured."""
    starts_at_zero: bool = False
    """On the page as soon as its label set is seen at all, so that `increase()` notices the first one counted."""
    unit: str = ""
    exemplars: bool = False
    weighted: bool = True
    """What was observed stands for what sampling left out. False: it counts as what it is."""


def _requests(calls: Calls) -> Observation:
    return Observation(None, np.ones(calls.count), calls.failed.astype(np.int64))


def _each(rows: np.ndarray) -> Observation | None:
    return Observation(rows, np.ones(len(rows))) if len(rows) else None


def _known(measure: Measure | None) -> Observation | None:
    return None if measure is None or not len(measure.values) else Observation(measure.rows, measure.values)


def _tokens(calls: Calls, types: tuple[str, ...]) -> Observation | None:
    found = [(part, measure) for part, kind in enumerate(types) if (measure := calls.tokens(kind)) is not None]
    if not found:
        return None
    return Observation(
        np.concatenate([calls.every if measure.rows is None else measure.rows for _, measure in found]),
        np.concatenate([measure.values for _, measure in found]),
        np.repeat([part for part, _ in found], [len(measure.values) for _, measure in found]),
    )


def _seconds(calls: Calls) -> Observation | None:
    return _known(calls.seconds)


def _input_and_output(calls: Calls) -> Observation | None:
    return _tokens(calls, _INPUT_AND_OUTPUT)


def _cache_hits(calls: Calls) -> Observation | None:
    wholes, parts = calls.tokens("input"), calls.tokens("cache_read")
    if wholes is None:
        return None
    read = np.zeros(calls.count) if parts is None else np.fmax(parts.every, 0.0)
    rows = wholes.rows
    return Observation(rows, read if rows is None else read[rows], wholes=wholes.values)


_MODEL, _MODEL_FEATURE = ("model",), ("model", "feature")
_GEN_AI = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "gen_ai_response_model")

LLM: Final[tuple[Definition[Calls], ...]] = (
    Definition(
        "llm_requests_total", "counter", "Calls of a model, by how they ended.", _MODEL_FEATURE, _requests,
        Parts("status", ("ok", "error")), starts_at_zero=True,
    ),
    Definition(
        "llm_latency_seconds", "histogram", "Seconds that calls took.", _MODEL_FEATURE,
        _seconds, buckets="latency", unit="seconds", exemplars=True,
    ),
    Definition(
        "llm_tokens_total", "counter",
        "Tokens. Those from and to the cache are part of the input, those of reasoning part of the output.", _MODEL,
        lambda calls: _tokens(calls, _TOKEN_TYPES), Parts("type", _TOKEN_TYPES),
    ),
    Definition(
        "llm_cost_usd_total", "counter", "Price of calls, USD, as far as a price is known.", _MODEL_FEATURE,
        lambda calls: _known(calls.cost_usd),
    ),
    Definition(
        "llm_time_to_first_token_seconds", "histogram", "Seconds from the request to the first token.",
        _MODEL_FEATURE, lambda calls: _known(calls.first_token_seconds), buckets="time_to_first_token", unit="seconds",
    ),
    Definition(
        "llm_output_tokens_per_second", "histogram", "Speed of answers, from the first token on if they were streamed.",
        _MODEL_FEATURE, lambda calls: _known(calls.output_tokens_per_second), buckets="output_tokens_per_second",
    ),
    Definition(
        "llm_unpriced_requests_total", "counter", "Calls that no price was found for.", _MODEL,
        lambda calls: _each(calls.unpriced), starts_at_zero=True,
    ),
    Definition(
        "llm_retries_total", "counter", "How often requests had been sent before.", _MODEL_FEATURE,
        lambda calls: _known(calls.retries), starts_at_zero=True,
    ),
    Definition(
        "llm_rate_limited_requests_total", "counter", "Calls that failed because of a provider's rate limit.",
        _MODEL_FEATURE, lambda calls: _each(calls.rate_limited), starts_at_zero=True,
    ),
    Definition(
        "llm_cache_hit_ratio", "gauge", "Part of recent input tokens that came from the provider's cache.", _MODEL,
        _cache_hits,
    ),
    Definition(
        "llm_tokens_per_request", "histogram", "Tokens of a call.", ("prompt_name", "prompt_version"),
        _input_and_output, Parts("type", _INPUT_AND_OUTPUT),
        buckets="tokens_per_request",
    ),
)  # fmt: skip

GEN_AI: Final[tuple[Definition[Calls], ...]] = (
    Definition(
        "gen_ai_client_token_usage", "histogram", "Number of input and output tokens used.", _GEN_AI,
        _input_and_output, Parts("gen_ai_token_type", _INPUT_AND_OUTPUT),
        buckets=SEMCONV_TOKENS,
    ),
    Definition(
        "gen_ai_client_operation_duration_seconds", "histogram", "Duration of operations.", (*_GEN_AI, "error_type"),
        _seconds, buckets=SEMCONV_SECONDS, unit="seconds",
    ),
)  # fmt: skip

EVALUATIONS: Final[tuple[Definition[Evaluations], ...]] = (
    Definition(
        "llm_quality_score", "histogram", "Scores of evaluations, 0 to 1.",
        ("evaluator", "model", "feature", "prompt", "source"), lambda evaluations: _known(evaluations.score),
        buckets="quality_score", exemplars=True,
    ),
    Definition(
        "llm_evaluations_total", "counter", "Evaluations, by who made them and what came of them.",
        ("evaluator", "model", "source", "outcome", "error_type"), lambda evaluations: _each(evaluations.every),
        weighted=False,
    ),
    Definition(
        "llm_judge_cost_usd_total", "counter", "Price of evaluations, USD.", ("evaluator", "judge_model"),
        lambda evaluations: _known(evaluations.cost_usd), weighted=False,
    ),
    Definition(
        "llm_judge_lag_seconds", "histogram", "Seconds from the end of a span to the judge's verdict.", ("evaluator",),
        lambda evaluations: _known(evaluations.judge_lag_seconds), buckets="judge_lag", unit="seconds", weighted=False,
    ),
)  # fmt: skip
