"""Personal data sent to a running collector over every protocol, and searched for in everything that it writes, serves
and says: files, journal, dead letters, log, metrics, also when it is killed in the middle."""

import json
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from spanmill.batch import serialize
from spanmill.generate.collector import Collector, free_ports, own_page
from spanmill.otlp.codec import encode
from spanmill.otlp.json import to_json
from spanmill.otlp.messages import SERVICES
from spanmill.replay.options import Selection
from spanmill.replay.sources import source_at
from spanmill.signal import Signal
from tests.data import key_value
from tests.delivery.answering import answering
from tests.delivery.stored import when
from tests.pii.planting import filled, leaks, plant, secrets

SPOKEN = {
    "email": "jane.planted@corp.example",
    "phone": "+82 10-9876-1234",
    "kr_rrn": "900101-1234568",
    "us_ssn": "536-22-8714",
    "iban": "DE89370400440532013000",
    "openai_key": "sk-proj-T3BlbkFJabcdefghijklmnopqrstuvwx0123456789AB",
    "secret_key_value": "hunter2-planted",
}
"""Each as it stands in a conversation, by the detector that is to find it."""


@pytest.fixture
def refusing() -> Iterator[str]:
    """Refuses for good, and says in its answer what it was sent."""
    with answering(lambda _headers, body: (400, body)) as port:
        yield f"http://127.0.0.1:{port}"


def configuration(directory: Path, ports: dict[str, int], refusing: str, **masking: Any) -> dict[str, Any]:
    """Every kind of exporter, one whose peer refuses for good, and one whose peer is away: the journal keeps all."""
    away = {"endpoint": f"http://127.0.0.1:{free_ports(1)[0]}"}
    exporters: dict[str, Any] = {
        "parquet": {"directory": str(directory / "parquet"), "max_age": "200ms"},
        "duckdb": {"path": str(directory / "spanmill.duckdb"), "max_age": "200ms"},
        "file": {"path": str(directory / "otlp.jsonl"), "flush_interval": "100ms"},
        "debug": {"verbosity": "detailed", "sampling_initial": 100},
        "otlp_http/refused": {"endpoint": refusing, "compression": "none"},
        "otlp_http/away": away,
        "prometheus": {"endpoint": f"127.0.0.1:{ports['page']}", "llm": {"labels": {"user": {"column": "user_id"}}}},
    }
    everywhere = [name for name in exporters if name != "prometheus"]
    processors = {"traces": ["pii_masking", "gen_ai_normalizer", "llm_cost"], "logs": ["pii_masking"]}
    return {
        "receivers": {
            "otlp": {"protocols": {name: {"endpoint": f"127.0.0.1:{ports[name]}"} for name in ("grpc", "http")}}
        },
        "processors": {
            "pii_masking": {"keys": True, **masking},
            "gen_ai_normalizer": None,
            "llm_cost": {"budgets": {"limits": {"users": {"per": "user", "daily_usd": 0.001}}}},
        },
        "exporters": exporters,
        "extensions": {"health_check": {"endpoint": f"127.0.0.1:{ports['health']}"}},
        "service": {
            "extensions": ["health_check"],
            "telemetry": {
                "metrics": {"address": f"127.0.0.1:{ports['metrics']}", "level": "detailed"},
                "logs": {"level": "debug"},
            },
            "pipelines": {
                signal.value: {
                    "receivers": ["otlp"],
                    "processors": processors.get(signal.value, ["pii_masking"]),
                    "exporters": [*everywhere, *(["prometheus"] if signal is not Signal.LOGS else [])],
                }
                for signal in Signal
            },
        },
    }


@dataclass
class Sent:
    """What was planted: `everywhere` addresses by number, and the texts of `SPOKEN`."""

    everywhere: int = 0

    @property
    def addresses(self) -> list[bytes]:
        return [f"planted{number}@".encode() for number in range(1, self.everywhere + 1)]


def send(ports: dict[str, int]) -> Sent:
    """Messages with personal data in every field, over gRPC and as JSON over HTTP, and a conversation."""
    what = secrets(keys=True)
    requests: list[tuple[Signal, Message]] = [(Signal.TRACES, conversation())]
    for signal in Signal:
        request = _valid(filled(SERVICES[signal].request()))
        plant(request, what)
        requests.append((signal, request))
    with grpc.insecure_channel(f"127.0.0.1:{ports['grpc']}") as channel:
        for signal, request in requests[::2]:
            channel.unary_unary(SERVICES[signal].method)(request.SerializeToString())
    for signal, request in requests[1::2]:
        assert _post(ports["http"], signal, to_json(signal, request.SerializeToString())) == 200
    return Sent(what.planted)


def conversation() -> Message:
    """An LLM call by somebody who says everything, in JSON in a string."""
    request = ExportTraceServiceRequest()
    said = ", ".join(text for name, text in SPOKEN.items() if name != "secret_key_value")
    messages = json.dumps([{"role": "user", "parts": [{"type": "text", "content": f"I am {said}"}]}])
    arguments = json.dumps({"password": SPOKEN["secret_key_value"], "to": SPOKEN["email"]})
    span = (
        request.resource_spans.add()
        .scope_spans.add()
        .spans.add(name="chat gpt-4o", trace_id=b"t" * 16, span_id=b"s" * 8)
    )
    now = time.time_ns()
    span.start_time_unix_nano, span.end_time_unix_nano = now, now + 10**9
    attributes: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 1000,
        "gen_ai.input.messages": messages,
        "gen_ai.tool.call.arguments": arguments,
        "user.id": SPOKEN["email"],
    }
    span.attributes.extend(key_value(key, value) for key, value in attributes.items())
    return request


def _valid(message: Message) -> Message:
    """With ids as long as they have to be."""
    for field, value in message.ListFields():
        if field.name == "trace_id":
            setattr(message, field.name, b"t" * 16)
        elif field.message_type is not None:
            for each in value if field.is_repeated else [value]:
                _valid(each)
    return message


def _post(port: int, signal: Signal, body: bytes) -> int:
    url, headers = f"http://127.0.0.1:{port}/v1/{signal.value}", {"Content-Type": "application/json"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def contents(directory: Path, *sources: Path) -> dict[str, bytes]:
    """What a directory holds: the bytes of every file, and what is in those that are compressed."""
    held = {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file() and path.name != "config.yaml"
    }
    for source in sources:
        for piece in source_at(source).pieces(Selection()):
            batch = piece.load()
            held[f"in {piece.name}"] = encode(piece.signal, batch.records) + bytes(serialize(batch))
    return held


def found_in(data: bytes) -> list[bytes]:
    """What of everything planted is in the data."""
    return [*leaks(data), *(text.encode() for text in SPOKEN.values() if text.encode() in data)]


def _has_written_everything(directory: Path, ports: dict[str, int]) -> bool:
    letters = list((directory / "data/journal").glob("*/*/*.arrow"))
    page = own_page(ports["metrics"])
    return (
        len({path.name for path in letters}) >= len(Signal)
        and all(list((directory / "parquet" / table).rglob("*.parquet")) for table in ("spans", "logs", "metrics"))
        and page.get("llm_budget_spent_usd", 0.0) > 0
        and (directory / "otlp.jsonl").stat().st_size > 0
    )


def _run_and_kill(directory: Path, refusing: str, **masking: Any) -> tuple[Sent, dict[str, bytes], dict[str, float]]:
    """What was sent, what is left behind, and the numbers of its own page."""
    ports = dict(zip(("grpc", "http", "health", "metrics", "page"), free_ports(5), strict=True))
    collector = Collector(directory, configuration(directory, ports, refusing, **masking), ports["health"])
    try:
        collector.start()
        sent = send(ports)
        wrong = {"resourceSpans": [{"scopeSpans": [{"spans": [{"startTimeUnixNano": SPOKEN["email"]}]}]}]}
        assert _post(ports["http"], Signal.TRACES, json.dumps(wrong).encode()) == 400
        when(lambda: _has_written_everything(directory, ports))
        pages = {}
        for name in ("metrics", "page"):
            with urllib.request.urlopen(f"http://127.0.0.1:{ports[name]}/metrics", timeout=5) as answer:
                pages[f"page {name}"] = answer.read()
        numbers = own_page(ports["metrics"])
    finally:
        collector.kill()
    journal = directory / "data/journal"
    letters = next(path for path in journal.iterdir() if "letters" in path.name)
    stores = (journal, letters, directory / "parquet", directory / "spanmill.duckdb")
    return sent, {**contents(directory, *stores), **pages}, numbers


def test_nothing_that_was_to_be_masked_is_left_anywhere_when_the_collector_is_killed(
    tmp_path: Path, refusing: str
) -> None:
    sent, held, numbers = _run_and_kill(tmp_path, refusing)
    assert {name: found for name, data in held.items() if (found := found_in(data))} == {}
    assert sent.everywhere > 200
    assert b"<EMAIL>" in held["otlp.jsonl"]
    assert b"bad requests are being rejected" in held["spanmill.log"]
    assert numbers["spanmill_pii_masking_findings"] >= sent.everywhere
    assert numbers.get("spanmill_pii_masking_failures", 0.0) == 0
    page = held["page metrics"].decode()
    for detector in SPOKEN:
        assert f'detector="{detector}"' in page


def test_a_dry_run_counts_everything_and_changes_nothing(tmp_path: Path, refusing: str) -> None:
    """And so guards the test above: the search finds what there is to find."""
    sent, held, numbers = _run_and_kill(tmp_path, refusing, dry_run=True)
    journal = b"".join(data for name, data in held.items() if name.startswith(f"in {tmp_path}/data/journal/"))
    assert [address for address in sent.addresses if address not in journal] == []
    for place in ("parquet", "spanmill.duckdb", "otlp.jsonl", "spanmill.log", "data/journal"):
        data = b"".join(data for name, data in held.items() if place in name)
        assert SPOKEN["email"].encode() in data, place
    assert numbers["spanmill_pii_masking_findings"] >= sent.everywhere
