"""The application with OpenTelemetry's newer instrumentation, and its handler's spans for agents, chains and tools."""

# It runs in an environment of its own, whose packages are not in ours.
# mypy: disable-error-code="import-not-found"

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

import application
from openai import OpenAI
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.util.genai.handler import get_telemetry_handler

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
OpenAIInstrumentor().instrument()
handler = get_telemetry_handler()


def agent(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def run(*arguments: Any) -> Any:
        with handler.invoke_local_agent(agent_name=function.__name__, request_model=application.MODEL):
            return function(*arguments)

    return run


def chain(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def run(*arguments: Any) -> Any:
        with handler.workflow(name=function.__name__):
            return function(*arguments)

    return run


def tool(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def run(**arguments: Any) -> Any:
        with handler.tool(function.__name__) as invocation:
            invocation.arguments = json.dumps(arguments)
            invocation.tool_result = function(**arguments)
            return invocation.tool_result

    return run


application.run(OpenAI(max_retries=0), application.Decorators(agent, chain, tool))
provider.shutdown()
