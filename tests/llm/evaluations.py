"""Verdicts for tests."""

from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from spanmill.llm.evaluations import EVENT_NAME, NAME, SCORE, Evaluation
from tests.data import START, key_value

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def judged(**more: Any) -> Evaluation:
    """A judge's verdict, half a minute after the span."""
    values: dict[str, Any] = {
        "name": "relevance",
        "trace_id": TRACE,
        "span_id": SPAN,
        "time_unix_nano": START,
        "source": "judge",
        "score": 0.25,
        "label": "off topic",
        "outcome": "scored",
        "judge_provider": "openai",
        "judge_model": "gpt-4o-mini",
        "cost_nano_usd": 1_500_000,
        "sample_weight": 20.0,
        "lag_seconds": 30.0,
        "model": "gpt-4o",
        "feature": "search",
        "prompt": "answer",
    }
    return Evaluation(**values | more)


def sent(*attributes: dict[str, Any], event_name: str = EVENT_NAME, service: str = "shop") -> ExportLogsServiceRequest:
    """What an application sends: a record for each, between two plain log lines."""
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    resource.resource.attributes.append(key_value("service.name", service))
    records = resource.scope_logs.add().log_records
    records.add(time_unix_nano=START, attributes=[key_value("user.id", "u1")]).body.string_value = "before"
    for one in attributes:
        values: dict[str, Any] = {NAME: "helpful", SCORE: 1.0} | one
        entries = [key_value(key, value) for key, value in values.items()]
        records.add(
            time_unix_nano=START,
            event_name=event_name,
            trace_id=bytes.fromhex(TRACE),
            span_id=bytes.fromhex(SPAN),
            attributes=entries,
        )
    records.add(time_unix_nano=START, event_name="gen_ai.choice").body.string_value = "after"
    return request
