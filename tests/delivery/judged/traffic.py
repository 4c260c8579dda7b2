"""Traces of an assistant, sent as an application sends them: an agent that looks something up and asks a model.

The numbers of the traces say what is with them, so that a test can say what has to become of each.
"""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags, set_span_in_context

from spanmill.generate.options import Protocol
from spanmill.generate.senders import SeededIds, Tally, exporters

SERVICE: Final = "assistant"
MODEL: Final = "gpt-4o"
INPUT_TOKENS, OUTPUT_TOKENS, MANY_TOKENS = 1_000, 500, 80_000
CALL_USD, EXPENSIVE_USD = 0.0075, 0.8025
"""Of a call of gpt-4o with so many tokens: 2.50 USD a million of input, 10 of output."""
PERSONAL: Final = {
    "email": "jane.planted@corp.example",
    "phone": "+82 10-9876-1234",
    "kr_rrn": "900101-1234568",
    "openai_key": "sk-proj-T3BlbkFJabcdefghijklmnopqrstuvwx0123456789AB",
}
"""Stands in every conversation, by the detector that is to find it."""
BAD: Final = "I would rather talk about the weather"
"""What an answer says that is not good."""
SLOW_SECONDS: Final = 31


@dataclass(frozen=True)
class Trace:
    """One trace that was sent, ids in hex."""

    number: int
    trace_id: str
    call_id: str
    """Of the span that is the model's call."""

    @property
    def is_error(self) -> bool:
        return self.number % 10 == 7

    @property
    def is_expensive(self) -> bool:
        return self.number % 40 == 11

    @property
    def is_slow(self) -> bool:
        return self.number % 40 == 12

    @property
    def is_disliked(self) -> bool:
        """Somebody says so."""
        return self.number % 40 == 13

    @property
    def has_documents(self) -> bool:
        return self.number % 2 == 1

    @property
    def is_bad(self) -> bool:
        """Its answer is."""
        return self.number % 3 == 1

    @property
    def randomness(self) -> float:
        """Of its id, as OpenTelemetry's specification has it: 0 to 1."""
        return (int(self.trace_id, 16) % 2**56) / 2**56


def send(protocol: Protocol, target: str, numbers: Iterable[int], seed: int) -> list[Trace]:
    """Send a trace for each number. The ids follow from the seed."""
    tally = Tally()
    exporter = tally.watch(exporters(protocol, target, gzip=True)[0])
    provider = TracerProvider(
        resource=Resource.create({"service.name": SERVICE}),
        id_generator=SeededIds(Random(seed)),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))
    sent = [_trace(provider, number) for number in numbers]
    provider.shutdown()
    assert tally.failed == 0 < tally.sent
    return sent


def _trace(provider: TracerProvider, number: int) -> Trace:
    tracer = provider.get_tracer("assistant", "1.0")
    end = time.time_ns()
    begin = end - (SLOW_SECONDS * 10**9 if Trace(number, "", "").is_slow else 10**9)
    root = tracer.start_span("invoke_agent", start_time=begin, attributes={"gen_ai.operation.name": "invoke_agent"})
    inside = set_span_in_context(root)
    context = root.get_span_context()
    call = tracer.start_span(f"chat {MODEL}", inside, start_time=end - 8 * 10**8)
    trace = Trace(number, f"{context.trace_id:032x}", f"{call.get_span_context().span_id:016x}")
    if trace.has_documents:
        found = [{"id": "d1", "content": f"Handbook, page {number}. Written by {PERSONAL['email']}."}]
        attributes = {"gen_ai.operation.name": "retrieval", "gen_ai.retrieval.documents": json.dumps(found)}
        tracer.start_span("retrieval", inside, start_time=begin, attributes=attributes).end(end - 9 * 10**8)
    said = "; ".join(PERSONAL.values())
    answer = f"{BAD}." if trace.is_bad else f"Returns take {number} days."
    call.set_attributes(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": MODEL,
            "gen_ai.response.model": MODEL,
            "gen_ai.usage.input_tokens": INPUT_TOKENS,
            "gen_ai.usage.output_tokens": MANY_TOKENS if trace.is_expensive else OUTPUT_TOKENS,
            "gen_ai.input.messages": _message("user", f"Question {number}, from {said}: how long do returns take?"),
            "gen_ai.output.messages": _message("assistant", f"{answer} Written to {PERSONAL['email']}."),
            "user.id": PERSONAL["email"],
            "app.feature": "returns",
        }
    )
    if trace.is_error:
        call.set_status(Status(StatusCode.ERROR, f"no mail to {PERSONAL['email']}"))
    call.end(end)
    root.end(end)
    return trace


def _message(role: str, text: str) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}], ensure_ascii=False)


def context_of(trace: Trace) -> SpanContext:
    """That of the model's call."""
    return SpanContext(int(trace.trace_id, 16), int(trace.call_id, 16), True, TraceFlags(1))


def send_evaluation(protocol: Protocol, target: str, trace: Trace) -> None:
    """A verdict of the application's own, as a log event, and a plain log record beside it."""
    from opentelemetry._logs import LogRecord
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    provider = LoggerProvider(resource=Resource.create({"service.name": SERVICE}), shutdown_on_exit=False)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporters(protocol, target, gzip=True)[2]))
    logger = provider.get_logger("checks")
    context = set_span_in_context(NonRecordingSpan(context_of(trace)))
    attributes: Any = {"gen_ai.evaluation.name": "cites_a_source", "gen_ai.evaluation.score.value": 1.0}
    logger.emit(LogRecord(event_name="gen_ai.evaluation.result", attributes=attributes, context=context))
    logger.emit(LogRecord(body=f"{PERSONAL['email']} has asked", context=context))
    provider.shutdown()
