"""The four things that happen in generated telemetry: a RAG request, an agent with tools, a streamed chat, an error."""

import json
from collections.abc import Callable
from typing import Any, Final

from opentelemetry._logs import SeverityNumber
from opentelemetry.trace import Span, SpanKind

from spanmill.generate.texts import SYSTEM_INSTRUCTIONS, TOOLS, Topic
from spanmill.generate.trace import Trace, messages

Scenario = Callable[[Trace, Topic], None]

_MODELS: Final = (
    ("openai", "gpt-5-mini", "gpt-5-mini-2025-08-07"),
    ("anthropic", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
    ("gcp.gemini", "gemini-2.5-flash", "gemini-2.5-flash"),
)
"""Triples of provider, model asked for, model that answers."""


class RateLimitError(Exception):
    """What a provider's client raises on status 429."""


def rag_request(trace: Trace, topic: Topic) -> None:
    """A question over HTTP: embed it, search passages, answer from them."""
    with trace.span("POST /ask", _http("/ask"), SpanKind.SERVER):
        trace.pass_time(0.3, 2)
        with trace.model_call(
            "embeddings", "openai", "text-embedding-3-small", {"gen_ai.embeddings.dimension.count": 1024}
        ) as span:
            trace.pass_time(15, 60)
            trace.spend_tokens(span, len(topic.question) // 3 + 3, 0)
        with trace.span("retrieval shop-handbook", _retrieval(trace, topic), SpanKind.CLIENT):
            trace.pass_time(8, 40)
        _chat(trace, topic, (300, 1800))
        trace.log("answered from the handbook", attributes={"passages": len(topic.passages)})
    trace.count("answered")
    score = round(trace.random.uniform(0.6, 1.0), 2)
    evaluation = {"gen_ai.evaluation.name": "groundedness", "gen_ai.evaluation.score.value": score}
    trace.log("groundedness judged", event="gen_ai.evaluation.result", attributes=evaluation)


def agent_with_tools(trace: Trace, topic: Topic) -> None:
    """An agent that thinks, calls one to three tools, and thinks again after each."""
    agent = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.agent.name": "concierge",
        "gen_ai.agent.id": "agent_7Q",
    }
    with trace.span("invoke_agent concierge", agent):
        for tool, arguments, result in trace.random.sample(TOOLS, trace.random.randint(1, 3)):
            _chat(trace, topic, (200, 900), finish="tool_calls")
            call = {
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": tool,
                "gen_ai.tool.type": "function",
                "gen_ai.tool.call.id": f"call_{trace.random.getrandbits(48):012x}",
                "gen_ai.tool.call.arguments": json.dumps(arguments, ensure_ascii=False),
                "gen_ai.tool.call.result": json.dumps(result, ensure_ascii=False),
            }
            with trace.span(f"execute_tool {tool}", call):
                trace.pass_time(20, 400)
                trace.log(f"tool {tool} answered", SeverityNumber.DEBUG)
        _chat(trace, topic, (300, 1500))
    trace.count("answered")


def streamed_chat(trace: Trace, topic: Topic) -> None:
    """A chat whose answer is streamed: the first token comes long before the last."""
    with trace.span("POST /chat", _http("/chat"), SpanKind.SERVER):
        trace.pass_time(0.3, 2)
        _chat(trace, topic, (600, 4000), streamed=True)
    trace.count("answered")


def rate_limited(trace: Trace, topic: Topic) -> None:
    """A chat that the provider refuses with status 429, as the provider's client reports it."""
    with trace.span("POST /chat", _http("/chat", 503), SpanKind.SERVER) as request:
        error = RateLimitError("429: rate limit reached for gpt-5-mini: limit 90000 tokens per minute")
        with trace.model_call("chat", "openai", "gpt-5-mini", _asked(topic)) as span:
            trace.pass_time(30, 120)
            span.set_attribute("http.response.status_code", 429)
            trace.fail(span, error)
            raised = {"exception.type": "RateLimitError", "exception.message": str(error)}
            trace.log(str(error), SeverityNumber.ERROR, attributes=raised)
        trace.fail(request, error)
    trace.count("failed")


SCENARIOS: Final[tuple[tuple[Scenario, float], ...]] = (
    (rag_request, 0.4),
    (agent_with_tools, 0.25),
    (streamed_chat, 0.27),
    (rate_limited, 0.08),
)
"""Each with its share of the traces."""


def _chat(
    trace: Trace, topic: Topic, took_ms: tuple[float, float], *, finish: str = "stop", streamed: bool = False
) -> None:
    provider, model, answering = trace.random.choice(_MODELS)
    with trace.model_call("chat", provider, model, _asked(topic)) as span:
        if streamed:
            _first_token(trace, span)
        trace.pass_time(*took_ms)
        passages = sum(len(text) for _, text in topic.passages)
        read = 240 + passages // 2 + trace.random.randint(0, 900)
        trace.spend_tokens(span, read, len(topic.answer) // 2 + trace.random.randint(5, 60), cached=read // 2)
        span.set_attributes(
            {
                "gen_ai.response.model": answering,
                "gen_ai.response.id": f"resp_{trace.random.getrandbits(64):016x}",
                "gen_ai.response.finish_reasons": [finish],
                "gen_ai.output.messages": messages("assistant", topic.answer if finish == "stop" else ""),
            }
        )


def _first_token(trace: Trace, span: Span) -> None:
    began = trace.now
    trace.pass_time(90, 700)
    span.set_attribute("gen_ai.request.stream", True)
    span.set_attribute("gen_ai.response.time_to_first_chunk", (trace.now - began) / 1e9)
    span.add_event("gen_ai.first_token", timestamp=trace.now)


def _asked(topic: Topic) -> dict[str, Any]:
    return {
        "gen_ai.request.temperature": 0.2,
        "gen_ai.request.max_tokens": 1024,
        "gen_ai.system_instructions": json.dumps([{"type": "text", "content": SYSTEM_INSTRUCTIONS}]),
        "gen_ai.input.messages": messages("user", topic.question),
    }


def _retrieval(trace: Trace, topic: Topic) -> dict[str, Any]:
    found = [
        {"id": document, "score": round(trace.random.uniform(0.5, 0.99), 3), "content": text}
        for document, text in topic.passages
    ]
    return {
        "gen_ai.operation.name": "retrieval",
        "gen_ai.data_source.id": "shop-handbook",
        "gen_ai.retrieval.query.text": topic.question,
        "gen_ai.retrieval.documents": json.dumps(found, ensure_ascii=False),
    }


def _http(route: str, status: int = 200) -> dict[str, Any]:
    return {"http.request.method": "POST", "http.route": route, "http.response.status_code": status}
