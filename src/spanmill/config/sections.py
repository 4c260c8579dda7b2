"""The sections that define components: ids, types and bodies, each checked against its model."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from spanmill.absent import instead_of
from spanmill.config.base import Model
from spanmill.config.explain import validate_block
from spanmill.config.problems import Problem, Severity, describe, did_you_mean, dotted, one_of
from spanmill.config.tree import Path, Tree
from spanmill.names import ComponentId, Kind
from spanmill.registry import component_type, component_types, retirement

_TYPE: Final = re.compile(r"[a-zA-Z][0-9a-zA-Z_]{0,62}", re.ASCII)
_LONGEST_NAME: Final = 1024
_SECTIONS: Final = (*(kind.value for kind in Kind), "service")


@dataclass(frozen=True, slots=True)
class Defined:
    """What the sections define. A component with a faulty body is in `ids` but not in `configs`."""

    ids: Mapping[Kind, Mapping[ComponentId, Tree]]
    configs: Mapping[Kind, Mapping[ComponentId, Model]]
    problems: list[Problem] = field(default_factory=list)


def parse_id(text: str) -> ComponentId | None:
    """`type` or `type/name`; None when it is neither."""
    kind, slash, name = (part.strip() for part in text.partition("/"))
    valid = all(unicodedata.category(character)[0] not in "ZCS" or character in "+=<>~^$|`" for character in name)
    if not _TYPE.fullmatch(kind) or (slash and not name) or len(name) > _LONGEST_NAME or not valid:
        return None
    return ComponentId(kind, name)


def read_sections(root: Tree) -> Defined:
    """Check every component that is defined, used or not."""
    problems = _unknown_sections(root)
    ids: dict[Kind, dict[ComponentId, Tree]] = {kind: {} for kind in Kind}
    configs: dict[Kind, dict[ComponentId, Model]] = {kind: {} for kind in Kind}
    for kind in Kind:
        section = root.child(kind.value)
        if section is None or section.value is None:
            continue
        if not isinstance(section.value, dict):
            problems.append(_not_a_map(section, (kind.value,), f"a map of {kind.value} by id"))
            continue
        for text, body in section.value.items():
            component = _read_id(kind, text, body, problems)
            if component is None:
                continue
            ids[kind][component] = body
            config = _read_body(kind, component, text, body, problems)
            if config is not None:
                configs[kind][component] = config
    return Defined(ids, configs, problems)


def _unknown_sections(root: Tree) -> list[Problem]:
    assert isinstance(root.value, dict)
    return [
        Problem(f"unknown section `{key}`", key, child.at_key(), one_of(_SECTIONS), hint=did_you_mean(key, _SECTIONS))
        for key, child in root.value.items()
        if key not in _SECTIONS
    ]


def _not_a_map(tree: Tree, path: Path, expected: str) -> Problem:
    return Problem("wrong type", dotted(path), tree.at_key(), expected, describe(tree.plain()))


def _read_id(kind: Kind, text: str, body: Tree, problems: list[Problem]) -> ComponentId | None:
    component = parse_id(text)
    if component is None:
        expected = "type or type/name, the type of letters, digits and underscores"
        problems.append(Problem("not an id", f"{kind.value}.{text}", body.at_key(), expected, describe(text)))
    return component


def _read_body(kind: Kind, component: ComponentId, text: str, body: Tree, problems: list[Problem]) -> Model | None:
    path = (kind.value, text)
    known = component_type(kind, component.type)
    if known is None:
        problems.append(_unknown_type(kind, component, path, body))
        return None
    sentence = retirement(kind, component.type) or (f"{known.name} is {known.summary}" if known.ignored else "")
    if sentence:
        problems.append(Problem(sentence, dotted(path), body.at_key(), severity=Severity.WARNING))
    if body.broken:
        return None
    config, found = validate_block(known.load_config(), body, path)
    problems += found
    return config


def _unknown_type(kind: Kind, component: ComponentId, path: Path, body: Tree) -> Problem:
    names = [known.name for known in component_types(kind)]
    elsewhere = next((other for other in Kind if other is not kind and component_type(other, component.type)), None)
    hint = instead_of(kind, component.type) or did_you_mean(component.type, names)
    if not hint and elsewhere is not None:
        hint = f"There is {a_or_an(elsewhere.singular)} of this name: it stands under `{elsewhere.value}`."
    message = f"Spanmill has no {kind.singular} of type `{component.type}`"
    return Problem(message, dotted(path), body.at_key(), one_of(names), hint=hint)


def a_or_an(noun: str) -> str:
    """The noun with its article."""
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"
