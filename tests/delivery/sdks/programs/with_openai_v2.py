"""The application with OpenTelemetry's first instrumentation: messages are log records, or with the newer conventions
(`OTEL_SEMCONV_STABILITY_OPT_IN`) attributes. It knows nothing of the Responses API, and has nothing for agents, so
their spans are made by hand; the agent's restates the tokens of its calls, as agent frameworks do.
"""

# It runs in an environment of its own, whose packages are not in ours.
# mypy: disable-error-code="import-not-found"

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

import application
from openai import OpenAI
from opentelemetry import _logs, trace
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
logs = LoggerProvider()
logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
_logs.set_logger_provider(logs)
OpenAIInstrumentor().instrument()
tracer = trace.get_tracer("planner")


def agent(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def run(*arguments: Any) -> Any:
        attributes = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": function.__name__}
        attributes |= {"gen_ai.system": "openai", "gen_ai.request.model": application.MODEL}
        with tracer.start_as_current_span(f"invoke_agent {function.__name__}", attributes=attributes) as span:
            answer = function(*arguments)
            span.set_attribute("gen_ai.usage.input_tokens", 698 + 801)
            span.set_attribute("gen_ai.usage.output_tokens", 44 + 120)
            return answer

    return run


def chain(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def run(*arguments: Any) -> Any:
        attributes = {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": function.__name__}
        with tracer.start_as_current_span(f"invoke_workflow {function.__name__}", attributes=attributes):
            return function(*arguments)

    return run


def tool(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def run(**arguments: Any) -> Any:
        attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": function.__name__,
            "gen_ai.tool.call.arguments": json.dumps(arguments),
        }
        with tracer.start_as_current_span(f"execute_tool {function.__name__}", attributes=attributes) as span:
            result: str = function(**arguments)
            span.set_attribute("gen_ai.tool.call.result", result)
            return result

    return run


application.run(OpenAI(max_retries=0), application.Decorators(agent, chain, tool), with_responses=False)
provider.shutdown()
logs.shutdown()
