"""Evaluators and spans for tests of judging."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pyarrow as pa

from spanmill.batch import Batch
from spanmill.judge.config import EvaluatorConfig
from spanmill.judge.evaluator import Evaluator
from spanmill.judge.making import evaluators_of
from tests.llm.rows import Row, spans


def config(**keys: Any) -> EvaluatorConfig:
    """An evaluator of one's own, with what is written differently."""
    own = {"name": "tone", "template": "Is it polite?\n{{output}}", "scale": {"type": "boolean"}}
    return EvaluatorConfig.model_validate(own | keys)


def evaluator(**keys: Any) -> Evaluator:
    """The same, made."""
    return evaluators_of([config(**keys)])[0]


def packed(use: str, **keys: Any) -> Evaluator:
    """One of the pack."""
    return evaluators_of([EvaluatorConfig.model_validate({"use": use, **keys})])[0]


def number(least: float = 1, most: float = 5, **keys: Any) -> Evaluator:
    """One whose scale is a number."""
    return evaluator(scale={"type": "number", "range": [least, most], **keys})


def category(**labels: float) -> Evaluator:
    """One whose scale are these labels."""
    return evaluator(scale={"type": "category", "labels": labels})


def said(*turns: tuple[str, str]) -> str:
    """Messages as the columns hold them: (role, text)."""
    parts = [{"role": role, "parts": [{"type": "text", "content": text}]} for role, text in turns]
    return orjson.dumps(parts).decode()


def calls(*columns: Mapping[str, Any], rows: Sequence[Row] = ()) -> Batch:
    """A span of one trace for each map of LLM columns."""
    batch = spans(*(rows or [Row() for _ in columns]))
    names = sorted({name for held in columns for name in held})
    for name in names:
        kind = pa.float64() if name == "sample_weight" else pa.string()
        batch = batch.with_record_column(name, pa.array([held.get(name) for held in columns], kind))
    return batch
