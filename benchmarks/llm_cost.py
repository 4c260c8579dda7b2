"""CPU of pricing calls of models and counting each once, for batches of 500 spans with 15 attributes.

    python benchmarks/llm_cost.py

Batches are decoded and normalised beforehand; each is a new set of traces, so that nothing is known of its spans. Most
of the cost is by batch, not by span, so batches of 5,000, as a busy collector makes of ten requests, are measured too.
Aim: 1 us of CPU per span of agents' traces, and no growth with the number of models. Baseline: `calc_price` of
genai-prices for each call, without telling restated calls.
"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from rich.console import Console
from rich.table import Table

from spanmill.batch import Batch
from spanmill.component import Settings
from spanmill.names import ComponentId, Kind
from spanmill.otlp.codec import decode
from spanmill.processors.gen_ai_normalizer.config import GenAiNormalizerProcessorConfig
from spanmill.processors.gen_ai_normalizer.processor import GenAiNormalizerProcessor
from spanmill.processors.llm_cost.config import LlmCostProcessorConfig
from spanmill.processors.llm_cost.processor import LlmCostProcessor
from spanmill.signal import Signal
from spanmill.telemetry.logs import component_log
from spanmill.telemetry.metrics import Metrics

_SPANS, _BATCHES, _ROUNDS = 500, 60, 7
_MODELS = (
    ("openai", "gpt-4o-mini"),
    ("openai", "gpt-4.1"),
    ("openai", "o3"),
    ("anthropic", "claude-sonnet-4-5-20250929"),
    ("anthropic", "claude-haiku-4-5"),
    ("gcp.gemini", "gemini-2.5-pro"),
    ("gcp.gemini", "gemini-2.5-flash"),
    ("mistral_ai", "mistral-large-latest"),
    ("deepseek", "deepseek-chat"),
    ("aws.bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
)
_AGENT = ("invoke_agent", "chain", "chat", "execute_tool", "chat")
"""The spans of an agent's trace; each is a child of the first."""


def attributes(random: Random, operation: str, models: int) -> dict[str, str | int]:
    """Fifteen, as OpenTelemetry's instrumentations send them."""
    provider, model = _MODELS[random.randrange(models)]
    tokens = random.randrange(10, 20_000)
    return {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": model,
        "gen_ai.response.model": model,
        "gen_ai.response.id": f"chatcmpl-{random.getrandbits(150):030x}",
        "gen_ai.usage.input_tokens": tokens,
        "gen_ai.usage.output_tokens": random.randrange(2_000),
        "gen_ai.usage.cache_read.input_tokens": tokens // 2,
        "gen_ai.conversation.id": f"conversation-{random.randrange(100)}",
        "server.address": "api.example",
        "server.port": 443,
        "user.id": f"user-{random.randrange(100)}",
        "app.feature": "search",
        "app.team": "shop",
        "app.region": "eu-1",
    }


def batch(random: Random, operations: Sequence[str], models: int) -> Batch:
    """500 normalised spans, in traces of one span for each of `operations`."""
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    begin = 1_767_225_600_000_000_000
    for _ in range(_SPANS // len(operations)):
        trace, ids = random.randbytes(16), [random.randbytes(8) for _ in operations]
        for position, operation in enumerate(operations):
            span = spans.add(trace_id=trace, span_id=ids[position], name=operation)
            span.parent_span_id = ids[0] if position else b""
            span.start_time_unix_nano = begin + random.randrange(10**12)
            span.end_time_unix_nano = span.start_time_unix_nano + random.randrange(10**9)
            for key, value in attributes(random, operation, models).items():
                attribute = KeyValue(key=key)
                if isinstance(value, int):
                    attribute.value.int_value = value
                else:
                    attribute.value.string_value = value
                span.attributes.append(attribute)
    made = Batch(Signal.TRACES, decode(Signal.TRACES, [request.SerializeToString()]).records)
    return GenAiNormalizerProcessor(GenAiNormalizerProcessorConfig(), settings())(made)


def settings() -> Settings:
    return Settings(Kind.PROCESSORS, ComponentId("bench"), component_log("bench", "bench"), Metrics(), Signal.TRACES)


def microseconds_per_span(batches: Sequence[Batch]) -> float:
    """CPU per span: the best of some rounds, each with a processor that has seen other spans only."""
    best = float("inf")
    warm_up = len(batches) // 4
    for _ in range(_ROUNDS):
        processor = LlmCostProcessor(LlmCostProcessorConfig(memory_size_mib=8), settings())
        for each in batches[:warm_up]:
            processor(each)
        began = time.thread_time()
        for each in batches[warm_up:]:
            processor(each)
        best = min(best, (time.thread_time() - began) / sum(map(len, batches[warm_up:])))
    return best * 1e6


def microseconds_per_calc_price() -> float:
    """CPU of one `calc_price`, for a model that it has looked up already."""
    from genai_prices import Usage, calc_price

    usage, at = Usage(input_tokens=1_000, output_tokens=100), datetime(2026, 1, 1, tzinfo=UTC)
    best = float("inf")
    for _ in range(_ROUNDS):
        began = time.thread_time()
        for _ in range(500):
            calc_price(usage, "gpt-4.1", provider_id="openai", genai_request_timestamp=at)
        best = min(best, (time.thread_time() - began) / 500)
    return best * 1e6


def main() -> None:
    baseline = microseconds_per_calc_price()
    table = Table("traces", "spans", "calls", "models", "us per span", "us per call", "calc_price: us per call")
    for name, operations, models, together in (
        ("agents", _AGENT, 10, 1),
        ("agents", _AGENT, 10, 10),
        ("single calls", ("chat",), 10, 1),
        ("single calls", ("chat",), 1, 1),
        ("without calls", ("execute_tool",), 1, 1),
    ):
        random = Random(7)
        small = [batch(random, operations, models) for _ in range(_BATCHES)]
        batches = [Batch.concat(small[first : first + together]) for first in range(0, len(small), together)]
        each = microseconds_per_span(batches)
        share = operations.count("chat") / len(operations)
        per_call = f"{each / share:.2f}" if share else "-"
        spans = _SPANS * together
        table.add_row(name, str(spans), f"{share * spans:.0f}", str(models), f"{each:.2f}", per_call, f"{baseline:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
