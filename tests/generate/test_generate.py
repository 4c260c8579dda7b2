"""The load generator: repeatable by its seed, and clear when it cannot send."""

import subprocess
import sys
from random import Random

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from spanmill.errors import SpanmillError
from spanmill.generate import Options, Protocol, generate
from spanmill.generate.collector import free_ports
from spanmill.generate.scenarios import SCENARIOS, Scenario
from spanmill.generate.senders import SeededIds, Service
from spanmill.generate.texts import TOPICS
from spanmill.generate.trace import Trace

_START = 1_800_000_000_000_000_000


def _spans_of(scenario: Scenario, seed: int) -> tuple[ReadableSpan, ...]:
    """The spans of one trace, as an exporter gets them."""
    random, exporter = Random(seed), InMemorySpanExporter()
    tracers = TracerProvider(id_generator=SeededIds(random), shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    service = Service("app", tracers, MeterProvider(shutdown_on_exit=False), LoggerProvider(shutdown_on_exit=False))
    scenario(Trace(service, random, _START, {"session.id": "s"}), TOPICS[seed % len(TOPICS)])
    service.shutdown()
    return exporter.get_finished_spans()


@pytest.mark.parametrize("scenario", [scenario for scenario, _ in SCENARIOS], ids=lambda scenario: scenario.__name__)
class TestEveryScenario:
    def test_the_same_seed_gives_the_same_ids_texts_and_times(self, scenario: Scenario) -> None:
        first, second = (
            [(s.context, s.name, s.start_time, s.end_time, dict(s.attributes or {})) for s in _spans_of(scenario, 7)]
            for _ in range(2)
        )
        assert first == second

    def test_another_seed_gives_another_trace(self, scenario: Scenario) -> None:
        assert _spans_of(scenario, 7)[0].context.trace_id != _spans_of(scenario, 8)[0].context.trace_id

    def test_spans_are_one_trace_with_children_inside_their_parents(self, scenario: Scenario) -> None:
        spans = {span.context.span_id: span for span in _spans_of(scenario, 3)}
        assert len({span.context.trace_id for span in spans.values()}) == 1
        assert [span.parent for span in spans.values()].count(None) == 1
        for span in spans.values():
            if span.parent is not None:
                parent = spans[span.parent.span_id]
                assert (
                    (parent.start_time or 0) <= (span.start_time or 0) <= (span.end_time or 0) <= (parent.end_time or 0)
                )


def test_the_refused_chat_carries_its_exception_and_the_streamed_one_its_first_token() -> None:
    by_name = {scenario.__name__: scenario for scenario, _ in SCENARIOS}
    (refused,) = [span for span in _spans_of(by_name["rate_limited"], 1) if span.name.startswith("chat")]
    assert refused.status.status_code is StatusCode.ERROR
    assert [event.name for event in refused.events] == ["exception"]
    (streamed,) = [span for span in _spans_of(by_name["streamed_chat"], 1) if span.name.startswith("chat")]
    assert (streamed.attributes or {})["gen_ai.request.stream"] is True
    assert [event.name for event in streamed.events] == ["gen_ai.first_token"]


def test_an_endpoint_where_nobody_listens_is_named_with_what_to_do() -> None:
    (port,) = free_ports(1)
    with pytest.raises(SpanmillError, match=rf"cannot connect to http://127.0.0.1:{port}.*spanmill run.*--endpoint"):
        generate(Options(f"127.0.0.1:{port}"))


def test_without_the_sdk_the_install_command_is_given() -> None:
    """In a process of its own, where the SDK cannot be found."""
    program = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from spanmill.errors import SpanmillError\n"
        "from spanmill.generate import Options, generate\n"
        "try: generate(Options())\n"
        "except SpanmillError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert "pip install 'spanmill[generate]'" in done.stdout


@pytest.mark.parametrize(
    ("protocol", "target"), [(Protocol.GRPC, "http://localhost:4317"), (Protocol.HTTP_JSON, "http://localhost:4318")]
)
def test_without_an_endpoint_the_protocols_own_port_is_used(protocol: Protocol, target: str) -> None:
    assert Options(protocol=protocol).target == target
