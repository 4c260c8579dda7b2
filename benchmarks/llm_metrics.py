"""CPU of counting LLM calls, and of writing the page, by how many label sets the calls have.

    python benchmarks/llm_metrics.py

A batch is 500 calls with every column filled, in memory, and once 5,000, as a busy intake makes them; label sets are
models times features. Aim: at most 1 us of CPU per span at 50 label sets, and no growth of order with more of them.
Baseline: a loop in Python that adds up tokens, cost and requests of the same calls in dictionaries, and no histogram.
"""

import time
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from random import Random

import pyarrow as pa
from payloads import LIGHT, request
from rich.console import Console
from rich.table import Table

from spanmill.batch import Batch
from spanmill.exporters.prometheus.llm.aggregator import LlmMetrics
from spanmill.exporters.prometheus.llm.config import LlmMetricsConfig
from spanmill.otlp.codec import decode
from spanmill.schema.spans import SPANS
from spanmill.signal import Signal
from spanmill.telemetry.exposition import Format, merge, render

_SPANS = 500
_BATCHES = 20
_SECONDS = 1.0


def batch(random: Random, label_sets: int, *, calls: float = 1.0, spans: int = _SPANS) -> Batch:
    """A batch of which the part `calls` are LLM calls, with so many different models and features."""
    models = max(1, round(label_sets**0.5))
    features = max(1, label_sets // models)
    rows = [_row(random, models, features, random.random() < calls) for _ in range(spans)]
    made = Batch(Signal.TRACES, decode(Signal.TRACES, [request(random, spans, LIGHT)]).records)
    for name in rows[0]:
        made = made.with_record_column(name, pa.array([row[name] for row in rows], SPANS.column(name).type))
    return made


def _row(random: Random, models: int, features: int, is_call: bool) -> dict[str, object]:
    model = f"model-{random.randrange(models)}"
    tokens = random.randrange(1, 20_000)
    return {
        "is_llm_call": is_call or None,
        "operation": "chat",
        "provider": "openai",
        "request_model": model,
        "response_model": f"{model}-2026-01-01",
        "feature": f"feature-{random.randrange(features)}",
        "prompt_name": f"prompt-{random.randrange(features)}",
        "prompt_version": "7",
        "team": f"team-{random.randrange(5)}",
        "input_tokens": tokens,
        "output_tokens": random.randrange(2_000),
        "cache_read_tokens": tokens // 2 if random.random() < 0.5 else None,
        "cache_write_tokens": None,
        "reasoning_tokens": 10,
        "cost_usd": Decimal(tokens) / 1_000_000,
        "time_to_first_token_ms": random.random() * 2,
        "streaming": True,
        "error_type": "RateLimitError" if random.random() < 0.01 else None,
        "price_source": "genai-prices 0.2.3",
        "sample_weight": None,
        "retries": None,
    }


def microseconds(function: Callable[[int], object], per: int) -> float:
    """CPU of a call for one of `per` things: the best of five rounds, all of which are warm."""
    best = float("inf")
    for _ in range(5):
        function(0)
        calls, began = 0, time.thread_time()
        while time.thread_time() - began < _SECONDS / 5:
            function(calls)
            calls += 1
        best = min(best, (time.thread_time() - began) / calls / per)
    return best * 1e6


def loop(rows: list[dict[str, object]]) -> None:
    """What one would write first."""
    requests: dict[object, float] = defaultdict(float)
    tokens: dict[object, float] = defaultdict(float)
    cost: dict[object, float] = defaultdict(float)
    for row in rows:
        model, feature = row["request_model"], row["feature"]
        requests[model, "error" if row["error_type"] else "ok", feature] += 1
        for kind in ("input", "output", "cache_read", "cache_write", "reasoning"):
            if (count := row[f"{kind}_tokens"]) is not None:
                tokens[model, kind] += count  # type: ignore[operator]
        cost[model, feature] += float(row["cost_usd"])  # type: ignore[arg-type]


def measured(label_sets: int, part: float, spans: int) -> list[float]:
    """Microseconds of CPU: counting, the same with more labels, the loop, and the page."""
    random = Random(0)
    batches = [batch(random, label_sets, calls=part, spans=spans) for _ in range(_BATCHES)]
    plain = LlmMetrics(LlmMetricsConfig(), max_lines=250_000)
    labels = {"labels": ["team", "environment", "language"]}
    more = LlmMetrics(LlmMetricsConfig.model_validate(labels), max_lines=250_000)
    rows = [one.table([*_row(random, 1, 1, True)]).to_pylist() for one in batches]
    return [
        microseconds(lambda index: plain.consume(batches[index % _BATCHES]), spans),
        microseconds(lambda index: more.consume(batches[index % _BATCHES]), spans),
        microseconds(lambda index: loop(rows[index % _BATCHES]), spans),
        microseconds(lambda _: render(merge(plain.families()).families, Format()), plain.lines),
    ]


def main() -> None:
    table = Table(title="metrics of LLM calls, us of CPU", title_justify="left")
    columns = ("spans", "label sets", "calls", "count, per span", "with 3 more labels", "Python loop", "page, per line")
    for heading in columns:
        table.add_column(heading, justify="right")
    for spans, label_sets, part in ((500, 1, 1.0), (500, 50, 1.0), (500, 500, 1.0), (500, 50, 0.3), (5_000, 50, 1.0)):
        numbers = measured(label_sets, part, spans)
        table.add_row(f"{spans:,}", str(label_sets), f"{part:.0%}", *(f"{each:.2f}" for each in numbers))
    console = Console()
    console.print(table)
    console.print("aim: at most 1 us per span at 50 label sets")


if __name__ == "__main__":
    main()
