"""CPU of sampling by probability, in us per span that arrives, beside that of decoding the same spans.

    python benchmarks/sampling_probability.py

Requests of 500 spans with 15 attributes each, in traces of five; ten of them are worked on together, as a busy
collector does. `th` are spans that come sampled already, from a few SDKs; `rv` those whose every trace brings a
randomness of its own, so that no two of them have the same tracestate. The mode hash_seed takes neither. Aim: at most
a tenth of the decoding where there is no tracestate, a third where all differ.
"""

import time
from collections.abc import Callable
from random import Random

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from rich.console import Console
from rich.table import Table

from spanmill.batch import Batch
from spanmill.component import Settings
from spanmill.names import ComponentId, Kind
from spanmill.otlp.codec import decode
from spanmill.processors.probabilistic_sampler.config import ProbabilisticSamplerProcessorConfig
from spanmill.processors.probabilistic_sampler.processor import ProbabilisticSamplerProcessor
from spanmill.signal import Signal
from spanmill.telemetry.logs import component_log
from spanmill.telemetry.metrics import Metrics

_SPANS, _SPANS_OF_TRACE, _ATTRIBUTES, _REQUESTS, _ROUNDS = 500, 5, 15, 10, 15


def trace_state(random: Random, kind: str) -> str:
    """What all spans of a trace carry."""
    if kind == "th":
        return random.choice(("ot=th:0", "ot=th:8", "vendor=1,ot=th:c"))
    return f"ot=rv:{random.getrandbits(56):014x};th:0" if kind == "rv" else ""


def request(random: Random, kind: str) -> bytes:
    """500 spans."""
    message = ExportTraceServiceRequest()
    spans = message.resource_spans.add().scope_spans.add().spans
    for _ in range(_SPANS // _SPANS_OF_TRACE):
        trace, state = random.randbytes(16), trace_state(random, kind)
        for _ in range(_SPANS_OF_TRACE):
            span = spans.add(trace_id=trace, span_id=random.randbytes(8), name="chat", trace_state=state)
            span.start_time_unix_nano = span.end_time_unix_nano = 1_767_225_600_000_000_000
            for number in range(_ATTRIBUTES):
                span.attributes.add(key=f"app.attribute.{number}").value.string_value = f"value {random.randrange(100)}"
    return message.SerializeToString()


def microseconds_per_span(work: Callable[[], object], spans: int) -> float:
    """CPU per span, the best of some rounds."""
    best = float("inf")
    for _ in range(_ROUNDS):
        began = time.thread_time()
        work()
        best = min(best, time.thread_time() - began)
    return best * 1e6 / spans


def main() -> None:
    table = Table("mode", "tracestate", "keeps", "us per span", "decoding: us per span", "ratio")
    for kind in ("none", "th", "rv"):
        random = Random(7)
        payloads = [request(random, kind) for _ in range(_REQUESTS)]
        spans = _SPANS * _REQUESTS
        decoding = microseconds_per_span(lambda: decode(Signal.TRACES, payloads), spans)  # noqa: B023
        batch = Batch(Signal.TRACES, decode(Signal.TRACES, payloads).records)
        settings = Settings(
            Kind.PROCESSORS, ComponentId("bench"), component_log("bench", "bench"), Metrics(), Signal.TRACES
        )
        for mode in ("hash_seed", "proportional", "equalizing")[kind != "none" :]:
            for percentage in (10, 100):
                config = ProbabilisticSamplerProcessorConfig(sampling_percentage=percentage, mode=mode)
                processor = ProbabilisticSamplerProcessor(config, settings)
                each = microseconds_per_span(lambda: processor(batch), spans)  # noqa: B023
                row = (mode, kind, f"{percentage} %", f"{each:.2f}", f"{decoding:.2f}", f"{each / decoding:.2f}")
                table.add_row(*row)
    Console().print(table)


if __name__ == "__main__":
    main()
