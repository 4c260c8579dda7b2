"""Posts texts to a webhook. Knows nothing of what they tell, and lets nobody see the URL."""

import os
from enum import Enum, auto
from typing import Final, NamedTuple

import aiohttp

from spanmill import __version__
from spanmill.config.webhook import Webhook

_ESCAPES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
"""Slack, "Formatting text for app surfaces": a sender's `<!channel>` must not call everybody."""
_TRY_AGAIN: Final = frozenset({408, 425, 429})


class Result(Enum):
    """What became of one request."""

    TOLD = auto()
    REFUSED = auto()
    """It will be refused again."""
    FAILED = auto()
    """It may be taken another time."""


class Answer(NamedTuple):
    """The result with what belongs to it."""

    result: Result
    reason: str = ""
    """For the log: without the URL, and without the server's words, which may repeat it."""
    retry_after_seconds: float = 0.0


class Poster:
    """A session with the webhook's server. Closed after use."""

    def __init__(self, config: Webhook) -> None:
        self._config = config
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=config.timeout or None),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"spanmill/{__version__}"},
            trust_env=True,
        )

    async def close(self) -> None:
        """Safe twice."""
        await self._session.close()

    async def post(self, text: str, key: str) -> Answer:
        """Post one text. `key` is the same whenever the same notice is posted: for servers that tell repeats apart."""
        headers = {name: value.reveal() for name, value in self._config.headers.items()} | {"Idempotency-Key": key}
        try:
            request = self._session.post(
                self._config.url.reveal(), json={"text": text}, headers=headers, allow_redirects=False
            )
            async with request as response:
                return _answer(response)
        except TimeoutError:
            return Answer(Result.FAILED, f"the server did not answer within {self._config.timeout:g} s")
        except ValueError:  # aiohttp's own for URLs among it, whose text has the URL
            return Answer(Result.REFUSED, "no request can be made of the URL and the headers")
        except (aiohttp.ClientError, OSError) as error:
            return Answer(Result.FAILED, f"the server cannot be reached: {_words(error)}")


def quoted(text: str, longest: int) -> str:
    """A sender's text for one line of a message: at most so many characters of it, and nothing in it is markup."""
    shown = text if len(text) <= longest else f"{text[:longest]}..."
    return "".join(_ESCAPES.get(c, c if c.isprintable() else " ") for c in shown)


def _answer(response: aiohttp.ClientResponse) -> Answer:
    status = response.status
    if 200 <= status < 300:
        return Answer(Result.TOLD)
    reason = f"the server answered {status}"
    if status >= 500 or status in _TRY_AGAIN:
        asked = response.headers.get("Retry-After", "")
        return Answer(Result.FAILED, reason, float(asked) if asked.isascii() and asked.isdigit() else 0.0)
    return Answer(Result.REFUSED, reason)


def _words(error: Exception) -> str:
    """An error without the names and addresses that its text may have."""
    number = error.errno if isinstance(error, OSError) else None
    return os.strerror(number) if number and number > 0 else type(error).__name__
