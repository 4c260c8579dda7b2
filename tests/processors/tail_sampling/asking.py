"""Policies, compiled and asked."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from spanmill.batch import Batch
from spanmill.names import Kind
from spanmill.processors.tail_sampling.config import TailSamplingProcessorConfig
from spanmill.processors.tail_sampling.policies import Policies, Traces, Verdicts
from tests.llm.rows import Row, spans
from tests.processors.building import settings

Policy = dict[str, Any]


def config(*policies: Policy, **keys: Any) -> TailSamplingProcessorConfig:
    """Policies without a name are called by their number, from 0."""
    named = [{"name": str(number), **policy} for number, policy in enumerate(policies)]
    return TailSamplingProcessorConfig.model_validate({"policies": named, **keys})


def compiled(*policies: Policy, **keys: Any) -> Policies:
    return Policies(config(*policies, **keys), settings(Kind.PROCESSORS, "tail_sampling"))


def of_type(name: str, **keys: Any) -> Policy:
    """A policy of this type, with the keys of its block."""
    return {"type": name, name: keys} if keys else {"type": name}


def sql(having: str) -> Policy:
    return {"type": "sql", "having": having}


def all_of(*policies: Policy) -> Policy:
    return of_type("and", and_sub_policy=list(policies))


def negated(policy: Policy) -> Policy:
    return of_type("not", not_sub_policy=policy)


def drop(*policies: Policy) -> Policy:
    return of_type("drop", drop_sub_policy=list(policies))


def share(percent: float) -> Policy:
    return of_type("probabilistic", sampling_percentage=percent)


def traces(
    randomness: Sequence[float] | np.ndarray,
    size: Sequence[int] | np.ndarray = (),
    lowest_score: Sequence[float] = (),
    negative_feedback: Sequence[bool] = (),
) -> Traces:
    """Without sizes they have 100 bytes; without evaluations there are none."""
    count = len(randomness)
    return Traces(
        count,
        np.array(randomness, np.float64),
        np.array(size if len(size) else np.full(count, 100), np.int64),
        np.array(lowest_score or np.full(count, np.nan), np.float64),
        np.array(negative_feedback or np.zeros(count, bool), bool),
    )


def asked(policies: Policies, rows: Batch, of_row: Sequence[int], about: Traces, seconds: float = 0.0) -> Verdicts:
    return policies.decide(rows, np.array(of_row, np.int64), about, seconds)


def kept(policy: Policy, *rows: Row) -> list[bool]:
    """Whether one policy keeps each of some traces of one span."""
    verdicts = asked(compiled(policy), spans(*rows), range(len(rows)), traces(np.full(len(rows), 0.5)))
    return [bool(index >= 0) for index in verdicts.policy]


def one_span_each(count: int) -> tuple[Batch, range]:
    """Traces of one plain span."""
    return spans(*[Row()] * count), range(count)
