"""The application with two instrumentations at once, OpenInference's and OpenTelemetry's: each records every call."""

# It runs in an environment of its own, whose packages are not in ours.
# mypy: disable-error-code="import-not-found"

import application
from openai import OpenAI
from openinference.instrumentation import TracerProvider
from openinference.instrumentation.openai import OpenAIInstrumentor as OpenInferenceInstrumentor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
OpenInferenceInstrumentor().instrument(tracer_provider=provider)
OpenAIInstrumentor().instrument(tracer_provider=provider)
tracer = provider.get_tracer("planner")
application.run(OpenAI(max_retries=0), application.Decorators(tracer.agent, tracer.chain, tracer.tool))
provider.shutdown()
