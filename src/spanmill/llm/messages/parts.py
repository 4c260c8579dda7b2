"""Parts of a message, of any provider, as OpenTelemetry's parts.

Content is a text, or a list of blocks whose `type` names what they are (OpenAI, Anthropic, LangChain, Vercel AI SDK,
OpenTelemetry itself), or whose only key does (Gemini, Bedrock), or whose `part_kind` does (pydantic-ai). A block that
nobody knows becomes a text part with its JSON: nothing is lost.
"""

from collections.abc import Callable, Mapping
from typing import Any

from spanmill.llm.messages.binary import DATA_URI_MARK, MIN_BASE64, Part, cut, cut_text, marked
from spanmill.llm.messages.json_text import TooDeepError, dumps
from spanmill.llm.messages.media import LANGFUSE_TOKEN, media
from spanmill.llm.messages.tools import tool_call, tool_response

_NESTED = 8
"""Levels of lists in lists of blocks."""


def text_parts(text: str) -> list[Part]:
    """The part of a text: none for the empty one, a blob or file part for one that is nothing but binary content."""
    if len(text) < MIN_BASE64 and DATA_URI_MARK not in text and not text.startswith(LANGFUSE_TOKEN):
        return [{"type": "text", "content": text}] if text else []
    if text.startswith(LANGFUSE_TOKEN) and (found := media({"uri": text}, None)):
        return [found]
    content = cut_text(text)
    return [content if isinstance(content, dict) else {"type": "text", "content": content}]


def json_parts(value: object) -> list[Part]:
    """The text part of a value that is no message: compact JSON, a text as it is."""
    if isinstance(value, str):
        return text_parts(value)
    try:
        return text_parts(dumps(cut(value)))
    except TooDeepError:
        return text_parts(dumps(value))


def parts(content: object, nested: int = _NESTED) -> list[Part]:
    """The parts of a message's content: a text, a block or a list of them."""
    if type(content) is str:
        return text_parts(content)
    if content is None:
        return []
    if isinstance(content, list | tuple) and nested:
        found: list[Part] = []
        for block in content:
            text = block.get("content") or block.get("text") if type(block) is dict else None
            if type(text) is str and block.get("type") == "text":
                found += text_parts(text)
            else:
                found += parts(block, nested - 1)
        return found
    if not isinstance(content, dict):
        return json_parts(content)
    convert = _converter(content)
    try:
        converted = convert(content) if convert else None
    except TooDeepError:
        converted = None
    return json_parts(content) if converted is None else converted


def is_block(value: object) -> bool:
    """Whether the value is a block of content of a kind that is known."""
    return isinstance(value, dict) and _converter(value) is not None


def _converter(block: Mapping[Any, Any]) -> "_Converter | None":
    kind = block.get("type")
    if type(kind) is str and kind in _BY_TYPE:
        return _BY_TYPE[kind]
    kind = block.get("part_kind")
    if type(kind) is str and kind in _BY_PART_KIND:
        return _BY_PART_KIND[kind]
    keys = block.keys() - _BESIDE
    return _BY_KEY.get(next(iter(keys))) if len(keys) == 1 else None


_Converter = Callable[[Mapping[Any, Any]], list[Part] | None]
"""Gives None for a block that is not what it says."""
_BESIDE = frozenset(("thought", "thoughtSignature", "thought_signature", "videoMetadata", "video_metadata"))
"""What Gemini sends beside the one key that tells the kind."""


def _text(block: Mapping[Any, Any]) -> list[Part] | None:
    for key in ("text", "content", "refusal"):
        text = block.get(key)
        if type(text) is str:
            return _reasoning_part(text) if block.get("thought") is True else text_parts(text)
        if isinstance(text, dict) and type(text.get("value")) is str:  # OpenAI's threads
            return text_parts(text["value"])
        if text is not None:
            return json_parts(text)
    return [] if "text" in block or "content" in block else None


def _reasoning_part(text: str) -> list[Part]:
    return [{"type": "reasoning", "content": marked(text)}] if text else []


def _reasoning(block: Mapping[Any, Any]) -> list[Part] | None:
    """What is encrypted or signed says nothing to a reader, and is left out."""
    inner = block.get("reasoningText", block.get("reasoningContent"))
    if isinstance(inner, dict):
        return _reasoning(inner)
    for key in ("thinking", "reasoning", "text", "content", "summary", "reasoning_text"):
        text = block.get(key)
        if type(text) is str and text:
            return _reasoning_part(text)
        if isinstance(text, list) and text:
            lines = [part["content"] for part in parts(text) if part["type"] in ("text", "reasoning")]
            return _reasoning_part("\n".join(lines))
    return []


def _call(block: Mapping[Any, Any]) -> list[Part] | None:
    call = tool_call(block)
    return None if call is None else [call]


def _response(block: Mapping[Any, Any]) -> list[Part] | None:
    return [tool_response(block, answer_parts)]


def answer_parts(blocks: list[Any]) -> list[Part] | None:
    """The parts of a tool's answer where that is made of blocks of content; None where it is a list of anything."""
    found: list[Part] = []
    for block in blocks:
        convert = _converter(block) if isinstance(block, dict) else None
        some = convert(block) if convert is not None and convert in _ANSWERS else None
        if some is None:
            return None
        found += some
    return found


def _media(modality: str | None) -> _Converter:
    def convert(block: Mapping[Any, Any]) -> list[Part] | None:
        part = media(block, modality)
        if part is None:
            return None
        transcript = block.get("transcript")
        return [part, *text_parts(transcript)] if type(transcript) is str else [part]

    return convert


def _document(block: Mapping[Any, Any]) -> list[Part] | None:
    """Anthropic's documents may be texts, or blocks of content."""
    source = block.get("source")
    if isinstance(source, dict) and source.get("type") == "text":
        return json_parts(source.get("data"))
    if isinstance(source, dict) and source.get("type") == "content":
        return parts(source.get("content"), 1)
    return _media("document")(block)


def _inner(key: str, convert: _Converter) -> _Converter:
    """The block under a key; what stands beside it is not content."""

    def inner(block: Mapping[Any, Any]) -> list[Part] | None:
        value = block[key]
        return convert(value) if isinstance(value, dict) else json_parts(value)

    return inner


def _nothing(_block: Mapping[Any, Any]) -> list[Part]:
    return []


_image, _audio, _video, _file = _media("image"), _media("audio"), _media("video"), _media(None)

_BY_TYPE: dict[str, _Converter] = {
    **dict.fromkeys(("text", "input_text", "output_text", "summary_text", "refusal", "reasoning_text"), _text),
    **dict.fromkeys(("reasoning", "thinking", "redacted_thinking", "reasoning_content"), _reasoning),
    **dict.fromkeys(
        (
            *("tool_call", "tool_use", "tool-call", "function_call", "function", "custom_tool_call", "mcp_call"),
            *("server_tool_use", "server_tool_call", "mcp_tool_use"),
        ),
        _call,
    ),
    **dict.fromkeys(
        (
            *("tool_call_response", "tool_result", "tool-result", "tool-error", "function_call_output"),
            *("custom_tool_call_output", "server_tool_call_response", "mcp_tool_result", "web_search_tool_result"),
        ),
        _response,
    ),
    **dict.fromkeys(("image", "image_url", "image-url", "input_image"), _image),
    **dict.fromkeys(("audio", "input_audio", "output_audio", "audio_url", "audio-url"), _audio),
    **dict.fromkeys(("video", "video_url", "video-url"), _video),
    **dict.fromkeys(("file", "input_file", "blob", "uri", "media", "binary", "document-url"), _file),
    "document": _document,
}

_BY_KEY: dict[str, _Converter] = {
    "toolUse": _inner("toolUse", _call),
    "toolResult": _inner("toolResult", _response),
    "functionCall": _inner("functionCall", _call),
    "function_call": _inner("function_call", _call),
    "functionResponse": _inner("functionResponse", _response),
    "function_response": _inner("function_response", _response),
    "inlineData": _inner("inlineData", _file),
    "inline_data": _inner("inline_data", _file),
    "fileData": _inner("fileData", _file),
    "file_data": _inner("file_data", _file),
    "image": _inner("image", _image),
    "video": _inner("video", _video),
    "document": _inner("document", _media("document")),
    "reasoningContent": _reasoning,
    "json": lambda block: json_parts(block["json"]),
    "cachePoint": _nothing,
    "text": lambda block: _text(block) if type(block["text"]) is str else None,
}

_BY_PART_KIND: dict[str, _Converter] = {
    **dict.fromkeys(("user-prompt", "system-prompt"), lambda block: parts(block.get("content"), 2)),
    "text": _text,
    "thinking": _reasoning,
    "tool-call": _call,
    "builtin-tool-call": _call,
    "tool-return": _response,
    "builtin-tool-return": _response,
    "retry-prompt": lambda block: _response(block) if block.get("tool_name") else parts(block.get("content"), 2),
}
_ANSWERS = (_text, _image, _audio, _video, _file, _document, *(_BY_KEY[key] for key in ("json", "image", "text")))
