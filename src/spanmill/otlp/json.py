"""OTLP/JSON to protobuf bytes and back (OTLP specification, "JSON Protobuf Encoding").

Neither direction can use protobuf's own JSON mapping: ids are hex there and base64 here. What is read is the
specification, with the dialects that SDKs really send:

- numbers beyond int64, which JavaScript writes for big integers, are brought to the nearest int64: one odd attribute
  shall not cost the whole request;
- lone halves of surrogate pairs, which JavaScript writes where it cut a text, become U+FFFD;
- field names in the spelling of the .proto files are errors, not unknown fields: ignoring them would lose the data.
"""

import re
from typing import Any

import orjson

from spanmill.errors import Rejected
from spanmill.otlp.json_reader import Misfit, message_reader
from spanmill.otlp.json_writer import message_writer
from spanmill.otlp.messages import SERVICES
from spanmill.signal import Signal

_OBJECTS_PER_ITEM = 5
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_SURROGATE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\[^u]"
)


def from_json(signal: Signal, body: bytes, max_items: int = 200_000) -> bytes:
    """An `Export<Signal>ServiceRequest` in OTLP/JSON as serialized protobuf.

    Raises `Rejected` with the place and the reason, also when the body holds more than `5 * max_items` JSON objects.
    """
    parsed = parse(body, _OBJECTS_PER_ITEM * max_items)
    try:
        return message_reader(SERVICES[signal].request.DESCRIPTOR)(parsed)
    except Misfit as error:
        where = f"not a valid {SERVICES[signal].request.DESCRIPTOR.name} at {error.place}"
        raise Rejected(f"{where}: {error}", for_log=f"{where}: expected {error.expected}") from None


def to_json(signal: Signal, serialized_request: bytes) -> bytes:
    """A serialized `Export<Signal>ServiceRequest` as OTLP/JSON. Raises `Rejected` when it is not valid protobuf."""
    from google.protobuf.message import DecodeError

    request = SERVICES[signal].request
    try:
        message = request.FromString(serialized_request)
    except DecodeError as error:
        raise Rejected(f"not a valid {request.DESCRIPTOR.name}: {error}") from None
    return orjson.dumps(message_writer(request.DESCRIPTOR)(message))


def parse(body: bytes, max_objects: int) -> Any:
    """JSON from a stranger, mended as above. Raises `Rejected`, also for more objects and lists than so many."""
    if _too_many_objects(body, max_objects):
        raise Rejected(f"the request holds more than {max_objects} JSON objects and lists; send smaller requests")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        mended = _SURROGATE.sub(lambda match: b"\\ufffd" if match[1] else match[0], body)
    try:
        return orjson.loads(mended)
    except orjson.JSONDecodeError as error:
        raise Rejected(f"not valid JSON: {error}") from None


def _too_many_objects(body: bytes, most: int) -> bool:
    """Whether parsing would make too many objects; the parser has no limit, and `{},` becomes seventy bytes.

    Counts brackets, and only when there are too many looks again without those inside texts.
    """
    if len(body) // 2 <= most or body.count(b"{") + body.count(b"[") <= most:
        return False
    bare = _STRING.sub(b"", body)
    return bare.count(b"{") + bare.count(b"[") > most
