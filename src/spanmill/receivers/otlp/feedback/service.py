"""`POST /v1/feedback`: people's feedback becomes log records and goes the way of all log records from there."""

import hashlib
import time
from typing import Any, Final

import orjson
from google.rpc import code_pb2 as code

from spanmill.component import Outcome
from spanmill.config.problems import Problem
from spanmill.llm.evaluations import request_bytes
from spanmill.otlp.responses import Encoding
from spanmill.receivers.otlp.answers import Refusal
from spanmill.receivers.otlp.feedback.entries import Entries, Unusable, read
from spanmill.receivers.otlp.http_services import Submission
from spanmill.signal import Signal

_KIND = b"feedback\0"
"""The same bytes sent as something else are something else."""


class FeedbackService:
    """Feedback in JSON. Records without a time of their own have that of receipt, so that the same body makes another
    payload each time: what it is known by when it is sent again is made of the body."""

    signal: Final = Signal.LOGS
    encodings: Final = (Encoding.JSON,)
    premise: Final = "feedback becomes log records, and "
    inline_json_bytes: Final = 2 * 1024

    def read(self, body: bytes, _encoding: Encoding) -> Submission:
        try:
            entries = read(body, time.time_ns())
        except Unusable as error:
            raise BadFeedback(error.problems) from None
        payload = request_bytes(entries.evaluations, resource_attributes={})
        return Submission(payload, lambda outcome: _answer(entries, outcome), _digest(body))


def _digest(body: bytes) -> bytes:
    digest = hashlib.sha256(_KIND)
    digest.update(body)
    return digest.digest()


class BadFeedback(Refusal):
    """The answer names everything that is wrong, in words and as data."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        for_log = "feedback: " + "; ".join(sorted({problem.message for problem in problems}))
        message = "\n".join(problem.render() for problem in problems)
        super().__init__(400, code.INVALID_ARGUMENT, "malformed", message, for_log=for_log)
        self._problems = problems

    def body(self, encoding: Encoding) -> bytes:
        if encoding is not Encoding.JSON:
            return super().body(encoding)
        status: dict[str, Any] = orjson.loads(super().body(encoding))
        return orjson.dumps(status | {"problems": [_as_data(problem) for problem in self._problems]})


def _as_data(problem: Problem) -> dict[str, str]:
    parts = {
        "where": problem.path,
        "wrong": problem.message,
        "expected": problem.expected,
        "found": problem.found,
        "hint": problem.hint,
    }
    return {name: text for name, text in parts.items() if text}


def _answer(entries: Entries, outcome: Outcome) -> bytes:
    """`accepted` counts what the collector has, from now or from before; what was there twice is left out."""
    said: dict[str, int | str] = {"accepted": len(entries.evaluations) - outcome.rejected}
    if entries.duplicates:
        said["duplicates"] = entries.duplicates
    if outcome.rejected:
        said |= {"rejected": outcome.rejected, "reason": outcome.reason}
    return orjson.dumps(said)
