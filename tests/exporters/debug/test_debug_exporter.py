"""What the debug exporter shows at its three verbosities."""

import io
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from spanmill.batch import Batch
from spanmill.component import Position, Settings
from spanmill.errors import StartError
from spanmill.exporters.debug.config import DebugExporterConfig
from spanmill.exporters.debug.detailed import lines as detailed_lines
from spanmill.exporters.debug.exporter import DebugExporter, Sampler
from spanmill.exporters.debug.normal import lines as normal_lines
from spanmill.names import ComponentId, Kind
from spanmill.signal import Signal
from spanmill.telemetry.logs import LINES, UNLIMITED, component_log, configure_logs
from spanmill.telemetry.metrics import Metrics
from tests.data import START, batch_of, key_value, spans, traces
from tests.exporters.hosts import NO_HOST
from tests.logs import CapturedLog
from tests.strategies import REQUESTS

HERE = Position("j", 0, 0)


class Shown:
    """A debug exporter and the calls that its logger received."""

    def __init__(self, **config: Any) -> None:
        self.captured = CapturedLog()
        settings = Settings(Kind.EXPORTERS, ComponentId("debug"), self.captured, Metrics())
        self.exporter = DebugExporter(DebugExporterConfig.model_validate(config), settings)

    async def show(self, batch: Batch) -> dict[str, Any]:
        await self.exporter.export(batch, HERE)
        return {key: value for key, value in self.captured.entries[-1].items() if key != "log_level"}


async def test_basic_says_how_many_in_one_line() -> None:
    shown = await Shown().show(spans(2))
    assert shown == {"event": "Traces", "resource_spans": 1, "spans": 2, LINES: [], UNLIMITED: True}


async def test_normal_has_a_line_for_each_item_under_its_resource_and_scope() -> None:
    shown = await Shown(verbosity="normal").show(spans(2))
    assert shown[LINES] == [
        "ResourceTraces #0 service.name=shop",
        "ScopeTraces #0 tests@1",
        f"chat {1:032x} {1:016x} gen_ai.request.model=gpt-4o gen_ai.usage.input_tokens=1",
        f"chat {2:032x} {2:016x} gen_ai.request.model=gpt-4o gen_ai.usage.input_tokens=2",
    ]


async def test_detailed_shows_every_field_in_the_collectors_layout() -> None:
    request = traces(1)
    span = request.resource_spans[0].scope_spans[0].spans[0]
    span.status.MergeFrom(Status(code=Status.STATUS_CODE_ERROR, message="no quota"))
    span.events.add(name="retry", time_unix_nano=START, attributes=[key_value("n", 1.5)])
    shown = await Shown(verbosity="detailed").show(batch_of(request))
    for line in (
        "ResourceSpans #0",
        "     -> service.name: Str(shop)",
        "InstrumentationScope tests 1",
        "Span #0",
        f"    Trace ID       : {1:032x}",
        "    Kind           : Client",
        "    Start time     : 2025-10-09 08:53:20.000000001 +0000 UTC",
        "    Status code    : Error",
        "    Status message : no quota",
        "     -> gen_ai.usage.input_tokens: Int(1)",
        "SpanEvent #0",
        "     -> Name: retry",
        "          -> n: Double(1.5)",
    ):
        assert line in shown[LINES]


@hypothesis_settings(deadline=None, max_examples=40)
@given(st.sampled_from(Signal).flatmap(lambda signal: st.tuples(st.just(signal), REQUESTS[signal])))
def test_every_message_can_be_shown(signal_and_request: tuple[Signal, Message]) -> None:
    signal, request = signal_and_request
    assert all(isinstance(line, str) for line in [*normal_lines(signal, request), *detailed_lines(signal, request)])


def test_the_sampler_shows_the_first_of_each_second_and_then_every_so_manieth() -> None:
    now = [0.0]
    sampler = Sampler(2, 3, clock=lambda: now[0])
    assert [sampler.wants() for _ in range(8)] == [True, True, False, False, True, False, False, True]
    now[0] = 1.0
    assert sampler.wants()


async def test_without_the_daemons_log_every_message_goes_to_the_files_named(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    exporter = Shown(use_internal_logger=False, output_paths=[str(path)], sampling_initial=0).exporter
    await exporter.start(NO_HOST)
    for _ in range(3):
        await exporter.export(spans(1), HERE)
    await exporter.stop()
    await exporter.stop()
    assert path.read_text() == "Traces resource_spans=1 spans=1\n" * 3


async def test_an_output_that_cannot_be_written_stops_the_start_and_is_named(tmp_path: Path) -> None:
    exporter = Shown(use_internal_logger=False, output_paths=[str(tmp_path / "no" / "out.txt")]).exporter
    with pytest.raises(StartError, match=r"cannot write to .*out\.txt: No such file"):
        await exporter.start(NO_HOST)


async def test_the_daemons_log_shows_lines_below_each_other_and_leaves_none_out() -> None:
    stream = io.StringIO()
    logs = configure_logs(stream=stream)
    try:
        exporter = DebugExporter(
            DebugExporterConfig(verbosity="normal"),
            Settings(Kind.EXPORTERS, ComponentId("debug"), component_log(Kind.EXPORTERS, "debug"), Metrics()),
        )
        for _ in range(30):
            await exporter.export(spans(1), HERE)
    finally:
        logs.close()
    assert stream.getvalue().count("\n\tScopeTraces #0 tests@1\n") == 30


async def test_text_that_came_in_cannot_start_a_line_of_its_own() -> None:
    stream = io.StringIO()
    logs = configure_logs(stream=stream)
    try:
        component_log(Kind.EXPORTERS, "debug").info("Traces", **{LINES: ["name=a\nforged"]})
    finally:
        logs.close()
    assert "\n\tname=a\\nforged\n" in stream.getvalue()
