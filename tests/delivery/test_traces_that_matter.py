"""`pipelines/keep-the-traces-that-matter.yaml` as a daemon: each policy keeps its traces, and all calls are counted."""

import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import duckdb
import orjson
import pytest
import yaml
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from spanmill.exit_codes import ExitCode
from spanmill.generate.collector import Collector, free_ports, own_page
from spanmill.llm.evaluations import Evaluation, request_bytes
from tests.delivery.stored import when
from tests.llm.rows import Value, entries

_FILE: Final = Path(__file__).parents[2] / "pipelines" / "keep-the-traces-that-matter.yaml"
_HIGH, _LOW = (1 << 56) - 1, 1 << 48
"""Randomness that every share keeps, and that none below 99 % does."""
_FIRST: Final = 3
"""Traces of a new prompt version that are kept here."""
_TOKENS: Final = {"gen_ai.usage.input_tokens": 1_000, "gen_ai.usage.output_tokens": 500}
_USD: Final = 0.0075
"""Of a call of gpt-4o with so many."""


@dataclass(frozen=True)
class Call:
    """A trace with one call of a model."""

    by: str | None
    """The policy that is to keep it, as far as it is known which traces it keeps; None: none is."""
    attributes: Mapping[str, Value] = field(default_factory=dict)
    seconds: float = 2.0
    error: bool = False
    randomness: int = _LOW


def _prompt(version: str) -> dict[str, Value]:
    return {"gen_ai.prompt.name": "greeting", "gen_ai.prompt.version": version}


CALLS: Final = (
    Call("errors", error=True),
    Call("expensive", {"gen_ai.usage.input_tokens": 400_000}),
    Call("slow", seconds=31),
    Call("slow", {"gen_ai.server.time_to_first_token": 6.0}),
    Call("truncated_or_filtered", {"gen_ai.response.finish_reasons": ["max_tokens"]}),
    Call("truncated_or_filtered", {"gen_ai.response.finish_reasons": ["content_filter"]}),
    Call("disliked"),
    Call("low_scores"),
    *[Call("new_prompts", _prompt("2")) for _ in range(_FIRST)],
    *[Call("rest", randomness=_HIGH - number) for number in range(4)],
    *[Call(None) for _ in range(40)],
    *[Call(None, _prompt("1")) for _ in range(10)],  # at the end; they come together, and some of them are the first
)
_OF_VERSION_1: Final = range(len(CALLS) - 10, len(CALLS))


def _trace_id(number: int) -> bytes:
    return ((number + 1) << 64 | CALLS[number].randomness).to_bytes(16)


def _request() -> bytes:
    request, now = ExportTraceServiceRequest(), time.time_ns()
    scope = request.resource_spans.add().scope_spans.add()
    for number, call in enumerate(CALLS):
        attributes = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai"}
        scope.spans.add(
            trace_id=_trace_id(number), span_id=(number + 1).to_bytes(8), name="chat gpt-4o",
            start_time_unix_nano=now - int(call.seconds * 1e9), end_time_unix_nano=now,
            status={"code": 2 if call.error else 0},
            attributes=entries({**attributes, "gen_ai.request.model": "gpt-4o", **_TOKENS, **call.attributes}),
        )  # fmt: skip
    return request.SerializeToString()


def _number(by: str) -> int:
    return next(number for number, call in enumerate(CALLS) if call.by == by)


def _low_score() -> bytes:
    trace_id = _trace_id(_number("low_scores")).hex()
    verdict = Evaluation(name="relevance", trace_id=trace_id, time_unix_nano=time.time_ns(), source="judge", score=0.2)
    return request_bytes([verdict], resource_attributes={"service.name": "judge"})


def _post(port: int, path: str, body: bytes, kind: str = "application/x-protobuf") -> None:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, {"Content-Type": kind})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200


def _configuration(ports: Mapping[str, int]) -> dict[str, Any]:
    """The file, where nobody else listens, and in more of a hurry."""
    made: dict[str, Any] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    made["receivers"]["otlp"] = {"protocols": {"http": {"endpoint": f"127.0.0.1:{ports['http']}"}}}
    made["extensions"]["health_check"]["endpoint"] = f"127.0.0.1:{ports['health']}"
    made["exporters"]["prometheus"]["endpoint"] = f"127.0.0.1:{ports['calls']}"
    made["service"]["telemetry"] = {"metrics": {"address": f"127.0.0.1:{ports['own']}"}}
    sampler = made["processors"]["tail_sampling"]
    sampler |= {"decision_wait": "3s", "decision_wait_after_last_span": "1s"}
    next(each for each in sampler["policies"] if each["name"] == "new_prompts")["first_of"]["traces"] = _FIRST
    return made


def _counted(port: int, name: str) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    return sum(sample.value for family in families for sample in family.samples if sample.name == name)


def _kept(directory: Path) -> Sequence[tuple[str, str, float]]:
    """Of each row its trace, the policy, and the weight."""
    files = [str(file) for file in directory.joinpath("spans").rglob("*.parquet")]
    with duckdb.connect() as connection:
        query = f"SELECT trace_id, sampled_by, coalesce(sample_weight, 1) FROM read_parquet({files})"
        return connection.execute(query).fetchall()


def test_each_policy_keeps_its_traces_and_prometheus_counts_all_calls(tmp_path: Path) -> None:
    ports = dict(zip(("http", "health", "calls", "own"), free_ports(4), strict=True))
    tmp_path.joinpath("pii.key").write_text(f"{'0123456789abcdef' * 4}\n")
    with Collector(tmp_path, _configuration(ports), ports["health"]) as collector:
        _post(ports["http"], "/v1/traces", _request())
        disliked = {"trace_id": _trace_id(_number("disliked")).hex(), "name": "helpful", "value": "down"}
        _post(ports["http"], "/v1/feedback", orjson.dumps(disliked), "application/json")
        _post(ports["http"], "/v1/logs", _low_score())
        decided = "otelcol_processor_tail_sampling_global_count_traces_sampled"
        when(lambda: own_page(ports["own"]).get(decided, 0) == len(CALLS))
        assert _counted(ports["calls"], "llm_requests_total") == len(CALLS)
        usd = (len(CALLS) - 1) * _USD + 1.005
        assert _counted(ports["calls"], "llm_cost_usd_total") == pytest.approx(usd)
        assert _counted(ports["calls"], "llm_quality_score_count") == 2
        assert collector.stop() == ExitCode.OK
    wanted = {_trace_id(number).hex(): call.by for number, call in enumerate(CALLS) if call.by}
    kept = _kept(tmp_path / "data" / "parquet")
    of_version_1 = {_trace_id(number).hex() for number in _OF_VERSION_1}
    assert {trace: by for trace, by, _ in kept if trace not in of_version_1} == wanted
    assert [by for trace, by, _ in kept if trace in of_version_1] == ["new_prompts"] * _FIRST
    assert len(kept) == len(wanted) + _FIRST
    assert all(weight == pytest.approx(20 if by == "rest" else 1) for _, by, weight in kept)
