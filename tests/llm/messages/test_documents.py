"""Documents that were retrieved or ranked."""

import json
from typing import Any

import pytest

from spanmill.llm.messages import documents

_REFUND = "Customers may withdraw within 7 days of delivery."
_WHOLE = {
    "id": "kb-207",
    "score": 0.83,
    "content": _REFUND,
    "metadata": {"source": "https://kb.example.com/refund", "title": "Refund policy", "page": 1},
}


def _flat(prefix: str, index: int = 0) -> dict[str, Any]:
    return {
        f"{prefix}{index}.document.id": "kb-207",
        f"{prefix}{index}.document.score": 0.83,
        f"{prefix}{index}.document.content": _REFUND,
        f"{prefix}{index}.document.metadata": json.dumps(_WHOLE["metadata"]),
    }


def test_flattened_documents_are_put_together() -> None:
    assert documents("openinference_documents", _flat("")) == [_WHOLE]
    ordered = documents("openinference_documents", {"10.document.id": "b", "9.document.id": "a"})
    assert [document["id"] for document in ordered] == ["a", "b"]


def test_of_a_reranker_the_documents_that_came_out_count() -> None:
    given = {"query": "환불", "top_k": 2, **_flat("input_documents.", 0), **_flat("input_documents.", 1)}
    assert documents("openinference_documents", given) == [_WHOLE, _WHOLE]
    assert documents("openinference_documents", {**given, **_flat("output_documents.")}) == [_WHOLE]


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        ([{"id": "kb-101", "score": 0.91}], [{"id": "kb-101", "score": 0.91}]),
        (
            [{"document_id": "kb-207", "chunk_id": "kb-207-1", "content": _REFUND}],
            [{"id": "kb-207", "content": _REFUND, "metadata": {"chunk_id": "kb-207-1"}}],
        ),
        (
            [
                {
                    "id": "kb-207",
                    "title": "Refund policy",
                    "text": _REFUND,
                    "score": 0.83,
                    "source": "https://kb.example.com/refund",
                    "page": 1,
                }
            ],
            [_WHOLE],
        ),
        (
            {"output": [{"page_content": _REFUND, "type": "Document", "metadata": {"id": "kb-207"}}]},
            [{"content": _REFUND, "metadata": {"id": "kb-207"}}],
        ),
        (
            {
                "documents": [
                    {
                        "lc": 1,
                        "type": "constructor",
                        "id": ["langchain", "schema", "document", "Document"],
                        "kwargs": {"page_content": _REFUND, "metadata": {}},
                    }
                ]
            },
            [{"content": _REFUND, "metadata": {}}],
        ),
        ({"type": "json", "value": [{"content": _REFUND}]}, [{"content": _REFUND}]),
        ([_REFUND], [{"content": _REFUND}]),
        ([0.1, 0.2], []),
        ("no JSON", []),
        ({"dimensions": 16}, []),
        (None, []),
    ],
)
def test_documents_of_every_provider_have_the_same_keys(sent: Any, found: list[Any]) -> None:
    assert documents("auto", sent) == found
    assert documents("auto", json.dumps(sent)) == found
