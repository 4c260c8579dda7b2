"""The manual's examples are what the collector takes."""

import re
from pathlib import Path

import orjson
import pytest

from spanmill.receivers.otlp.feedback.entries import read
from spanmill.receivers.otlp.feedback.fields import MAX_COMMENT_CHARACTERS, MAX_ID_CHARACTERS, MAX_NAME_CHARACTERS

MANUAL = Path(__file__).parents[4].joinpath("docs", "feedback.md").read_text()
TRACE = "0af7651916cd43dd8448eb211c80319c"


def test_the_feedback_that_the_manual_sends_with_curl_is_taken() -> None:
    (body,) = re.findall(r"-d '(\{.*?\})'", MANUAL, re.DOTALL)
    (evaluation,) = read(body.encode(), 1).evaluations
    assert (evaluation.score, evaluation.explanation) == (0.0, "wrong city")


@pytest.mark.parametrize(
    ("value", "score", "label"),
    [
        (value, score, label)
        for values, score, label in re.findall(
            r"^\| (`.*?) \| (0[.\d]*|1|none)\b[^|]* \| `?([^`|]*?)`? \|$", MANUAL, re.MULTILINE
        )
        for value in re.findall(r"`(.+?)`", values)
        if not value.startswith(("true", "false", '"scale"'))
    ],
)
def test_the_manual_knows_what_values_become(value: str, score: str, label: str) -> None:
    scale = ', "scale": [1, 5]' if value == "4" else ""
    body = f'{{"trace_id": "{TRACE}", "name": "helpful", "value": {value}{scale}}}'
    (evaluation,) = read(body.encode(), 1).evaluations
    assert evaluation.score == (None if score == "none" else float(score))
    assert (evaluation.label or "none") == label


def test_the_manual_names_every_field_and_limit() -> None:
    for field in ("trace_id", "traceparent", "span_id", "name", "value", "scale", "label", "comment", "user_id",
                  "session_id", "time", "metadata"):  # fmt: skip
        assert f"`{field}`" in MANUAL
    for most in (MAX_NAME_CHARACTERS, MAX_ID_CHARACTERS, MAX_COMMENT_CHARACTERS):
        assert f"{most:,} characters" in MANUAL
    (example,) = re.findall(r"```json\n(.*?)```", MANUAL, re.DOTALL)
    assert set(orjson.loads(example)) == {"code", "message", "problems"}
