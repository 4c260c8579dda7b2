"""Binary content is cut out of messages, however it is wrapped, and nothing else is."""

import base64
import hashlib
import json
import random
import string
from typing import Any

import pytest

from spanmill.llm.messages import dumps, messages
from tests.llm.messages.captured import PNG, PNG_PART

_URI = f"data:image/png;base64,{PNG}"
_BYTES = random.Random(1).randbytes(3_000)
_BASE64 = base64.b64encode(_BYTES).decode()
_SHA256 = hashlib.sha256(_BYTES).hexdigest()
_MARKER = f"<application/octet-stream, 3000 bytes, sha256:{_SHA256}>"


def _parts(content: object) -> list[dict[str, Any]]:
    said = messages("auto", [{"role": "user", "content": content}], "user").messages
    return [part for message in said for part in message["parts"]]


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image_url", "image_url": {"url": _URI, "detail": "low"}},
        {"type": "image_url", "image_url": _URI},
        {"type": "input_image", "image_url": _URI},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        {"type": "image", "image": _URI},
        {"type": "image", "image": PNG, "mediaType": "image/png"},
        {"type": "file", "mediaType": "image/png", "data": PNG},
        {"type": "image", "source_type": "base64", "mime_type": "image/png", "data": PNG},
        {"type": "blob", "mime_type": "image/png", "modality": "image", "content": PNG},
        {"type": "blob", "mime_type": "image/png", "modality": "image", "content": base64.b64decode(PNG)},
        {"type": "file", "mediaType": "image/png", "data": {"type": "Buffer", "data": list(base64.b64decode(PNG))}},
        {"image": {"format": "png", "source": {"bytes": PNG}}},
        {"inlineData": {"mimeType": "image/png", "data": PNG}},
        {"inline_data": {"mime_type": "image/png", "data": PNG.rstrip("=")}},
        {"type": "text", "text": _URI},
    ],
    ids=str,
)
def test_an_image_is_the_same_part_in_every_wrapping(block: dict[str, Any]) -> None:
    assert _parts([block]) == [PNG_PART]


def test_sound_has_its_format_and_its_transcript() -> None:
    (part,) = _parts([{"type": "input_audio", "input_audio": {"data": "aGVsbG8=", "format": "wav"}}])
    assert part == {
        "type": "blob",
        "modality": "audio",
        "mime_type": "audio/wav",
        "bytes": 5,
        "sha256": hashlib.sha256(b"hello").hexdigest(),
    }
    spoken = {"role": "assistant", "content": None, "audio": {"id": "a", "data": "aGVsbG8=", "transcript": "Hello."}}
    kinds = [part["type"] for part in messages("auto", [spoken], "assistant").messages[0]["parts"]]
    assert kinds == ["blob", "text"]


@pytest.mark.parametrize(
    ("block", "part"),
    [
        (
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
            {"type": "uri", "modality": "image", "uri": "https://example.com/a.png"},
        ),
        (
            {"fileData": {"mimeType": "video/mp4", "fileUri": "gs://bucket/a.mp4"}},
            {"type": "uri", "modality": "video", "mime_type": "video/mp4", "uri": "gs://bucket/a.mp4"},
        ),
        (
            {"type": "file", "file": {"file_id": "file-1", "filename": "a.pdf"}},
            {"type": "file", "modality": "document", "file_id": "file-1"},
        ),
        (
            {
                "type": "image_url",
                "image_url": {
                    "url": "@@@langfuseMedia:type=image/png|id=xCAqobB_e1jpp6YaVVfJwj|source=base64_data_uri@@@"
                },
            },
            {"type": "file", "modality": "image", "mime_type": "image/png", "file_id": "xCAqobB_e1jpp6YaVVfJwj"},
        ),
    ],
)
def test_media_that_are_elsewhere_are_referred_to(block: dict[str, Any], part: dict[str, Any]) -> None:
    assert _parts([block]) == [part]


def test_a_document_may_be_a_text() -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "All sales are final."}
    assert _parts([{"type": "document", "source": source}]) == [{"type": "text", "content": "All sales are final."}]


def test_what_is_not_base64_is_measured_as_the_text_that_it_is() -> None:
    (part,) = _parts([{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "%%%"}}])
    assert (part["bytes"], part["sha256"]) == (3, hashlib.sha256(b"%%%").hexdigest())


def test_a_data_uri_in_a_text_leaves_a_marker() -> None:
    marker = f"<image/png, 70 bytes, sha256:{PNG_PART['sha256']}>"
    assert _parts(f"Look: {_URI} and {_URI}!") == [{"type": "text", "content": f"Look: {marker} and {marker}!"}]
    assert _parts("data:image/png;base64, is how it begins") == [
        {"type": "text", "content": "data:image/png;base64, is how it begins"}
    ]


@pytest.mark.parametrize("before", [0, 1, 511, 512, 513, 1500])
def test_long_base64_in_a_text_leaves_a_marker_wherever_it_stands(before: int) -> None:
    start = ("word " * 400)[: before - 1] + ":" if before else ""
    assert _parts(f"{start}{_BASE64}. Thanks!") == [{"type": "text", "content": f"{start}{_MARKER}. Thanks!"}]


def test_long_base64_in_what_a_tool_answers_is_cut_out() -> None:
    blob = {
        "type": "blob",
        "modality": "document",
        "mime_type": "application/octet-stream",
        "bytes": 3000,
        "sha256": _SHA256,
    }
    for result in ({"page": 3, "scan": _BASE64}, json.dumps({"page": 3, "scan": _BASE64})):
        sent = [{"role": "tool", "tool_call_id": "a", "content": result}]
        (part,) = messages("auto", sent, "user").messages[0]["parts"]
        assert part["response"] == {"page": 3, "scan": blob}
    blocks = [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}]
    (part,) = _parts([{"type": "tool_result", "tool_use_id": "a", "content": blocks}])
    assert part["response"] == [PNG_PART]


def test_base64_in_json_that_is_no_message_is_cut_out() -> None:
    text = dumps(messages("auto", {"scan": _BASE64, "note": f"see {_URI}"}, "user").messages)
    assert _SHA256 in text
    assert str(PNG_PART["sha256"]) in text
    assert len(text) < 500


@pytest.mark.parametrize(
    "text",
    [
        "word " * 5_000,
        "환불은결제일로부터칠일이내에" * 500,
        "-" * 5_000,
        "ACGT" * 2_000,
        "0123456789abcdef" * 500,
        "a" * 5_000,
        "https://example.com/a?" + "&".join(f"key{n}=value{n}" for n in range(500)),
        "\n".join(f"ORD-{n}-Paid" for n in range(2_000)),
        json.dumps({f"key{n}": n for n in range(500)}, separators=(",", ":"))[1:],
        string.printable * 50,
    ],
    ids=lambda text: text[:12],
)
def test_long_texts_that_are_no_base64_stay_as_they_are(text: str) -> None:
    assert messages("text", text, "user").messages == [{"role": "user", "parts": [{"type": "text", "content": text}]}]
