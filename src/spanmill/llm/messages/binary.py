"""Cutting binary content out of texts and values: data URIs and long base64 become their media type, size and hash.

Everything is linear in the text's length, and a text without binary content costs a substring test.
"""

import binascii
import hashlib
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_to_bytes

from spanmill.llm.messages.json_text import MAX_DEPTH, TooDeepError

Part = dict[str, Any]

MIN_BASE64 = 1024
"""Characters from which on a run of base64 in a text counts as binary content; a data URI does at any length."""
_BLOCK = MIN_BASE64 // 2
"""A run of `MIN_BASE64` covers at least one whole block of half its length, wherever it starts."""
DATA_URI_MARK = ";base64,"

# Lengths are bounded so that a text of many beginnings is not read again for each.
_DATA_URI = re.compile(
    r"data:([\w.+-]{1,100}/[\w.+-]{1,100})?(?:;[\w.+-]{1,50}=[\w.+%\"-]{0,200}){0,4};base64,([A-Za-z0-9+/_%=-]++)",
    re.ASCII | re.IGNORECASE,
)
_RUN = re.compile(r"[A-Za-z0-9+/_-]++={0,2}")
_STANDARD_RUN = re.compile(r"[A-Za-z0-9+/]++={0,2}")
_SIGNATURES = (
    ("iVBORw0KGgo", "image/png"),
    ("/9j/", "image/jpeg"),
    ("R0lGOD", "image/gif"),
    ("UklGR", "image/webp"),
    ("JVBERi0", "application/pdf"),
    ("SUQz", "audio/mpeg"),
    ("T2dnUw", "audio/ogg"),
    ("UEsDB", "application/zip"),
)
"""How base64 of well-known formats begins."""
_UNKNOWN_TYPE = "application/octet-stream"


def cut(value: Any, room: int = MAX_DEPTH) -> Any:
    """The value with its binary content cut out: a text that is nothing else becomes a blob part, in a longer text a
    marker such as `<image/png, 1234 bytes, sha256:...>` stands in its place. Raises `TooDeepError`.
    """
    kind = type(value)
    if kind is str:
        return value if len(value) < MIN_BASE64 and DATA_URI_MARK not in value else cut_text(value)
    if kind is dict:
        if not room:
            raise TooDeepError("nested too deep")
        return {
            key if type(key) is str else str(key): entry
            if type(entry) is str and len(entry) < MIN_BASE64 and DATA_URI_MARK not in entry
            else cut(entry, room - 1)
            for key, entry in value.items()
        }
    if kind is list or kind is tuple:
        if not room:
            raise TooDeepError("nested too deep")
        return [cut(entry, room - 1) for entry in value]
    return blob(value, None) if kind is bytes else value


def cut_text(text: str) -> str | Part:
    """As `cut`, of a text."""
    if DATA_URI_MARK in text:
        stripped = text.strip()
        whole = _DATA_URI.fullmatch(stripped)
        if whole:
            return _blob_of_uri(whole)
        text = _DATA_URI.sub(lambda found: _marker(_blob_of_uri(found)), text)
    if len(text) < MIN_BASE64:
        return text
    pieces: list[str] = []
    done = 0
    for start, end in _long_runs(text):
        part = blob_of_base64(text[start:end], None)
        if start == 0 and end == len(text):
            return part
        pieces += (text[done:start], _marker(part))
        done = end
    return "".join((*pieces, text[done:])) if pieces else text


def marked(text: str) -> str:
    """As `cut_text`, but always a text: a marker also where the whole text is binary content."""
    if len(text) < MIN_BASE64 and DATA_URI_MARK not in text:
        return text
    content = cut_text(text)
    return _marker(content) if isinstance(content, dict) else content


def blob(data: bytes, mime_type: str | None, modality: str | None = None) -> Part:
    """The part that stands for binary content: OpenTelemetry's blob part with size and hash in place of the bytes."""
    mime_type = mime_type or _UNKNOWN_TYPE
    return {
        "type": "blob",
        "modality": modality or modality_of(mime_type),
        "mime_type": mime_type,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }


def blob_of_base64(text: str, mime_type: str | None, modality: str | None = None) -> Part:
    """As `blob`, of base64 text; of the text itself when it is not valid."""
    data = base64_bytes(text)
    if mime_type is None:
        mime_type = next((known for start, known in _SIGNATURES if text.startswith(start)), None)
    return blob(text.encode("utf-8", "replace") if data is None else data, mime_type, modality)


def blob_of_data_uri(uri: str, mime_type: str | None, modality: str | None = None) -> Part:
    """As `blob`, of a `data:` URI (RFC 2397), which need not hold base64."""
    head, comma, payload = uri.partition(",")
    kind, *options = head.removeprefix("data:").split(";") if comma else ("",)
    if not comma or "base64" in options:
        return blob_of_base64(_unquoted(payload), kind or mime_type, modality)
    return blob(unquote_to_bytes(payload.encode("utf-8", "replace")), kind or mime_type or "text/plain", modality)


def modality_of(mime_type: str) -> str:
    """image, audio or video; document for any other media type."""
    kind = mime_type.partition("/")[0].lower()
    return kind if kind in ("image", "audio", "video") else "document"


def _blob_of_uri(found: re.Match[str]) -> Part:
    return blob_of_base64(_unquoted(found[2]), found[1])


def _unquoted(payload: str) -> str:
    return unquote_to_bytes(payload).decode("utf-8", "replace") if "%" in payload else payload


def _marker(part: Part) -> str:
    return f"<{part['mime_type']}, {part['bytes']} bytes, sha256:{part['sha256']}>"


def base64_bytes(text: str) -> bytes | None:
    """The bytes of base64 of either alphabet, with or without line breaks and padding; None when it is not valid."""
    if "\n" in text or " " in text:
        text = "".join(text.split())
    if "-" in text or "_" in text:
        text = text.replace("-", "+").replace("_", "/")
    try:
        return binascii.a2b_base64(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), strict_mode=True)
    except ValueError:
        return None


def _long_runs(text: str) -> Iterator[tuple[int, int]]:
    """Where the text has `MIN_BASE64` characters of base64 or more, as (start, end)."""
    done = 0
    for start in range(0, len(text) - _BLOCK + 1, _BLOCK):
        if start < done:
            continue
        block = text[start : start + _BLOCK]
        # Most blocks of most texts have a space soon, or are not ASCII; the rest is nearly always code or JSON.
        if " " in block or not block.isascii() or not _RUN.fullmatch(block):
            continue
        before = _RUN.match(text[done:start][: -_BLOCK - 1 : -1])
        first = start - (before.end() if before else 0)
        run = _RUN.match(text, start)
        assert run is not None
        done = run.end()
        if done - first >= MIN_BASE64:
            yield from _runs_of_one_alphabet(text[first:done], first)


def _runs_of_one_alphabet(run: str, offset: int) -> Iterator[tuple[int, int]]:
    """What of the run is base64; where it mixes both alphabets, the URL-safe one only joins words to it."""
    mixed = ("-" in run or "_" in run) and ("+" in run or "/" in run)
    for found in _STANDARD_RUN.finditer(run) if mixed else _RUN.finditer(run):
        if found.end() - found.start() >= MIN_BASE64 and _looks_like_base64(found[0]):
            yield offset + found.start(), offset + found.end()


def _looks_like_base64(run: str) -> bool:
    """Digits and letters of both cases: no hexadecimal numbers, gene sequences, rulers."""
    letters = run[:MIN_BASE64]
    return letters.upper() != letters and letters.lower() != letters and any(digit in letters for digit in "0123456789")
