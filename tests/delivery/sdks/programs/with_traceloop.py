"""The application with Traceloop's SDK (OpenLLMetry) and its decorators."""

# It runs in an environment of its own, whose packages are not in ours.
# mypy: disable-error-code="import-not-found"

import os

import application
from openai import OpenAI
from traceloop.sdk import Instruments, Traceloop
from traceloop.sdk.decorators import agent, task, tool
from traceloop.sdk.tracing.tracing import TracerWrapper

Traceloop.init(app_name=os.environ["OTEL_SERVICE_NAME"], instruments={Instruments.OPENAI}, telemetry_enabled=False)
application.run(OpenAI(max_retries=0), application.Decorators(agent("planner"), task("plan"), tool("weather")))
TracerWrapper().flush()
