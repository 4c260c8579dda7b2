"""`make demo`: a collector, a few hundred LLM traces from OpenTelemetry's SDK, and what SQL says about them."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from rich.console import Console

from spanmill.errors import SpanmillError
from spanmill.generate import Options, generate
from spanmill.generate.collector import Collector, free_ports, own_page, storing_configuration

_TRACES: Final = 300
_DELIVERY_SECONDS: Final = 30.0
_ITEMS: Final = ("spans", "metric_points", "log_records")


class Question(NamedTuple):
    """What a user may want to know, and the SQL that says it."""

    text: str
    sql: str


QUESTIONS: Final = (
    Question(
        "What came in?",
        """SELECT service_name AS service, count(DISTINCT trace_id) AS traces,
       count(*) AS spans, count(DISTINCT attributes['session.id']) AS sessions
FROM spans GROUP BY service_name ORDER BY service_name""",
    ),
    Question(
        "Which calls were slowest?",
        """SELECT name, round(duration_ms) AS ms, attributes['session.id'] AS session
FROM spans WHERE kind = 'client' ORDER BY duration_ms DESC LIMIT 5""",
    ),
    Question(
        "Where do the tokens go?",
        """SELECT attributes['gen_ai.request.model'] AS model, count(*) AS calls,
       sum(attributes['gen_ai.usage.input_tokens']::BIGINT) AS input_tokens,
       sum(attributes['gen_ai.usage.output_tokens']::BIGINT) AS output_tokens
FROM spans WHERE attributes['gen_ai.usage.input_tokens'] IS NOT NULL
GROUP BY model ORDER BY input_tokens DESC""",
    ),
    Question(
        "How long until the first token of a streamed answer?",
        """SELECT attributes['gen_ai.request.model'] AS model,
       round(1000 * median(seconds)) AS median_ms, round(1000 * max(seconds)) AS slowest_ms
FROM (SELECT attributes, attributes['gen_ai.response.time_to_first_chunk']::DOUBLE AS seconds FROM spans)
WHERE seconds IS NOT NULL GROUP BY model ORDER BY model""",
    ),
    Question(
        "What went wrong?",
        """SELECT attributes['error.type'] AS error, status_message AS message, count(*) AS times
FROM spans WHERE status_code = 'error' AND kind = 'client'
GROUP BY ALL ORDER BY times DESC""",
    ),
    Question(
        "What did the customers ask in Korean and Japanese?",
        """SELECT DISTINCT attributes['gen_ai.retrieval.query.text'] AS question
FROM spans
WHERE regexp_matches(attributes['gen_ai.retrieval.query.text'], '[가-힣ぁ-ゟ]') LIMIT 4""",
    ),
)


def main() -> int:
    """Run the demo; an exit code."""
    console = Console(highlight=False)
    try:
        with tempfile.TemporaryDirectory(prefix="spanmill-demo-") as name:
            _show(console, Path(name))
    except SpanmillError as error:
        Console(stderr=True).print(str(error), markup=False, soft_wrap=True)
        return 1
    return 0


def _show(console: Console, directory: Path) -> None:
    ports = dict(zip(("grpc", "http", "health", "metrics"), free_ports(4), strict=True))
    parquet = directory / "parquet"
    configuration = storing_configuration(ports, parquet={"directory": str(parquet), "max_age": "1s"})
    with Collector(directory, configuration, ports["health"]) as collector:
        _say(
            console,
            f"A collector is ready after {collector.start_seconds:.1f} s, on localhost:{ports['grpc']} (OTLP/gRPC)",
        )
        sent = generate(Options(f"localhost:{ports['grpc']}", count=_TRACES, rate=0))
        _say(console, f"{sent} traces were sent: RAG requests, agents with tools, streamed chats, rate limits")
        taken = _wait_until_delivered(collector, ports["metrics"])
        _say(
            console,
            "All of it is in Parquet files: " + ", ".join(f"{count:,.0f} {item}" for item, count in taken.items()),
        )
    _say(console, "The collector was stopped. What SQL says about the files:\n")
    for question in QUESTIONS:
        console.print(f"[bold]{question.text}[/bold]")
        console.print(question.sql, style="dim", markup=False, soft_wrap=True)
        console.print(_answer(question.sql, parquet), markup=False, soft_wrap=True)
    console.print("Next, your own data: [bold]make run[/bold]")


def _say(console: Console, line: str) -> None:
    console.print(f"[bold green]>[/bold green] {line}", soft_wrap=True)


def _wait_until_delivered(collector: Collector, port: int) -> Mapping[str, float]:
    """Wait until what was taken is delivered, by the collector's own page; what was taken, by kind."""
    deadline = time.monotonic() + _DELIVERY_SECONDS
    while True:
        page = own_page(port)
        taken = {item: page.get(f"otelcol_receiver_accepted_{item}", 0.0) for item in _ITEMS}
        if taken == {item: page.get(f"otelcol_exporter_sent_{item}", 0.0) for item in _ITEMS}:
            return {item.replace("_", " "): count for item, count in taken.items()}
        if time.monotonic() > deadline:
            raise SpanmillError(f"not everything was delivered:\n{collector.log()}")
        time.sleep(0.1)


def _answer(sql: str, directory: Path) -> str:
    """What `spanmill query` prints."""
    command = [sys.executable, "-m", "spanmill", "query", sql, "--directory", str(directory)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - our own program
    if done.returncode:
        raise SpanmillError(f"the query failed: {done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
