"""CPU per span and peak memory of the collector's process while an outside client sends, into Parquet.

    python benchmarks/ingest.py [--quick] [--only grpc/500/light]

The baseline is protobuf's own parser (upb) on the same requests: it turns bytes into objects and reads none of them.
Aims: 8 us/span for 500 light spans in a request over gRPC; 150 MiB when idle.
"""

import argparse
import time

import payloads
from measuring import Case, Measured, case_requests, collector, measure, memory_mib, working_directory
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from rich.console import Console
from rich.progress import track
from rich.table import Table

_SIZES = {"light": payloads.LIGHT, "llm": payloads.LLM, "huge": payloads.HUGE}
_REQUESTS = {
    ("light", 1): 4000,
    ("light", 50): 2000,
    ("light", 500): 600,
    ("llm", 1): 4000,
    ("llm", 50): 1000,
    ("llm", 500): 200,
    ("huge", 1): 600,
    ("huge", 50): 24,
    ("huge", 500): 4,
}
_IDLE_SECONDS = 3.0


def cases(quick: bool, only: str) -> list[tuple[str, Case]]:
    """Named `protocol/spans/size`."""
    named = [
        (f"{protocol}/{spans}/{size}", Case(protocol, spans, _SIZES[size], max(1, requests // (10 if quick else 1))))
        for protocol in ("grpc", "http")
        for (size, spans), requests in _REQUESTS.items()
    ]
    return [(name, case) for name, case in named if only in name]


def parse_microseconds(case: Case) -> float:
    """The baseline: CPU of protobuf's parser, in microseconds per span."""
    requests = case_requests(case)
    rounds, began = 0, time.process_time()
    while time.process_time() - began < 0.2:
        for request in requests:
            ExportTraceServiceRequest.FromString(request)
        rounds += 1
    return (time.process_time() - began) * 1e6 / (rounds * len(requests) * case.spans)


def idle_mib() -> float:
    """Resident memory of a collector that has just started and received nothing."""
    with working_directory() as directory, collector(directory) as (running, _):
        assert running.process is not None
        time.sleep(_IDLE_SECONDS)
        return memory_mib(running.process.pid, "VmRSS")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="a tenth of the load")
    arguments.add_argument("--only", default="", help="cases whose name holds this text")
    chosen = arguments.parse_args()
    table = Table(title="server process, OTLP into Parquet", title_justify="left")
    for heading in ("case", "spans", "CPU us/span", "protobuf parse us/span", "ratio", "spans/s", "peak MiB"):
        table.add_column(heading, justify="left" if heading == "case" else "right", no_wrap=heading == "case")
    console = Console()
    try:
        for name, case in track(cases(chosen.quick, chosen.only), "measuring", transient=True):
            with working_directory() as directory:
                table.add_row(*_row(name, case, measure(case, directory)))
    finally:
        console.print(table)  # a case that fails does not take the others with it
    console.print(f"idle: {idle_mib():.0f} MiB (aim: 150)")
    console.print("aim: 8 us/span for grpc/500/light")


def _row(name: str, case: Case, measured: Measured) -> list[str]:
    mine, baseline = measured.microseconds_per_span(case), parse_microseconds(case)
    rate, peak = case.total_spans / measured.seconds, measured.peak_mib
    return [
        name,
        f"{case.total_spans:,}",
        f"{mine:.2f}",
        f"{baseline:.2f}",
        f"{mine / baseline:.1f}",
        f"{rate:,.0f}",
        f"{peak:.0f}",
    ]


if __name__ == "__main__":
    main()
