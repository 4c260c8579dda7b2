"""The JSON Schema of the whole configuration, for editors that complete and check YAML."""

from typing import Any, Final

from pydantic.json_schema import models_json_schema

from spanmill.config.base import Model
from spanmill.config.explain import model_of
from spanmill.config.manual import descriptions
from spanmill.config.models import ServiceSection
from spanmill.names import Kind
from spanmill.registry import COMPONENTS, ComponentType

_REFERENCE: Final = {"type": "string", "pattern": r"\$\{.+\}"}
"""Any value may be a reference; it is looked at only when the daemon reads it."""
_NULL: Final = {"type": "null"}


def json_schema() -> dict[str, Any]:
    """The schema. It knows every type, alias and key; what needs more than one value at once is left to `validate`."""
    models = list(dict.fromkeys([component.load_config() for component in COMPONENTS] + [ServiceSection]))
    references, joint = models_json_schema([(model, "validation") for model in models])
    definitions = joint["$defs"]
    for model in _every_model(models):
        _widen(definitions[model.__name__], model)
    definitions["Drop"] = {"anyOf": [definitions["Drop"], {"type": "array", "items": {"type": "string"}}]}
    sections = {
        kind.value: _section([component for component in COMPONENTS if component.kind is kind], references)
        for kind in Kind
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Spanmill configuration",
        "type": "object",
        "properties": {**sections, "service": references[(ServiceSection, "validation")]},
        "additionalProperties": False,
        "$defs": dict(sorted(definitions.items())),
    }


def _section(components: list[ComponentType], references: Any) -> dict[str, Any]:
    """One section: for each type a pattern that takes `type`, `type/name` and the aliases."""
    patterns = {}
    for component in components:
        names = "|".join([component.name, *(alias.name for alias in component.aliases)])
        reference = references[(component.load_config(), "validation")]
        patterns[f"^({names})(/.+)?$"] = {"anyOf": [reference, _NULL], "description": component.summary}
    return {"type": ["object", "null"], "patternProperties": patterns, "additionalProperties": False}


def _every_model(models: list[type[Model]]) -> list[type[Model]]:
    """The models and every block inside them."""
    found = dict.fromkeys(models)
    waiting = list(models)
    while waiting:
        for field in waiting.pop().model_fields.values():
            inner = model_of(field)
            if inner is not None and inner not in found:
                found[inner] = None
                waiting.append(inner)
    return list(found)


def _widen(definition: dict[str, Any], model: type[Model]) -> None:
    """Let every key be null or a reference, and add the other spellings that are read. A block that may be written in
    a short form too is one of several choices."""
    definition = next((choice for choice in definition.get("anyOf", ()) if "properties" in choice), definition)
    properties = definition.setdefault("properties", {})
    texts = descriptions(model)
    for name, schema in properties.items():
        if name in texts:
            schema["description"] = " ".join(texts[name].split())
        outer = {key: schema.pop(key) for key in ("description", "default", "title") if key in schema}
        outer.pop("title", None)
        choices = schema.pop("anyOf", None) or [schema]
        properties[name] = {
            "anyOf": [*choices, *(part for part in (_NULL, _REFERENCE) if part not in choices)],
            **outer,
        }
    for name, text in model.also_accepted.items():
        properties[name] = {"description": text, "deprecated": True}
    definition.pop("title", None)
