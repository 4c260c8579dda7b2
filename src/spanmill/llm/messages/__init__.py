"""Content in any form that SDKs send, as OpenTelemetry's messages (GenAI conventions 1.41), binary content cut out.

Pure functions. What an attribute is called and which form it has, the mapping files say.
"""

from spanmill.llm.messages.conversation import Content
from spanmill.llm.messages.forms import FORMS, documents, messages
from spanmill.llm.messages.json_text import dumps
from spanmill.llm.messages.tool_spans import tool_call_messages, tool_response_messages

__all__ = ["FORMS", "Content", "documents", "dumps", "messages", "tool_call_messages", "tool_response_messages"]
