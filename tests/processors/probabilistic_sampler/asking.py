"""Requests through the probabilistic sampler, in a form that can be compared with the Collector's answers."""

from dataclasses import replace
from typing import Any

import orjson

from spanmill.batch import Batch
from spanmill.names import Kind
from spanmill.otlp.attributes import get
from spanmill.otlp.codec import decode
from spanmill.otlp.json import from_json
from spanmill.processors.probabilistic_sampler.config import ProbabilisticSamplerProcessorConfig
from spanmill.processors.probabilistic_sampler.processor import ProbabilisticSamplerProcessor
from spanmill.signal import Signal
from spanmill.telemetry.metrics import Metrics
from tests.processors.building import settings


def sampler(signal: Signal, metrics: Metrics | None = None, **config: Any) -> ProbabilisticSamplerProcessor:
    made = settings(Kind.PROCESSORS, "probabilistic_sampler")
    made = replace(made, signal=signal, metrics=metrics or made.metrics)
    return ProbabilisticSamplerProcessor(ProbabilisticSamplerProcessorConfig.model_validate(config), made)


def batch_of(signal: Signal, request: Any) -> Batch:
    return Batch(signal, decode(signal, [from_json(signal, orjson.dumps(request))]).records)


def kept_by(signal: Signal, config: dict[str, Any], request: Any) -> dict[str, str]:
    """The items that are kept of an OTLP/JSON request, and what they carry, as `collector_answers.go` says."""
    return said_of(sampler(signal, **config)(batch_of(signal, request)))


def said_of(batch: Batch) -> dict[str, str]:
    if batch.signal is Signal.TRACES:
        names, states = batch.records.column("name"), batch.records.column("trace_state")
        return dict(zip(names.to_pylist(), states.to_pylist(), strict=True))
    bodies, attributes = batch.column("body").to_pylist(), batch.records.column("attributes")
    held = [_texts(attributes, key) for key in ("sampling.threshold", "sampling.randomness")]
    return {body: f"{threshold} {randomness}" for body, threshold, randomness in zip(bodies, *held, strict=True)}


def _texts(attributes: Any, key: str) -> list[str]:
    values = get(attributes, key)
    numbers = values.field("int_value").to_pylist()
    texts = values.field("string_value").to_pylist()
    return [text or ("" if number is None else str(number)) for text, number in zip(texts, numbers, strict=True)]
