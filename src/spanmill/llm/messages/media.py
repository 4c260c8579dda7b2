"""Images, audio, video and files, of any provider, as OpenTelemetry's blob, uri and file parts."""

import re
from collections.abc import Mapping
from typing import Any

from spanmill.llm.messages.binary import (
    Part,
    base64_bytes,
    blob,
    blob_of_base64,
    blob_of_data_uri,
    cut_text,
    modality_of,
)

LANGFUSE_TOKEN = "@@@langfuseMedia:"  # noqa: S105 (a marker that Langfuse's SDKs put in place of media)

_HOLDERS = (
    *("image_url", "source", "file", "input_audio", "audio", "image", "audio_url", "video_url", "inline_data"),
    *("inlineData", "file_data", "fileData", "s3Location", "video"),
)
"""Keys under which providers put the object that says where the media are."""
_MIME_TYPE = ("mime_type", "mimeType", "mediaType", "media_type")
_FILE_ID = ("file_id", "fileId")
_CONTENT = ("data", "base64", "bytes", "file_data", "content")
"""Keys whose text is the content itself, in base64 or as a data URI; media of no other spelling are in `_PLACE`."""
_PLACE = ("uri", "url", "image_url", "image", "audio", "video", "file", "file_url", "file_uri", "fileUri", "source")
_FORMATS = {"jpg": "jpeg", "mp3": "mpeg"}
_LONGEST_NAME, _LONGEST_PATH = 64, 256
"""Characters of what stands in the place of a URI without being one; from then on it is base64."""
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,40}://")


def media(block: Mapping[Any, Any], modality: str | None) -> Part | None:
    """The part of a block of media; None when the block does not say where they are."""
    holder = _holder(block)
    mime_type = _first(holder, _MIME_TYPE) or _first(block, _MIME_TYPE) or _mime_of_format(holder, block, modality)
    stated = _first(block, ("modality",)) or (modality_of(mime_type) if mime_type else modality)
    file_id = _first(holder, _FILE_ID)
    if file_id:
        return _file(stated, mime_type, file_id)
    for key in _CONTENT:
        content = holder.get(key)
        if type(content) is str and content:
            return _content(content, mime_type, stated, is_place=False)
        if type(content) is bytes:
            return blob(content, mime_type, stated)
        if (raw := _bytes_of_numbers(content)) is not None:
            return blob(raw, mime_type, stated)
    for key in _PLACE:
        place = holder.get(key)
        if type(place) is str and place:
            return _content(place, mime_type, stated, is_place=True)
    return _known_blob(block, mime_type, stated)


def _holder(block: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """The object that says where the media are: the block or, two levels deep at most, one that it holds."""
    for _ in range(2):
        inner = next((block[key] for key in _HOLDERS if isinstance(block.get(key), dict)), None)
        if inner is None:
            break
        block = inner
    return block


def _first(block: Mapping[Any, Any], keys: tuple[str, ...]) -> str | None:
    """A short text under one of the keys."""
    for key in keys:
        value = block.get(key)
        if type(value) is str and 0 < len(value) <= 500:
            return value
    return None


def _mime_of_format(holder: Mapping[Any, Any], block: Mapping[Any, Any], modality: str | None) -> str | None:
    """OpenAI and Bedrock name the format alone: wav, png, pdf."""
    name = _first(holder, ("format",)) or _first(block, ("format",))
    if name is None or "/" in name:
        return name
    kind = modality if modality in ("image", "audio", "video") else "application"
    return f"{kind}/{_FORMATS.get(name, name)}"


def _content(text: str, mime_type: str | None, modality: str | None, is_place: bool) -> Part | None:
    if text.startswith(LANGFUSE_TOKEN):
        return _langfuse(text, modality)
    if text[:5].lower() == "data:":
        return blob_of_data_uri(text, mime_type, modality if mime_type else None)
    if _URI.match(text):
        return _uri(modality, mime_type, text)
    if is_place and (len(text) < _LONGEST_NAME or (len(text) < _LONGEST_PATH and base64_bytes(text) is None)):
        return _uri(modality, mime_type, text)
    return blob_of_base64(text, mime_type, modality)


def _uri(modality: str | None, mime_type: str | None, uri: str) -> Part | None:
    """Not a URI that carries the content in its query: that would be binary content again."""
    if cut_text(uri) != uri:
        return blob_of_base64(uri, mime_type, modality)
    part: Part = {"type": "uri", "modality": modality or "document"}
    if mime_type:
        part["mime_type"] = mime_type
    part["uri"] = uri
    return part


def _file(modality: str | None, mime_type: str | None, file_id: str) -> Part:
    part: Part = {"type": "file", "modality": modality or "document"}
    if mime_type:
        part["mime_type"] = mime_type
    part["file_id"] = file_id
    return part


def _langfuse(token: str, modality: str | None) -> Part | None:
    """`@@@langfuseMedia:type=image/png|id=...|source=...@@@`: the SDK has sent the media elsewhere."""
    fields = dict(field.partition("=")[::2] for field in token[len(LANGFUSE_TOKEN) : 1000].rstrip("@").split("|"))
    mime_type, file_id = fields.get("type"), fields.get("id")
    if not file_id:
        return None
    return _file(modality_of(mime_type) if mime_type else modality, mime_type, file_id)


def _bytes_of_numbers(value: object) -> bytes | None:
    """A JavaScript `Buffer` as JSON writes it: {"type": "Buffer", "data": [137, 80, ...]}."""
    if isinstance(value, dict):
        value = value.get("data")
    if not isinstance(value, list) or not value:
        return None
    try:
        return bytes(value)
    except (TypeError, ValueError):
        return None


def _known_blob(block: Mapping[Any, Any], mime_type: str | None, modality: str | None) -> Part | None:
    """A blob part that has been cut already."""
    size, digest = block.get("bytes"), block.get("sha256")
    if type(size) is not int or type(digest) is not str or len(digest) != 64 or mime_type is None:
        return None
    stated = modality or "document"
    return {"type": "blob", "modality": stated, "mime_type": mime_type, "bytes": size, "sha256": digest}
