"""Tail sampling with 100,000 and with 1,000,000 spans that wait: memory and CPU of each, and pauses of the event loop.

    python benchmarks/tail_sampling.py [--spans 100000]

Each row is a process of its own with the real processor between two real journals: it takes in traces of nine spans
whose roots are missing, then the roots come and every trace is decided, by SQL and by a share of a tenth. Baseline:
decoding the same requests. Aims: at most 1.3 bytes of memory for each byte of Arrow data that waits, at most 3 us of
CPU a span, taken in, decided and let go, and no pause of the event loop over 100 ms.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import orjson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from rich.console import Console
from rich.table import Table

from spanmill.batch import Batch
from spanmill.component import Inlet, Settings
from spanmill.config.models import Journal as JournalConfig
from spanmill.journal.directory import JournalDirectory
from spanmill.memory import tune_allocation
from spanmill.names import ComponentId, Kind, PipelineId
from spanmill.otlp.codec import decode
from spanmill.outlet import PipelineOutlet
from spanmill.pipeline import Pipeline
from spanmill.processors.tail_sampling.config import TailSamplingProcessorConfig
from spanmill.processors.tail_sampling.processor import TailSamplingProcessor
from spanmill.signal import Signal
from spanmill.telemetry.logs import component_log
from spanmill.telemetry.metrics import Metrics

_SPANS_OF_TRACE, _SPANS_OF_REQUEST, _MIXED = 9, 500, 50
_POLICIES = [
    {"name": "errors", "type": "sql", "having": "bool_or(status_code = 'error') or max(duration_ms) > 30000"},
    {"name": "costly", "type": "sql", "having": "sum(cost_usd) > 0.5"},
    {"name": "share", "type": "probabilistic", "probabilistic": {"sampling_percentage": 10}},
]


def requests(spans: int, *, roots: bool) -> Iterator[bytes]:
    """So many spans of traces that overlap in time, without their roots; or only the roots."""
    random, ids = Random(5), Random(6)
    traces = iter(ids.randbytes(16) for _ in range(spans // _SPANS_OF_TRACE))
    request, listed = ExportTraceServiceRequest(), None
    for count, trace in enumerate(_mixed(traces, random, 1 if roots else _SPANS_OF_TRACE)):
        if listed is None:
            request = ExportTraceServiceRequest()
            listed = request.resource_spans.add().scope_spans.add().spans
        span = listed.add(trace_id=trace, span_id=random.randbytes(8), name="chat", kind=3)
        span.parent_span_id = b"" if roots else b"\1" * 8
        span.start_time_unix_nano = 1_760_000_000_000_000_000 + count * 1_000
        span.end_time_unix_nano = span.start_time_unix_nano + random.randrange(2_000_000_000)
        span.status.code = Status.STATUS_CODE_ERROR if random.random() < 0.01 else Status.STATUS_CODE_UNSET
        for key, value in (("gen_ai.request.model", "gpt-4o"), ("gen_ai.operation.name", "chat"), ("user.id", "u1")):
            span.attributes.append(KeyValue(key=key, value=AnyValue(string_value=value)))
        span.attributes.append(KeyValue(key="gen_ai.usage.input_tokens", value=AnyValue(int_value=count % 5_000)))
        if len(listed) == _SPANS_OF_REQUEST:
            yield request.SerializeToString()
            listed = None
    if listed is not None:
        yield request.SerializeToString()


def _mixed(traces: Iterator[bytes], random: Random, spans: int) -> Iterator[bytes]:
    """The trace of each span: so many traces are under way at once."""
    open_traces: list[list[Any]] = []
    for trace in traces:
        open_traces.append([trace, spans])
        while len(open_traces) >= _MIXED:
            yield from _one(open_traces, random)
    while open_traces:
        yield from _one(open_traces, random)


def _one(open_traces: list[list[Any]], random: Random) -> Iterator[bytes]:
    place = random.randrange(len(open_traces))
    yield open_traces[place][0]
    open_traces[place][1] -= 1
    if not open_traces[place][1]:
        open_traces[place] = open_traces[-1]
        open_traces.pop()


async def fill(directory: str, spans: int) -> None:
    """Write the journal that the sampler will find."""
    metrics, log = Metrics(), component_log("service", "benchmark")
    journals = JournalDirectory(JournalConfig(directory=directory, max_size_mib=8192), metrics, log)
    journal = journals.journal(_BEFORE, 600.0)
    journal.reader("sampler")
    await journals.open()
    await journal.start()
    for payload in requests(spans, roots=False):
        batch = Batch(Signal.TRACES, decode(Signal.TRACES, [payload]).records)
        await journal.append(journal.pack(batch))
    await journal.stop()
    journals.close()


_BEFORE = PipelineId(Signal.TRACES, part="before tail_sampling")


class Lag:
    """The longest pause of the event loop, in milliseconds."""

    def __init__(self) -> None:
        self.worst_ms = 0.0
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.005)
            self.worst_ms = max(self.worst_ms, (time.perf_counter() - began) * 1e3 - 5)

    def stop(self) -> None:
        self._task.cancel()


def rss_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def until(condition: Callable[[], bool]) -> None:
    """Look a hundred times a second; give up after five minutes."""
    async with asyncio.timeout(300):
        while not condition():  # noqa: ASYNC110 - the sampler has no event for it
            await asyncio.sleep(0.01)


async def measure(directory: str, spans: int) -> dict[str, float]:
    """One row."""
    payloads = list(requests(spans, roots=True))
    began = time.process_time()
    for payload in payloads:
        decode(Signal.TRACES, [payload])
    decode_us = (time.process_time() - began) * 1e6 / (spans // _SPANS_OF_TRACE)
    metrics, log = Metrics(), component_log("processor", "tail_sampling")
    journals = JournalDirectory(JournalConfig(directory=directory, max_size_mib=8192), metrics, log)
    inlet, outlet = (journals.journal(name, 600.0) for name in (_BEFORE, PipelineId(Signal.TRACES)))
    config = TailSamplingProcessorConfig.model_validate(
        {
            "policies": _POLICIES, "decision_wait": "1h", "decision_wait_after_root_received": "50ms",
            "memory_size_mib": 4096,
        }
    )  # fmt: skip
    settings = Settings(Kind.PROCESSORS, ComponentId("tail_sampling"), log, metrics, Signal.TRACES, Path(directory))
    processor = TailSamplingProcessor(config, settings)
    executor = ThreadPoolExecutor(1)
    lost = metrics.counter("spanmill_processor_lost_items", processor="tail_sampling")
    pipeline = Pipeline(PipelineId(Signal.TRACES), (), outlet)
    processor.connect(
        Inlet(PipelineId(Signal.TRACES), inlet, inlet.reader("sampler")), PipelineOutlet(pipeline, executor, lost, log)
    )
    await journals.open()
    await inlet.start()
    await outlet.start()
    packs = [inlet.pack(Batch(Signal.TRACES, decode(Signal.TRACES, [payload]).records)) for payload in payloads]
    before, began, lag = rss_bytes(), time.process_time(), Lag()
    await processor.start(None)  # type: ignore[arg-type]
    held = processor._sampler.held
    await until(lambda: held.rows == spans // _SPANS_OF_TRACE * _SPANS_OF_TRACE)
    taken_us = (time.process_time() - began) * 1e6 / held.rows
    arrow, memory, counted = held.batch_bytes, rss_bytes() - before, held.nbytes + processor._sampler.index.nbytes
    began = time.process_time()
    for pack in packs:
        await inlet.append(pack)
    await until(lambda: not processor._sampler.pending)
    decided_us = (time.process_time() - began) * 1e6 / (spans * (_SPANS_OF_TRACE + 1) / _SPANS_OF_TRACE)
    lag.stop()
    await processor.drain()
    await processor.stop()
    await inlet.stop()
    await outlet.stop()
    journals.close()
    executor.shutdown()
    return {
        "spans": spans, "arrow": arrow / spans, "memory": memory / spans, "counted": counted / spans,
        "taken_us": taken_us, "decided_us": decided_us, "decode_us": decode_us, "lag_ms": lag.worst_ms,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, action="append")
    parser.add_argument("--child", choices=["fill", "measure"], help=argparse.SUPPRESS)
    parser.add_argument("--directory", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child == "fill":
        asyncio.run(fill(options.directory, options.spans[0]))
    elif options.child == "measure":
        tune_allocation()
        sys.stdout.buffer.write(orjson.dumps(asyncio.run(measure(options.directory, options.spans[0]))))
    else:
        _show(options.spans or [100_000, 1_000_000])


def _show(scales: list[int]) -> None:
    table = Table(title="A waiting span, and the longest pause", caption="aims: ratio 1.3, both 3 us, pause 100 ms")
    for heading in (
        "spans", "Arrow B", "memory B", "ratio", "taken in us", "decided us", "both us", "to decoding", "pause ms",
    ):  # fmt: skip
        table.add_column(heading, justify="right")
    for spans in scales:
        with tempfile.TemporaryDirectory() as directory:
            found: dict[str, float] = {}
            for child in ("fill", "measure"):
                command = [sys.executable, __file__, "--child", child, "--directory", directory, "--spans", str(spans)]
                output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
                found = orjson.loads(output) if child == "measure" else {}
        both = found["taken_us"] + found["decided_us"]
        table.add_row(
            f"{spans:,}", f"{found['arrow']:.0f}", f"{found['memory']:.0f}", f"{found['memory'] / found['arrow']:.2f}",
            f"{found['taken_us']:.2f}", f"{found['decided_us']:.2f}", f"{both:.2f}", f"{both / found['decode_us']:.2f}",
            f"{found['lag_ms']:.0f}",
        )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    main()
