"""What may be counted: calls of a model in batches of spans, evaluations in batches of log records."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from spanmill.batch import Batch
from spanmill.exporters.prometheus.llm.calls import MODEL, Calls
from spanmill.exporters.prometheus.llm.config import LlmMetricsConfig
from spanmill.exporters.prometheus.llm.counted import Counted
from spanmill.exporters.prometheus.llm.evaluations import Evaluations
from spanmill.exporters.prometheus.llm.families import EVALUATIONS, GEN_AI, LLM, Definition
from spanmill.exporters.prometheus.llm.label_values import LabelValues

_SOURCES: Final = 10
"""More than the three that there are: applications may write others."""
_OUTCOMES: Final = 20


@dataclass(frozen=True, slots=True)
class Subject:
    """One of them."""

    read: Callable[[Batch], Counted]
    """Which rows of a batch are counted."""
    definitions: Callable[[LlmMetricsConfig], tuple[Definition[Any], ...]]
    labels: Callable[[LlmMetricsConfig], Iterator[LabelValues]]
    """The values of every label that a family may have."""
    overflowed: str
    """The counter of those with a label's value shown as `other`."""
    overflowed_help: str


def _definitions_of_calls(config: LlmMetricsConfig) -> tuple[Definition[Any], ...]:
    return (*(LLM if config.llm else ()), *(GEN_AI if config.gen_ai else ()))


def _labels_of_calls(config: LlmMetricsConfig) -> Iterator[LabelValues]:
    limits = config.max_values
    yield LabelValues("model", MODEL, limits.model, "unknown")
    for name in ("feature", "prompt_name", "prompt_version"):
        yield LabelValues(name, ("column", name), getattr(limits, name))
    gen_ai: dict[str, tuple[str, int]] = {
        "operation_name": ("operation", limits.operation),
        "provider_name": ("provider", limits.provider),
        "request_model": ("request_model", limits.model),
        "response_model": ("response_model", limits.model),
    }
    for name, (column, max_values) in gen_ai.items():
        yield LabelValues(f"gen_ai_{name}", ("column", column), max_values)
    yield LabelValues("error_type", ("column", "error_type"), limits.error_type)
    for name, label in config.labels.items():
        yield LabelValues(name, label.source(name), label.max_values)


def _labels_of_evaluations(config: LlmMetricsConfig) -> Iterator[LabelValues]:
    limits = config.max_values
    columns = {
        "evaluator": ("name", limits.evaluator, "unknown"),
        "model": ("model", limits.model, "unknown"),
        "feature": ("feature", limits.feature, ""),
        "prompt": ("prompt", limits.prompt_name, ""),
        "source": ("source", _SOURCES, ""),
        "outcome": ("outcome", _OUTCOMES, ""),
        "judge_model": ("judge_model", limits.model, ""),
        "error_type": ("error_type", limits.error_type, ""),
    }
    for name, (column, max_values, missing) in columns.items():
        yield LabelValues(name, ("column", column), max_values, missing)
    for name, label in config.labels.items():
        if name not in columns:
            yield LabelValues(name, label.source(name), label.max_values)


CALLS: Final = Subject(
    Calls,
    _definitions_of_calls,
    _labels_of_calls,
    "llm_metrics_overflowed_label_values_total",
    "Calls whose value of a label was counted as `other`, because the label has as many as it may.",
)
EVALUATED: Final = Subject(
    Evaluations,
    lambda config: EVALUATIONS if config.evaluations else (),
    _labels_of_evaluations,
    "llm_evaluations_overflowed_label_values_total",
    "Evaluations whose value of a label was counted as `other`, because the label has as many as it may.",
)
