"""A model's server over HTTP: one request, one answer. Implements `model.Model`.

Nobody sees the key, and nothing of a server's words gets into an error: they may repeat the messages.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import aiohttp
import orjson

from spanmill import __version__
from spanmill.judge import protocols
from spanmill.judge.model import Failed, Message, Reply, Throttled
from spanmill.judge.model_config import ModelConfig
from spanmill.judge.pricing import Usage, cost_nano_usd, tariff_of
from spanmill.llm.prices.estimate import tokens_of_text
from spanmill.net.retry_after import retry_after_seconds
from spanmill.net.tls import ClientTls
from spanmill.telemetry.logs import Log

_MAX_RESPONSE_BYTES: Final = 4 * 1024 * 1024
_REFUSALS: Final = frozenset({400, 415, 422, 501})
"""Answers that may be about a key of the request that the server does not know."""
_MOST_FORMS: Final = 6
"""Requests for one question whose forms the server refuses."""
_FOR_LATER: Final = frozenset({401, 403, 404, 407, 408, 409, 423, 425})
"""What an operator or time may put right, beside all from 500 on: a key, a model's name, a lock."""
_CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Client:
    """A model's server. Building does no work; `start` before asking, `stop` at the end."""

    def __init__(self, config: ModelConfig, log: Log) -> None:
        self._config, self._log = config, log
        self._url = protocols.endpoint(config)
        self._form = protocols.Form()
        self._tls: ClientTls | None = None
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Raises `OSError` when certificates cannot be used."""
        config = self._config
        self.tariff = await asyncio.to_thread(tariff_of, config)
        """What the model costs; None when nobody knows."""
        self._tls = await asyncio.to_thread(ClientTls, config.tls)
        fields = {"User-Agent": f"spanmill/{__version__}", "Content-Type": "application/json"}
        fields |= protocols.key_fields(config)
        fields |= {name: value.reveal() for name, value in config.headers.items()}
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=config.timeout or None),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=fields,
        )

    async def stop(self) -> None:
        """Safe twice, and without `start`."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def estimate(self, messages: Sequence[Message], schema: Mapping[str, Any]) -> Usage:
        """Tokens that a question takes: about those of its texts, and as many as an answer may have."""
        texts = [message["content"] for message in messages] + [orjson.dumps(schema).decode()]
        return Usage(sum(map(tokens_of_text, texts)), self._config.max_output_tokens)

    def cost(self, usage: Usage) -> int | None:
        """Billionths of a USD; None when the model's price is not known."""
        return None if self.tariff is None else cost_nano_usd(self.tariff, usage)

    async def ask(self, messages: Sequence[Message], schema: Mapping[str, Any], trace: str = "") -> Reply:
        """See `Model`. A server that refuses a key of the request is asked again without."""
        for _ in range(_MOST_FORMS):
            form = self._form
            body = protocols.body(self._config, messages, schema, form)
            began = asyncio.get_running_loop().time()
            status, headers, content = await self._post(body, trace)
            seconds = asyncio.get_running_loop().time() - began
            if 200 <= status < 300:
                return self._reply(content, messages, schema, seconds, trace)
            simpler = form.without(_words(content)) if status in _REFUSALS else None
            if simpler is None:
                raise _failure(status, headers, content)
            if self._form == form:  # nobody else found out meanwhile
                self._form = simpler
                self._log.info(
                    "the model's server does not take every key; asked without", without=_change(form, simpler)
                )
        raise Failed("the server refuses every form of the request", transient=False, code="refused")

    async def _post(self, body: bytes, trace: str) -> tuple[int, Mapping[str, str], bytes]:
        assert self._session is not None, "not started"
        assert self._tls is not None
        secure: dict[str, Any] = {"ssl": self._tls.context()} if self._url.startswith("https:") else {}
        try:
            request = self._session.post(
                self._url,
                data=body,
                headers={"traceparent": trace} if trace else None,
                allow_redirects=False,
                proxy=self._config.proxy_url,
                server_hostname=self._config.tls.server_name_override,
                **secure,
            )
            async with request as response:
                return response.status, response.headers, await _content(response)
        except aiohttp.ClientConnectorError as error:
            raise Failed(f"the server cannot be reached: {_kind(error)}", transient=True, code="connection") from None
        except TimeoutError:
            reason = f"the server did not answer within {self._config.timeout:g} s"
            raise Failed(reason, transient=True, code="timeout", in_doubt=True) from None
        except (aiohttp.ClientError, OSError) as error:
            reason = f"the connection broke: {_kind(error)}"
            raise Failed(reason, transient=True, code="connection", in_doubt=True) from None

    def _reply(
        self, content: bytes, messages: Sequence[Message], schema: Mapping[str, Any], seconds: float, trace: str
    ) -> Reply:
        try:
            answer = protocols.read(self._config, content)
        except protocols.Nonsense:
            reason = "the answer is not one of this API: is `base_url` right?"
            raise Failed(reason, transient=False, code="nonsense", in_doubt=True) from None
        usage = answer.usage
        if usage is None:
            asked = self.estimate(messages, schema)
            usage = Usage(asked.input_tokens, tokens_of_text(answer.text))
        return Reply(
            answer.text, usage.input_tokens, usage.output_tokens, self.cost(usage), seconds,
            answer.model, answer.response_id, answer.finish_reason, trace=trace,
        )  # fmt: skip


async def _content(response: aiohttp.ClientResponse) -> bytes:
    """The body; what is longer than any answer is as good as none."""
    content = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        content += chunk
        if len(content) > _MAX_RESPONSE_BYTES:
            response.close()
            return b""
    return bytes(content)


def _failure(status: int, headers: Mapping[str, str], content: bytes) -> Throttled | Failed:
    code = _error_code(content)
    reason = f"the server answered {status} ({code})" if code else f"the server answered {status}"
    if status == 429 and code != "insufficient_quota":  # nothing to wait for: somebody has to pay
        return Throttled(retry_after_seconds(headers.get("Retry-After", "")))
    transient = status >= 500 or status == 429 or status in _FOR_LATER
    return Failed(reason, transient=transient, code=code if status == 429 else str(status), in_doubt=False)


def _words(content: bytes) -> str:
    """What a refusal says, for `Form.without` and nobody else."""
    return content[:16384].decode("utf-8", "replace")


def _error_code(content: bytes) -> str:
    """The error's own name: what has the form of one, and so cannot be a part of a message."""
    try:
        error = orjson.loads(content)["error"]
        names = [error.get("code"), error.get("type")]
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return ""
    return next((name for name in names if isinstance(name, str) and _CODE.fullmatch(name)), "")


def _kind(error: Exception) -> str:
    """An error without the names and addresses that its text may have."""
    inner = getattr(error, "os_error", error)
    return getattr(inner, "strerror", None) or type(inner).__name__


def _change(before: protocols.Form, after: protocols.Form) -> str:
    if before.schema != after.schema:
        return "json_schema" if before.schema == "schema" else "response_format"
    return "temperature" if before.temperature != after.temperature else "max_tokens"
