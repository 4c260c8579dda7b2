"""Documents that were retrieved or ranked, of any provider: id, score, content and metadata."""

from collections.abc import Mapping
from typing import Any

from spanmill.llm.messages import langchain
from spanmill.llm.messages.binary import cut
from spanmill.llm.messages.flattened import indexed
from spanmill.llm.messages.json_text import TooDeepError, dumps
from spanmill.llm.messages.recognition import decoded
from spanmill.llm.messages.tools import parsed

Document = dict[str, Any]

_ID = ("id", "document_id", "documentId", "doc_id", "chunk_id")
_SCORE = ("score", "relevance_score", "relevanceScore", "similarity")
_CONTENT = ("content", "page_content", "pageContent", "text", "chunk")
_LISTS = ("documents", "output", "outputs", "results", "contexts", "context", "value", "docs")
"""Keys under which lists of documents are found."""
_NESTED = 4


def documents_of(value: object) -> list[Document]:
    """The documents of a list, or of an object that holds one; none where there are none."""
    return _documents(decoded(value), _NESTED)


def flattened_documents(value: object) -> list[Document]:
    """`N.document.*` of OpenInference; of a reranker the documents that came out, else those that went in."""
    if not isinstance(value, dict):
        return documents_of(value)
    for prefix in ("", "output_documents.", "input_documents."):
        found = [_document(_fields(group)) for group in indexed(value, prefix)]
        if found:
            return [document for document in found if document]
    return []


def _fields(group: Mapping[str, Any]) -> dict[str, Any]:
    return {key.removeprefix("document."): value for key, value in group.items()}


def _documents(value: object, nested: int) -> list[Document]:
    if isinstance(value, list | tuple):
        if all(type(text) is str for text in value):
            return [{"content": cut(text)} for text in value]
        if len(value) > 0 and all(isinstance(inner, list) for inner in value) and nested:
            return [document for inner in value for document in _documents(inner, nested - 1)]
        return [document for entry in value if isinstance(entry, dict) and entry and (document := _document(entry))]
    if not isinstance(value, dict) or not nested:
        return []
    for key in _LISTS:
        if isinstance(value.get(key), list | dict):
            return _documents(value[key], nested - 1)
    document = _document(value)
    return [document] if document else []


def _document(fields: Mapping[Any, Any]) -> Document | None:
    """The document with those keys that are there; what else is known of it is metadata. None when it is none."""
    held = langchain.constructed(fields)
    given = held[1] if held else fields
    fields = dict(given)
    document: Document = {}
    try:
        for key, names in (("id", _ID), ("score", _SCORE), ("content", _CONTENT)):
            name = next((name for name in names if fields.get(name) is not None), None)
            if name is not None:
                document[key] = cut(fields.pop(name))
        if not document:
            return None
        metadata = parsed(fields.pop("metadata", None))
        if fields.get("type") in ("Document", "document"):
            del fields["type"]
        rest = {str(key): cut(value) for key, value in fields.items() if value is not None}
    except TooDeepError:
        return {"content": dumps(given)}
    if metadata is not None or rest:
        document["metadata"] = rest | metadata if isinstance(metadata, dict) else rest | _named(metadata)
    return document


def _named(metadata: object) -> dict[str, Any]:
    return {} if metadata is None else {"metadata": metadata}
