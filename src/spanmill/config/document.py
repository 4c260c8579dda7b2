"""Writes `docs/configuration.md` and its JSON Schema from the models: `python -m spanmill.config.document`.

What stands in both comes from the models' docstrings and defaults; nothing is said here about single keys.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from spanmill.config.actions import Action, Match
from spanmill.config.base import Model
from spanmill.config.blocks import (
    Cors,
    KeepaliveClient,
    KeepaliveServer,
    RetryOnFailure,
    SendingQueue,
    TlsClient,
    TlsServer,
)
from spanmill.config.explain import bare, model_of
from spanmill.config.manual import descriptions
from spanmill.config.models import ServiceSection
from spanmill.config.schema import json_schema
from spanmill.config.storage import Compaction
from spanmill.config.values import Endpoint, Secret, format_duration
from spanmill.names import Kind
from spanmill.processors.tail_sampling.policy_tree import SubPolicy
from spanmill.registry import ComponentType, component_types

_SHARED: Final[dict[type[Model], str]] = {
    TlsServer: "TLS of a listener",
    TlsClient: "TLS of a connection",
    KeepaliveServer: "Keepalive of a listener",
    KeepaliveClient: "Keepalive of a connection",
    Cors: "CORS",
    RetryOnFailure: "Retry on failure",
    SendingQueue: "Sending queue",
    Compaction: "Compaction",
    Action: "Actions",
    Match: "Include and exclude",
    SubPolicy: "Policies within policies",
}
"""Blocks that are described once and linked from wherever they may stand."""

_INTRODUCTION: Final = """\
# Configuration

<!-- Written by `python -m spanmill.config.document`; change the models instead. -->

Spanmill reads the YAML of the OpenTelemetry Collector. `spanmill validate --config FILE` says everything that is wrong
with a file, each problem with its line; `spanmill print-config` shows what is in force, with every default.
Editors complete and check keys with [`configuration.schema.json`](configuration.schema.json).

## How files are read

- **Several files.** `--config` may be given more than once: maps are joined, lists and single values are replaced by
  the later file. A source is a path, `file:path`, `env:NAME` (the variable holds YAML) or `yaml:text`. `--set
  path=value` comes last; keys are separated by dots, or by `::` where a key has dots in it. An empty top-level section
  in a later file keeps the earlier one, with a warning; in the Collector it would erase it.
- **References.** `${env:NAME}` or `${NAME}` is an environment variable, `${env:NAME:-default}` has a default,
  `${file:path}` is a file's content. Where a value is nothing but a reference, its content is read as YAML, so that
  numbers are numbers; a key that takes text gets it as written. A variable that is not set and has no default is an
  error. `$$` is a dollar sign; a `$` that begins no reference stays.
- **Null** means the default: `batch:`, `grpc:` and `processors:` with nothing behind them are as good as written out.
- **Durations** are written `200ms`, `5s`, `1m30s`, `2h`; only 0 may stand without a unit.
- **Ids** are `type` or `type/name`. What is defined is checked; what no pipeline uses is not started.
"""

_KIND_INTRODUCTIONS: Final = {
    Kind.RECEIVERS: "Where telemetry comes in.",
    Kind.PROCESSORS: "What happens to it, in the order of the pipeline's list.",
    Kind.EXPORTERS: "Where it goes; every exporter of a pipeline gets everything.",
    Kind.CONNECTORS: "An exporter of one pipeline and a receiver of another.",
    Kind.EXTENSIONS: "What runs beside the pipelines.",
}


def configuration_manual() -> str:
    """The text of `docs/configuration.md`."""
    lines = [_INTRODUCTION]
    for kind in Kind:
        lines += [f"## {kind.value.capitalize()}", "", _KIND_INTRODUCTIONS[kind], ""]
        for component in component_types(kind):
            lines += _component(component)
    lines += ["## Service", "", *_block(ServiceSection)]
    lines += ["## Shared blocks", ""]
    for model, title in _SHARED.items():
        lines += [f"### {title}", "", *_block(model)]
    return "\n".join(lines).rstrip() + "\n"


def _component(component: ComponentType) -> Iterator[str]:
    yield f"### `{component.name}` {component.kind.singular}"
    yield ""
    if component.ignored:
        summary = component.summary[0].upper() + component.summary[1:]
        yield f"{summary}. There is a warning, so that the Collector's files run unchanged and nobody is misled."
        yield ""
        return
    names = [f"`{alias.name}`" for alias in component.aliases]
    also = [f"Also accepted as {' and '.join(names)}, with a warning."] if names else []
    if component.kind is not Kind.EXTENSIONS:
        also.append(f"Signals: {', '.join(sorted(signal.value for signal in component.signals))}.")
    yield from _block(component.load_config(), " ".join(also))


def _block(model: type[Model], also: str = "") -> list[str]:
    """A block's docstring, its keys as a table, and what else is read or refused."""
    lines = [" ".join(part for part in (_one_line(model.__doc__), also) if part), ""]
    rows = [f"| {' | '.join(row)} |" for row in _rows(model, "")]
    if rows:
        lines += ["| key | value | default | |", "| --- | --- | --- | --- |", *rows, ""]
    for path, key, text in _remarks(model, ""):
        lines.append(f"- `{path}{key}`: {_one_line(text)}.")
    return lines if lines[-1] == "" else [*lines, ""]


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


def _rows(model: type[Model], prefix: str) -> Iterator[tuple[str, str, str, str]]:
    texts = descriptions(model)
    for name, field in model.yaml_fields().items():
        inner = model_of(field)
        meaning = _one_line(texts.get(name))
        if inner is None:
            yield f"`{prefix}{name}`", _type(field), _default(field), meaning
        elif inner in _SHARED:
            anchor = _SHARED[inner].lower().replace(" ", "-")
            link = f"[{_SHARED[inner]}](#{anchor})"
            yield f"`{prefix}{name}`", link, _default(field), meaning
        else:
            steps: dict[Any, str] = {dict: ".<name>", tuple: "[]"}
            step = steps.get(get_origin(bare(field.annotation)), "")
            yield f"`{prefix}{name}`", "map" if step == "" else _type(field), _default(field), meaning
            yield from _rows(inner, f"{prefix}{name}{step}.")


def _remarks(model: type[Model], prefix: str) -> Iterator[tuple[str, str, str]]:
    for key, text in {**model.also_accepted, **model.unsupported}.items():
        yield prefix, key, text
    for name, field in model.yaml_fields().items():
        inner = model_of(field)
        if inner is not None and inner not in _SHARED:
            yield from _remarks(inner, f"{prefix}{name}.")


_TYPES: Final = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true, false",
    Endpoint: "endpoint",
    Secret: "text",
}


def _type(field: FieldInfo) -> str:
    if _is_duration(field):
        return "duration"
    return _type_of(field.annotation)


def _type_of(annotation: Any) -> str:
    annotation = bare(annotation)
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{choice}`" if choice else '`""`' for choice in get_args(annotation))
    if get_origin(annotation) is tuple:
        return f"list of {_type_of(get_args(annotation)[0])}"
    if get_origin(annotation) is dict:
        return f"map of {_type_of(get_args(annotation)[1])}"
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return "maps"
    return _TYPES.get(annotation, "value")


def _is_duration(field: FieldInfo) -> bool:
    return any(getattr(part, "func", None) is format_duration for part in field.metadata)


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, Model) or value is None or value in ({}, ()):
        return ""
    if _is_duration(field):
        return f"`{format_duration(value)}`"
    if isinstance(value, tuple):
        parts = ", ".join(str(part) or '""' for part in value)
        return f"`[{parts}]`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`" if value != "" else '`""`'


def main(directory: Path) -> None:
    """Write all generated pages into a directory."""
    from spanmill.llm.document import manual

    directory.joinpath("configuration.md").write_text(configuration_manual(), encoding="utf-8")
    schema = json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
    directory.joinpath("configuration.schema.json").write_text(schema, encoding="utf-8")
    directory.joinpath("dialects.md").write_text(manual(), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))
