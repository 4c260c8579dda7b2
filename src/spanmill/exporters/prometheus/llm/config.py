"""Configuration of the metrics of LLM calls."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Any, Final, Literal

from pydantic import Field, field_validator, model_validator

from spanmill.config.base import Misfit, Model
from spanmill.config.values import Duration, Flag, invalid

LlmMetric = Literal[
    "llm_requests_total",
    "llm_latency_seconds",
    "llm_tokens_total",
    "llm_cost_usd_total",
    "llm_time_to_first_token_seconds",
    "llm_output_tokens_per_second",
    "llm_unpriced_requests_total",
    "llm_retries_total",
    "llm_rate_limited_requests_total",
    "llm_cache_hit_ratio",
    "llm_tokens_per_request",
    "llm_quality_score",
    "llm_evaluations_total",
    "llm_judge_cost_usd_total",
    "llm_judge_lag_seconds",
]
MaxValues = Annotated[int, Field(strict=True, gt=0, le=1_000_000)]
Bounds = tuple[Annotated[float, Field(gt=0)], ...]

BUILT_IN: Final = ("model", "feature", "status", "type", "prompt_name", "prompt_version")
_TAKEN: Final = (*BUILT_IN, "error_type", "le", "quantile", "label", "job", "instance")
_LABEL_NAME: Final = re.compile(r"(?!__|gen_ai_)[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_SHORT_NAMES: Final = {"user": "user_id", "session": "session_id", "prompt": "prompt_name", "service": "service_name"}
_CONTENT: Final = frozenset({"input", "output", "system_instructions", "documents"})


class Buckets(Model):
    """Upper bounds of the histograms' buckets, ascending; `+Inf` is always there."""

    latency: Bounds = (0.5, 1, 2, 5, 10, 30)
    """Of `llm_latency_seconds`."""
    time_to_first_token: Bounds = (0.1, 0.25, 0.5, 1, 2, 5, 10)
    """Of `llm_time_to_first_token_seconds`."""
    output_tokens_per_second: Bounds = (5, 10, 20, 30, 50, 75, 100, 150, 200, 500)
    """Of `llm_output_tokens_per_second`."""
    tokens_per_request: Bounds = (
        100, 250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 1_000_000,
    )  # fmt: skip
    """Of `llm_tokens_per_request`."""
    quality_score: Bounds = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1)
    """Of `llm_quality_score`."""
    judge_lag: Bounds = (1, 5, 15, 30, 60, 120, 300, 600, 1_800, 3_600)
    """Of `llm_judge_lag_seconds`."""

    @field_validator("*")
    @classmethod
    def ascending(cls, bounds: Bounds) -> Bounds:
        if not bounds or any(lower >= upper for lower, upper in pairwise(bounds)):
            raise invalid("the buckets do not ascend", "upper bounds, each larger than the one before")
        return bounds


class Label(Model):
    """One more label. Without a source it is the column of the label's own name (`user` is the column `user_id`)."""

    column: str = ""
    """A column of the span table with text in it. Of evaluations the one that says the same, where there is one."""
    attribute: str = ""
    """Or the key of an attribute of the span, or of the evaluation."""
    resource_attribute: str = ""
    """Or the key of a resource attribute."""
    max_values: MaxValues = 100
    """How many values may have series of their own at a time; further ones are shown as `other`."""
    metrics: tuple[LlmMetric, ...] = ()
    """Which metrics have the label; none named: every one that begins with `llm_`."""

    @model_validator(mode="before")
    @classmethod
    def column_only(cls, data: Any) -> Any:
        return {"column": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def one_source(self) -> "Label":
        if sum(map(bool, (self.column, self.attribute, self.resource_attribute))) > 1:
            raise invalid("the label has several sources", "one of `column`, `attribute` and `resource_attribute`")
        return self

    def source(self, name: str) -> tuple[Literal["column", "attribute", "resource_attribute"], str]:
        """Where the values of the label called `name` come from."""
        if self.attribute:
            return "attribute", self.attribute
        if self.resource_attribute:
            return "resource_attribute", self.resource_attribute
        return "column", self.column or _SHORT_NAMES.get(name, name)

    def is_of(self, metric: str) -> bool:
        """Whether a metric that begins with `llm_` has the label."""
        return not self.metrics or metric in self.metrics


class LabelLimits(Model):
    """How many values of each label may have series of their own at a time; further ones are shown as `other`."""

    model: MaxValues = 100
    """Of `model`, `judge_model`, `gen_ai_request_model` and `gen_ai_response_model`."""
    feature: MaxValues = 100
    """Of `feature`."""
    prompt_name: MaxValues = 100
    """Of `prompt_name`, and of `prompt` of evaluations."""
    prompt_version: MaxValues = 100
    """Of `prompt_version`, all prompts together."""
    provider: MaxValues = 50
    """Of `gen_ai_provider_name`."""
    operation: MaxValues = 20
    """Of `gen_ai_operation_name`."""
    error_type: MaxValues = 50
    """Of `error_type`."""
    evaluator: MaxValues = 100
    """Of `evaluator`."""


class LlmMetricsConfig(Model):
    """What an exporter shows of LLM calls in a traces pipeline, and of evaluations in a logs pipeline. Not in the
    Collector."""

    llm: Flag = True
    """Show the metrics of LLM calls that begin with `llm_`."""
    gen_ai: Flag = True
    """Show OpenTelemetry's own: `gen_ai_client_token_usage` and `gen_ai_client_operation_duration_seconds`."""
    evaluations: Flag = True
    """Show the metrics of evaluations, which come with log records: `llm_quality_score` and others."""
    labels: dict[str, Label] = Field(default_factory=dict)
    """More labels for the metrics that begin with `llm_`: `team`, `user`, `environment`, ..., by the name they get. A
    list of names means those columns."""
    max_values: LabelLimits = LabelLimits()
    """How many values the other labels may have."""
    buckets: Buckets = Buckets()
    """Buckets of the histograms that begin with `llm_`; the others have those of the semantic conventions."""
    idle_expiration: Duration = 86_400.0
    """A series without a call, or an evaluation, for so long goes away, and makes room for another value of its
    labels. When it comes back it counts from 0."""
    cache_hit_window: Duration = 300.0
    """How far back `llm_cache_hit_ratio` looks."""

    @field_validator("cache_hit_window")
    @classmethod
    def some_window(cls, seconds: float) -> float:
        if not seconds:
            raise invalid("the window is empty", "a duration such as 5m")
        return seconds

    @field_validator("idle_expiration")
    @classmethod
    def some_time(cls, seconds: float) -> float:
        if not seconds:
            raise invalid("series would go at once", "a duration such as 24h")
        return seconds

    @field_validator("labels", mode="before")
    @classmethod
    def list_of_columns(cls, labels: Any) -> Any:
        return {str(name): None for name in labels} if isinstance(labels, list | tuple) else labels

    @field_validator("labels")
    @classmethod
    def names_of_labels(cls, labels: dict[str, Label]) -> dict[str, Label]:
        for name in labels:
            if name in _TAKEN:
                raise invalid(f"the name `{name}` is taken", "another name, and the source as its `column`")
            if not _LABEL_NAME.fullmatch(name):
                expected = "letters, digits and underscores, not a digit first, nor `__` or `gen_ai_`"
                raise invalid(f"`{name}` cannot be the name of a label", expected)
        return labels

    def unfit_labels(self) -> Iterator[Misfit]:
        """Labels whose column does not exist, or is nothing to group by."""
        if not self.labels:
            return
        import pyarrow as pa

        from spanmill.schema.spans import SPANS

        fit = [c.name for c in SPANS.columns if c.type in (pa.string(), pa.bool_()) and c.name not in _CONTENT]
        for name, label in self.labels.items():
            kind, key = label.source(name)
            if kind == "column" and key not in fit:
                path = ("llm", "labels", name, *(("column",) if label.column else ()))
                hint = "Write `attribute` or `resource_attribute` for what is no column."
                yield Misfit(path, f"`{key}` is no column that can be a label", f"one of {', '.join(fit)}", hint)
