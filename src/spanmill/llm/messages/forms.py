"""The forms in which SDKs send messages, by name, and what makes OpenTelemetry's messages of each."""

from collections.abc import Callable

from spanmill.llm.messages.conversation import Content, Conversation
from spanmill.llm.messages.events import add_events
from spanmill.llm.messages.flattened import add_openinference, add_openllmetry, add_vercel_response, vercel_calls
from spanmill.llm.messages.parts import json_parts
from spanmill.llm.messages.recognition import add_recognised, decoded
from spanmill.llm.messages.retrieved import Document, documents_of, flattened_documents

FORMS = {
    "auto": "JSON text, a value or plain text of any provider or framework: what it is, its shape tells.",
    "gen_ai": "OpenTelemetry's messages or parts (1.37 and later), as JSON text or as a value.",
    "gen_ai_event": "OpenTelemetry's events or log records (up to 1.36): one, or a list, of {name, attributes, body}.",
    "langsmith": "Inputs or outputs of a LangSmith run, as JSON text.",
    "openinference": "OpenInference's flattened messages: {'0.message.role': ...}.",
    "openinference_documents": "OpenInference's flattened documents: {'0.document.id': ...}; for a reranker also with "
    "`output_documents.` or `input_documents.` before the index.",
    "openllmetry": "OpenLLMetry's flattened messages: {'0.role': ...}.",
    "text": "Plain text, or a value to be shown as JSON.",
    "vercel_response": "What the Vercel AI SDK answers: {'text', 'reasoning', 'toolCalls', 'object', 'finishReason'}.",
    "vercel_tool_calls": "The calls of tools in it alone, as JSON text.",
    "vercel_values": "A list of what is embedded, each as JSON text.",
}
"""Every form's name, and what a value of it is."""


def messages(form: str, value: object, role: str) -> Content:
    """The messages of a value that was sent in the form, and the system prompt before them.

    `role` is `user` for what went into a model, `assistant` for what came out of it, `system` for its instructions: it
    says whose a message is that does not say so itself. Answers keep their `finish_reason` and their system messages;
    of events only those that belong to the role count. Any value is taken, hostile ones too: what is no message becomes
    the text of one.
    """
    into = Conversation(role)
    _ADDERS[form](value, into)
    return into.content()


def documents(form: str, value: object) -> list[Document]:
    """The documents of a value in the form: {id, score, content, metadata}, only those keys that are there."""
    return flattened_documents(value) if form == "openinference_documents" else documents_of(value)


def _add_any(value: object, into: Conversation) -> None:
    if type(value) is str:
        start = value.lstrip()[:1]
        if start not in ("{", "[", '"'):
            _add_text(value, into)
            return
        held = decoded(value)
        if type(held) is not str and held != [] and not add_recognised(held, into):
            into.add(into.role, json_parts(held))
        elif type(held) is str:
            _add_text(held, into)
    elif value is not None and value != [] and not add_recognised(value, into):
        into.add(into.role, json_parts(value))


def _add_text(value: object, into: Conversation) -> None:
    if value is not None:
        found = json_parts(value)
        if found:
            into.add(into.role, found)


def _add_langsmith(value: object, into: Conversation) -> None:
    """A run's inputs and outputs are objects: one of a single, general key only wraps a value."""
    value = decoded(value)
    if isinstance(value, dict) and len(value) == 1:
        if add_recognised(value, into):
            return
        key, inner = next(iter(value.items()))
        value = inner if key in ("input", "output") else value
    _add_any(value, into)


def _flat(add: Callable[[dict[object, object], Conversation], None]) -> Callable[[object, Conversation], None]:
    """For forms whose value is an object; any other value is taken for what it is."""

    def adder(value: object, into: Conversation) -> None:
        if isinstance(value, dict):
            add(value, into)
        else:
            _add_any(value, into)

    return adder


def _add_calls(value: object, into: Conversation) -> None:
    found = vercel_calls(value)
    if found:
        into.add("assistant", found)


def _add_values(value: object, into: Conversation) -> None:
    values = decoded(value)
    for held in values if isinstance(values, list) else (values,):
        _add_text(decoded(held), into)


_ADDERS: dict[str, Callable[[object, Conversation], None]] = {
    "auto": _add_any,
    "gen_ai": _add_any,
    "gen_ai_event": add_events,
    "langsmith": _add_langsmith,
    "openinference": _flat(add_openinference),
    "openinference_documents": _add_any,
    "openllmetry": _flat(add_openllmetry),
    "text": _add_text,
    "vercel_response": _flat(add_vercel_response),
    "vercel_tool_calls": _add_calls,
    "vercel_values": _add_values,
}
assert FORMS.keys() == _ADDERS.keys()
