"""One generated trace: spans on a clock of its own, with the metrics and log lines that go with them."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from random import Random
from typing import Any, Final

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, use_span

from spanmill.generate.senders import Service

_MILLISECOND: Final = 1_000_000


class Trace:
    """A trace of one service, from its start to its end in nanoseconds on a clock that only `pass_time` moves."""

    def __init__(self, service: Service, random: Random, start_time: int, session: Mapping[str, str]) -> None:
        self._service = service
        self.random = random
        self.now = start_time
        self._session = session

    def pass_time(self, least_ms: float, most_ms: float) -> None:
        """Let between so many and so many milliseconds pass."""
        self.now += int(self.random.uniform(least_ms, most_ms) * _MILLISECOND)

    @contextmanager
    def span(self, name: str, attributes: Mapping[str, Any], kind: SpanKind = SpanKind.INTERNAL) -> Iterator[Span]:
        """A span around what happens inside."""
        given = {**self._session, **attributes}
        span = self._service.tracer.start_span(name, kind=kind, attributes=given, start_time=self.now)
        with use_span(span, end_on_exit=False, record_exception=False, set_status_on_exception=False):
            yield span
        span.end(self.now)

    @contextmanager
    def model_call(self, operation: str, provider: str, model: str, attributes: Mapping[str, Any]) -> Iterator[Span]:
        """A client span of a call to a model; its duration goes into the duration histogram when it ends."""
        common = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": provider,
            "gen_ai.request.model": model,
            "server.address": f"api.{provider}.example",
        }
        began = self.now
        given = {**common, "server.port": 443, **attributes}
        with self.span(f"{operation} {model}", given, SpanKind.CLIENT) as span:
            yield span
            status = getattr(span, "status", None)
            failed = status is not None and status.status_code is StatusCode.ERROR
            labels = common | ({"error.type": "RateLimitError"} if failed else {})
            self._service.meters.duration.record((self.now - began) / 1e9, labels)

    def spend_tokens(self, span: Span, read: int, written: int, cached: int = 0) -> None:
        """Say what a call used, on its span and in the token histogram."""
        span.set_attribute("gen_ai.usage.input_tokens", read)
        if cached:
            span.set_attribute("gen_ai.usage.cache_read.input_tokens", cached)
        attributes = dict(getattr(span, "attributes", None) or {})
        keys = ("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model")
        labels = {key: attributes[key] for key in keys if key in attributes}
        self._service.meters.tokens.record(read, labels | {"gen_ai.token.type": "input"})
        if written:
            span.set_attribute("gen_ai.usage.output_tokens", written)
            self._service.meters.tokens.record(written, labels | {"gen_ai.token.type": "output"})

    def fail(self, span: Span, error: Exception) -> None:
        """End a span in an error, with its exception event."""
        span.record_exception(error, timestamp=self.now)
        span.set_attribute("error.type", type(error).__name__)
        span.set_status(Status(StatusCode.ERROR, str(error)))

    def count(self, outcome: str) -> None:
        """Count a finished request of the application."""
        self._service.meters.requests.add(1, {"outcome": outcome})

    def log(
        self,
        message: str,
        severity: SeverityNumber = SeverityNumber.INFO,
        event: str | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        """A log record within the present span."""
        self._service.logger.emit(
            LogRecord(
                timestamp=self.now,
                observed_timestamp=self.now,
                severity_number=severity,
                severity_text=severity.name,
                body=message,
                attributes={**self._session, **(attributes or {})},
                event_name=event,
            )
        )


def messages(role: str, text: str) -> str:
    """A message in the shape of the GenAI conventions, as the JSON text that goes into an attribute."""
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}], ensure_ascii=False)
