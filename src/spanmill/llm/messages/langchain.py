"""Messages as LangChain serialises them: as constructors, as type and data, or as the fields alone."""

from collections.abc import Mapping
from typing import Any

from spanmill.llm.messages.conversation import FINISH_KEYS

_TYPES = ("human", "ai", "system", "tool", "function", "chat", "developer")
_SUFFIXES = ("MessageChunk", "Message")


def unwrapped(value: Mapping[Any, Any]) -> tuple[str | None, Mapping[Any, Any]] | None:
    """The role, in LangChain's word for it, and the fields of a message; None when the value is none of LangChain's.

    The role is None where the serialisation dropped it.
    """
    held = constructed(value)
    if held is not None:
        name, fields = held
        kind = _type_of(name)
        return None if kind is None else (_chat_role(kind, fields), fields)
    kind = value.get("type")
    kind = _type_of(kind) if type(kind) is str else None
    if kind is not None:
        data = value.get("data")
        if isinstance(data, dict) and "content" not in value:
            return _chat_role(kind, data), data
        return (_chat_role(kind, value), value) if "content" in value and "role" not in value else None
    return (None, value) if "additional_kwargs" in value and "content" in value and "role" not in value else None


def constructed(value: Mapping[Any, Any]) -> tuple[str, Mapping[Any, Any]] | None:
    """The class and arguments of {"lc": 1, "type": "constructor", "id": ["langchain", ..., class], "kwargs": {}}."""
    path, fields = value.get("id"), value.get("kwargs")
    if "lc" not in value or not isinstance(path, list) or not path or not isinstance(fields, dict):
        return None
    return (path[-1], fields) if type(path[-1]) is str else None


def finish_reason(fields: Mapping[Any, Any]) -> object:
    """What the provider said about why the answer ended."""
    metadata = fields.get("response_metadata")
    if not isinstance(metadata, dict):
        return None
    return next((metadata[key] for key in FINISH_KEYS if key in metadata), None)


def pair(value: object) -> Mapping[str, Any] | None:
    """A message written as a pair of role and content; None when it is none."""
    if isinstance(value, list | tuple) and len(value) == 2 and type(value[0]) is str and value[0] in _PAIR_ROLES:
        return {"role": value[0], "content": value[1]}
    return None


_PAIR_ROLES = ("human", "user", "ai", "assistant", "system", "developer")


def _type_of(name: str) -> str | None:
    """human for `HumanMessage`, `HumanMessageChunk` and `human`; None for the name of anything else."""
    for suffix in _SUFFIXES:
        if name.endswith(suffix):
            name = name.removesuffix(suffix).lower()
            break
    return name if name in _TYPES else None


def _chat_role(kind: str, fields: Mapping[Any, Any]) -> str | None:
    role = fields.get("role")
    return (role if type(role) is str else None) if kind == "chat" else kind
