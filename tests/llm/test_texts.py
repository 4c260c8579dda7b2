"""Values of columns out of texts."""

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from spanmill.llm.dialect import Source
from spanmill.llm.texts import epoch_nanoseconds, parser

USD = pa.decimal128(18, 9)
TEXT, COUNT, NUMBER, FLAG, TEXTS = pa.string(), pa.int64(), pa.float64(), pa.bool_(), pa.list_(pa.string())


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (TEXT, "gpt-4o", "gpt-4o"),
        (TEXT, '"quoted"', "quoted"),
        (TEXT, "", None),
        (COUNT, "412", 412),
        (COUNT, '"412"', 412),
        (COUNT, "412.0", 412),
        (COUNT, "abc", None),
        (COUNT, "-1", None),
        (COUNT, "1e300", None),
        (COUNT, "nan", None),
        (NUMBER, "0.25", 0.25),
        (NUMBER, "inf", None),
        (FLAG, "True", True),
        (FLAG, "false", False),
        (FLAG, "perhaps", None),
        (USD, "0.000106", Decimal("0.000106")),
        (USD, "1e-30", Decimal("0E-9")),
        (USD, "NaN", None),
        (USD, "1e40", None),
        (TEXTS, '["a","b"]', ["a", "b"]),
        (TEXTS, "a", ["a"]),
        (TEXTS, "[1, {}]", ["1", "{}"]),
        (TEXTS, "[]", None),
    ],
)
def test_a_text_is_read_as_its_column_or_not_at_all(kind: pa.DataType, text: str, value: Any) -> None:
    assert parser(kind, Source(attribute="x"))(text) == value


def test_what_a_source_says_is_done_to_its_values() -> None:
    meaning = Source.model_validate({"attribute": "kind", "values": {"LLM": "chat", "1": True}, "otherwise": "chain"})
    assert [parser(TEXT, meaning)(text) for text in ("LLM", "X", "")] == ["chat", "chain", "chain"]
    assert parser(TEXT, Source(attribute="x", values={"a": "b"}))("c") is None
    assert parser(TEXT, Source(attribute="x", values={"a": "b"}, otherwise="keep"))("c") == "c"
    assert parser(NUMBER, Source(attribute="x", times=1000))("0.5") == 500
    assert parser(COUNT, Source(attribute="x", times=1000))("0.5") == 500
    assert parser(TEXTS, Source(attribute="x", split=","))("a, b") == ["a", "b"]


@pytest.mark.parametrize(
    "text",
    [
        "2025-10-09T08:53:20Z",
        '"2025-10-09T08:53:20.000Z"',
        "2025-10-09T08:53:20",
        "2025-10-09T10:53:20+02:00",
        "1760000000",
        "1760000000000",
        "1760000000000000",
        "1760000000000000000",
    ],
)
def test_a_time_is_read_in_every_notation(text: str) -> None:
    assert epoch_nanoseconds(text) == 1_760_000_000_000_000_000


@pytest.mark.parametrize("text", ["", "soon", "0", "-5", "1e300", "9999-12-31T23:59:59+99:00", "[]"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert epoch_nanoseconds(text) is None
