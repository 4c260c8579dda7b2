"""Requests through the redaction processor, in a form that can be compared with the Collector's answers."""

from typing import Any

import orjson
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from spanmill.batch import Batch
from spanmill.names import Kind
from spanmill.otlp.codec import decode
from spanmill.otlp.json import from_json
from spanmill.otlp.messages import SERVICES
from spanmill.processors.redaction.config import RedactionProcessorConfig
from spanmill.processors.redaction.processor import RedactionProcessor
from spanmill.signal import Signal
from tests.processors.building import request_of, settings


def redaction(**config: Any) -> RedactionProcessor:
    return RedactionProcessor(RedactionProcessorConfig.model_validate(config), settings(Kind.PROCESSORS, "redaction"))


def answer(signal: Signal, config: dict[str, Any], request: Any) -> Any:
    """What the processor makes of an OTLP/JSON request."""
    batch = Batch(signal, decode(signal, [from_json(signal, orjson.dumps(request))]).records)
    return in_order(request_of(redaction(**config)(batch)))


def read(signal: Signal, request: Any) -> Any:
    """An OTLP/JSON request in the same form."""
    message = SERVICES[signal].request.FromString(from_json(signal, orjson.dumps(request)))
    return in_order(message)


_EMPTY = frozenset({"resource", "scope", "status", "body", "value", "positive", "negative"})
"""Messages that the Collector writes without anything in them, where nothing was sent."""


def in_order(message: Message) -> Any:
    """As JSON, with attributes in the order of their keys: the Collector moves them about when it removes one."""
    return _sorted(MessageToDict(message))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(held) for key, held in value.items() if held or key not in _EMPTY}
    if isinstance(value, list):
        elements = [_sorted(element) for element in value]
        keyed = any(isinstance(element, dict) and "key" in element for element in elements)
        return sorted(elements, key=lambda entry: str(entry.get("key", ""))) if keyed else elements
    return value
