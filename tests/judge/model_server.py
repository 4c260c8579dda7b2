"""A stand-in for a model's API on loopback, which answers as it is told: well, slowly, wrongly, or not at all."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

Answer = Callable[["ModelServer", dict[str, Any]], "web.Response"]


@dataclass
class ModelServer:
    """`answers` are used up first, in order; then `always`. A number is a status; a text is the model's answer."""

    always: Any = '{"reasoning": "it is fine", "score": 4}'
    answers: list[Any] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    """Bodies, in the order they came."""
    headers: list[Mapping[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    answer_headers: dict[str, str] = field(default_factory=dict)
    """Of answers that are only a status."""
    usage: tuple[int, int] | None = (100, 20)
    """Input and output tokens that answers report."""
    finish_reason: str = "stop"
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    """Nothing is answered while it is clear."""
    seconds: float = 0.0
    """How long each answer takes."""
    under_way: int = 0
    most_under_way: int = 0
    url: str = ""
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def until(self, count: int) -> None:
        """Wait until so many requests have come."""
        async with asyncio.timeout(20):
            while len(self.requests) < count:
                self.changed.clear()
                await self.changed.wait()

    async def handle(self, request: web.Request) -> web.Response:
        body = orjson.loads(await request.read())
        self.requests.append(body)
        self.headers.append(request.headers)
        self.paths.append(request.path)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        self.changed.set()
        try:
            await self.gate.wait()
            await asyncio.sleep(self.seconds)
            answer = self.answers.pop(0) if self.answers else self.always
            if callable(answer):
                answer = answer(body)
            if isinstance(answer, web.Response):
                return answer
            if isinstance(answer, int):
                return web.Response(status=answer, headers=self.answer_headers, text="you said: secret words")
            return web.json_response(self.spoken(request.path, body, answer))
        finally:
            self.under_way -= 1

    def spoken(self, path: str, body: dict[str, Any], text: str) -> dict[str, Any]:
        """The answer in the words of the API that the path belongs to."""
        number = len(self.requests)
        if path.endswith("/messages"):
            tool = body.get("tool_choice", {}).get("name")
            part: dict[str, Any] = {"type": "text", "text": text}
            if tool:
                part = {"type": "tool_use", "id": "t", "name": tool, "input": orjson.loads(text)}
            usage = {"usage": {"input_tokens": self.usage[0], "output_tokens": self.usage[1]}} if self.usage else {}
            return {
                "id": f"msg_{number}",
                "model": body["model"],
                "content": [part],
                "stop_reason": "end_turn",
                **usage,
            }
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": self.finish_reason}
        usage = {"usage": {"prompt_tokens": self.usage[0], "completion_tokens": self.usage[1]}} if self.usage else {}
        return {"id": f"chatcmpl-{number}", "model": f"{body['model']}-2025", "choices": [choice], **usage}


def refusal(message: str, status: int = 400, **error: str) -> web.Response:
    """An error in OpenAI's form."""
    return web.json_response({"error": {"message": message, "type": "invalid_request_error", **error}}, status=status)


@asynccontextmanager
async def model_server(**told: Any) -> AsyncIterator[ModelServer]:
    """Runs one. `url` is its base URL."""
    server = ModelServer(**told)
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/{path:.*}", server.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        yield server
    finally:
        server.gate.set()
        await runner.cleanup()
