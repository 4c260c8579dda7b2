"""The application with Langfuse's client of OpenAI and its `observe`."""

# It runs in an environment of its own, whose packages are not in ours.
# mypy: disable-error-code="import-not-found"

import application
from langfuse import get_client, observe
from langfuse.openai import OpenAI

application.run(
    OpenAI(max_retries=0),
    application.Decorators(observe(as_type="agent"), observe(as_type="chain"), observe(as_type="tool")),
)
get_client().shutdown()
