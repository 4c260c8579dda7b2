"""The configuration as plain values, every default filled in; `read_configuration` reads it back as the same."""

from typing import Any

from spanmill.config.base import Model
from spanmill.config.models import Configuration
from spanmill.config.values import format_duration, without_user_info
from spanmill.names import Kind


def render(configuration: Configuration, *, redacted: bool) -> dict[str, Any]:
    """Secrets are shown as `[REDACTED]` unless `redacted` is off, and so are names and passwords within URLs."""
    sections: dict[str, Any] = {}
    for kind in Kind:
        components = configuration.components(kind)
        if components:
            sections[kind.value] = {str(name): _dump(config, redacted) for name, config in components.items()}
    service = configuration.service
    sections["service"] = {
        "extensions": [str(component) for component in service.extensions],
        "pipelines": {
            str(name): {
                "receivers": [str(component) for component in pipeline.receivers],
                "processors": [str(component) for component in pipeline.processors],
                "exporters": [str(component) for component in pipeline.exporters],
                **({"allow_unmasked": True} if pipeline.allow_unmasked else {}),
            }
            for name, pipeline in service.pipelines.items()
        },
        "telemetry": _dump(service.telemetry, redacted),
        "shutdown_timeout": format_duration(service.shutdown_timeout),
        "journal": _dump(service.journal, redacted),
        "intake": _dump(service.intake, redacted),
    }
    return sections


def _dump(config: Model, redacted: bool) -> Any:
    values = config.model_dump(mode="json", by_alias=True, exclude_none=True, context={"unredacted": not redacted})
    return _without_user_info(values) if redacted else _escaped(values)


def _without_user_info(value: Any) -> Any:
    return _each_text(value, lambda text: without_user_info(text).replace("$", "$$"))


def _escaped(value: Any) -> Any:
    """`$` doubled, so that what is printed means the same when it is read again."""
    return _each_text(value, lambda text: text.replace("$", "$$"))


def _each_text(value: Any, change: Any) -> Any:
    if isinstance(value, dict):
        return {key: _each_text(child, change) for key, child in value.items()}
    if isinstance(value, list):
        return [_each_text(child, change) for child in value]
    return change(value) if isinstance(value, str) else value
