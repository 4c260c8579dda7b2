"""CPU of normalising, pricing and measuring LLM calls, by step, for batches of 500 and 5,000 spans with 15 attributes.

    python benchmarks/llm.py

The batches are those of `llm_cost.py`, raw: agents' traces in OpenTelemetry's convention, the same spans in another
dialect, with labels of one's own on the metrics, and with messages of 1 KB. Every batch is seen once, so nothing of
it is remembered. Baseline: decoding the same requests. Aim: the three steps together at most 3 us of CPU a span without
messages, and no change of order by a dialect or a label more.
"""

import time
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import llm_cost
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from rich.console import Console
from rich.table import Table

from spanmill.batch import Batch
from spanmill.exporters.prometheus.llm.aggregator import LlmMetrics
from spanmill.exporters.prometheus.llm.config import LlmMetricsConfig
from spanmill.llm.normaliser import Normaliser, Options
from spanmill.otlp.codec import decode
from spanmill.processors.llm_cost.config import LlmCostProcessorConfig
from spanmill.processors.llm_cost.processor import LlmCostProcessor
from spanmill.signal import Signal

_BATCHES, _ROUNDS = 60, 5
_AGENT = ("invoke_agent", "chain", "chat", "execute_tool", "chat")
_OPENINFERENCE = {
    "gen_ai.operation.name": "openinference.span.kind",
    "gen_ai.provider.name": "llm.provider",
    "gen_ai.request.model": "llm.model_name",
    "gen_ai.usage.input_tokens": "llm.token_count.prompt",
    "gen_ai.usage.output_tokens": "llm.token_count.completion",
    "gen_ai.usage.cache_read.input_tokens": "llm.token_count.prompt_details.cache_read",
    "gen_ai.conversation.id": "session.id",
}
_KINDS = {"invoke_agent": "AGENT", "chain": "CHAIN", "chat": "LLM", "execute_tool": "TOOL"}
_MESSAGES = {
    "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"'
    + "where is my order? " * 40
    + '"}]}]',
    "gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"text","content":"'
    + "it is here. " * 20
    + '"}]}]',
}


def payload(random: Random, spans: int, rename: dict[str, str], more: dict[str, str]) -> bytes:
    """A request of agents' traces."""
    request = ExportTraceServiceRequest()
    listed = request.resource_spans.add().scope_spans.add().spans
    for _ in range(spans // len(_AGENT)):
        trace, ids = random.randbytes(16), [random.randbytes(8) for _ in _AGENT]
        for position, operation in enumerate(_AGENT):
            span = listed.add(trace_id=trace, span_id=ids[position], name=operation)
            span.parent_span_id = ids[0] if position else b""
            span.start_time_unix_nano = 1_767_225_600_000_000_000 + random.randrange(10**12)
            span.end_time_unix_nano = span.start_time_unix_nano + random.randrange(10**9)
            attributes = llm_cost.attributes(random, operation, 10) | (more if operation == "chat" else {})
            for key, value in attributes.items():
                attribute = KeyValue(key=rename.get(key, key))
                if isinstance(value, int):
                    attribute.value.int_value = value
                else:
                    attribute.value.string_value = _KINDS[value] if rename and key == "gen_ai.operation.name" else value
                span.attributes.append(attribute)
    return request.SerializeToString()


def steps(payloads: Sequence[bytes], spans: int, labels: dict[str, Any]) -> list[float]:
    """us of CPU per span of decoding, normalising, pricing, measuring; of each the best of some rounds."""
    best = [float("inf")] * 4
    for _ in range(_ROUNDS):
        normalise = Normaliser(Options())
        price = LlmCostProcessor(LlmCostProcessorConfig(), llm_cost.settings())
        metrics = LlmMetrics(LlmMetricsConfig.model_validate({"labels": labels}), max_lines=250_000)
        given: Sequence[Any] = payloads
        works: list[Callable[[Any], Any]] = [
            lambda one: Batch(Signal.TRACES, decode(Signal.TRACES, [one]).records),
            normalise,
            price,
            metrics.consume,
        ]
        for position, work in enumerate(works):
            began = time.thread_time()
            given = [work(one) for one in given]
            used = (time.thread_time() - began) / len(payloads) / spans * 1e6
            best[position] = min(best[position], used)
    return best


def main() -> None:
    table = Table("spans", "spans a batch", "decode", "normalise", "price", "measure", "the three", "of decoding")
    label = {
        f"label{number}": {"attribute": f"app.{name}"} for number, name in enumerate(("team", "region", "feature"))
    }
    for name, spans, rename, more, labels in (
        ("OpenTelemetry", 500, {}, {}, {}),
        ("OpenTelemetry", 5_000, {}, {}, {}),
        ("OpenTelemetry, 3 labels more", 500, {}, {}, label),
        ("OpenInference", 500, _OPENINFERENCE, {}, {}),
        ("with messages of 1 KB", 500, {}, _MESSAGES, {}),
    ):
        random = Random(7)
        payloads = [payload(random, spans, rename, more) for _ in range(_BATCHES * 500 // spans or 1)]
        decoded, *rest = steps(payloads, spans, labels)
        cells = [f"{value:.2f}" for value in (decoded, *rest, sum(rest), sum(rest) / decoded)]
        table.add_row(name, str(spans), *cells)
    Console().print(table)


if __name__ == "__main__":
    main()
