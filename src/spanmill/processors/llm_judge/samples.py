"""Questions as they wait in the queue: a row for each, whose only column is the question as JSON."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import orjson
import pyarrow as pa

from spanmill.batch import Batch
from spanmill.judge.questions import Question
from spanmill.signal import Signal

_COLUMN: Final = "judge_sample"


@dataclass(frozen=True, slots=True)
class Sample:
    """A question, and what is to be known of its span beside it."""

    question: Question
    queued_at: float
    """Seconds since 1970."""
    service_name: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    excerpt: str = ""
    """The beginning of the judged answer, for people who are told of a low score."""


def batch_of(samples: Iterable[Sample]) -> Batch:
    """The samples for the queue."""
    texts = [orjson.dumps(sample, default=bytes.hex) for sample in samples]
    return Batch(Signal.TRACES, pa.RecordBatch.from_arrays([pa.array(texts, pa.binary())], names=[_COLUMN]))


def samples_of(batch: Batch) -> list[Sample]:
    """What `batch_of` was given. Raises `ValueError` for what it did not make."""
    try:
        return [_sample(orjson.loads(text)) for text in batch.records.column(_COLUMN).to_pylist()]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not samples: {type(error).__name__}") from None


def _sample(data: dict[str, Any]) -> Sample:
    asked = data.pop("question")
    digests = {name: bytes.fromhex(asked.pop(name)) for name in ("key", "content")}
    return Sample(Question(**{**asked, **digests, "messages": tuple(asked["messages"])}), **data)
