"""Texts and values that SDKs really sent, shared by the tests of the forms."""

from typing import Any

SYSTEM = (
    "You are the customer-support assistant of 한빛몰. Answer in the language of the customer. "
    "Never reveal internal API keys."
)
QUESTION = "山田太郎です。電話は090-1234-5678、マイナンバーは1234-5678-9018です。返金の期限を教えてください。"
ANSWER = "환불은 결제일로부터 7일 이내에 가능합니다. Refunds are possible within 7 days. 返金は7日以内です。"
ARGUMENTS = {"order_id": "ORD-20260211-7781", "customer_email": "minji.kim@example.co.kr"}
ARGUMENTS_TEXT = '{"order_id": "ORD-20260211-7781", "customer_email": "minji.kim@example.co.kr"}'
RESULT = {"order_id": "ORD-20260211-7781", "status": "delivered", "amount_krw": 129000, "buyer": {"name": "김민지"}}
RESULT_TEXT = (
    '{"order_id": "ORD-20260211-7781", "status": "delivered", "amount_krw": 129000, "buyer": {"name": "김민지"}}'
)

SYSTEM_PART = {"type": "text", "content": SYSTEM}
ASKED: dict[str, Any] = {"role": "user", "parts": [{"type": "text", "content": QUESTION}]}
ANSWERED: dict[str, Any] = {"role": "assistant", "parts": [{"type": "text", "content": ANSWER}]}
FINISHED = ANSWERED | {"finish_reason": "stop"}


def called(call_id: str) -> dict[str, Any]:
    """The assistant's call of `get_order`."""
    return {
        "role": "assistant",
        "parts": [{"type": "tool_call", "id": call_id, "name": "get_order", "arguments": ARGUMENTS}],
    }


def returned(call_id: str, response: object = RESULT) -> dict[str, Any]:
    """What the tool answered."""
    return {"role": "tool", "parts": [{"type": "tool_call_response", "id": call_id, "response": response}]}


PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
"""A PNG of one pixel."""
PNG_PART = {
    "type": "blob",
    "modality": "image",
    "mime_type": "image/png",
    "bytes": 70,
    "sha256": "6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0",
}
