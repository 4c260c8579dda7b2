"""The `service` section: pipelines and extensions, and whether what they name exists and fits.

Reads the tree and not the model, so that references are checked even where another key of the section is wrong.
"""

from dataclasses import dataclass, field
from typing import Final

from spanmill.absent import instead_of
from spanmill.config.models import Pipeline
from spanmill.config.problems import Problem, Severity, did_you_mean, dotted, one_of
from spanmill.config.sections import Defined, a_or_an, parse_id
from spanmill.config.tree import Location, Path, Tree
from spanmill.names import ComponentId, Kind, PipelineId
from spanmill.registry import component_type, component_types
from spanmill.signal import Signal

_ROLES: Final = {
    "receivers": (Kind.RECEIVERS, Kind.CONNECTORS),
    "processors": (Kind.PROCESSORS,),
    "exporters": (Kind.EXPORTERS, Kind.CONNECTORS),
}
_SIGNALS: Final = tuple(signal.value for signal in Signal)


@dataclass(slots=True)
class Named:
    """What the service names, as far as it makes sense."""

    pipelines: dict[PipelineId, Pipeline] = field(default_factory=dict)
    locations: dict[PipelineId, Location] = field(default_factory=dict)
    extensions: tuple[ComponentId, ...] = ()
    problems: list[Problem] = field(default_factory=list)


def read_service(root: Tree, defined: Defined) -> Named:
    """Resolve every id in `service`."""
    named = Named()
    service = root.child("service")
    if service is None or service.value is None:
        location = service.at_key() if service else root.location
        expected = "`service` with at least one pipeline"
        named.problems.append(Problem("nothing would run", "service", location, expected, "no service"))
        return named
    references = _references(service.child("extensions"), ("service", "extensions"), named.problems)
    resolved = [_resolve(reference, (Kind.EXTENSIONS,), defined, named.problems) for reference in references]
    named.extensions = tuple(component for component in resolved if component is not None)
    pipelines = service.child("pipelines")
    if pipelines is None or not pipelines.value:
        location = (pipelines or service).at_key()
        named.problems.append(Problem("nothing would run", "service.pipelines", location, "at least one pipeline"))
    elif isinstance(pipelines.value, dict):
        for name, tree in pipelines.value.items():
            _read_pipeline(name, tree, defined, named)
    return named


@dataclass(frozen=True, slots=True)
class _Reference:
    """An id as it is written in a list."""

    text: str
    path: Path
    tree: Tree


def _references(tree: Tree | None, path: Path, problems: list[Problem]) -> list[_Reference]:
    """The ids of a list, each once. What is no list of texts or numbers, the model reports."""
    children = tree.value if tree is not None and isinstance(tree.value, list) else []
    references: dict[str, _Reference] = {}
    for index, child in enumerate(children):
        if child.text is None or isinstance(child.value, bool | None):
            continue
        if child.text in references:
            problem = Problem(f"`{child.text}` stands twice in the list", dotted((*path, index)), child.location)
            problems.append(problem)
        else:
            references[child.text] = _Reference(child.text, (*path, index), child)
    return list(references.values())


def _resolve(
    reference: _Reference, kinds: tuple[Kind, ...], defined: Defined, problems: list[Problem]
) -> ComponentId | None:
    component = parse_id(reference.text)
    if component is not None and any(component in defined.ids[kind] for kind in kinds):
        return component
    places = " or ".join(f"`{kind.value}`" for kind in kinds)
    message = f"`{reference.text}` is not defined under {places}"
    hint = _where_else(reference.text, component, kinds, defined)
    problems.append(Problem(message, dotted(reference.path), reference.tree.location, hint=hint))
    return None


def _where_else(text: str, component: ComponentId | None, kinds: tuple[Kind, ...], defined: Defined) -> str:
    """What the user may have meant: a defined id nearly alike, another section, or a definition left out."""
    close = did_you_mean(text, [str(known) for kind in kinds for known in defined.ids[kind]])
    if close:
        return close
    if component is None:
        return ""
    other = next((kind for kind in Kind if kind not in kinds and component in defined.ids[kind]), None)
    if other is not None and component_type(kinds[0], component.type) is None:
        return f"It is {a_or_an(other.singular)}."
    if component_type(kinds[0], component.type) is not None:
        return f"Add `{text}:` under `{kinds[0].value}`."
    types = [known.name for kind in kinds for known in component_types(kind)]
    choices = [str(known) for kind in kinds for known in defined.ids[kind]]
    known_elsewhere = instead_of(kinds[0], component.type) or did_you_mean(component.type, types)
    return known_elsewhere or (f"Defined are {one_of(choices)}." if choices else "")


def _read_pipeline(name: str, tree: Tree, defined: Defined, named: Named) -> None:
    path: Path = ("service", "pipelines", name)
    pipeline_id = _pipeline_id(name)
    if pipeline_id is None:
        signal = name.partition("/")[0]
        message, expected = "not the name of a pipeline", f"{one_of(_SIGNALS)}, with /name behind it if you like"
        close = did_you_mean(signal, _SIGNALS)
        named.problems.append(Problem(message, dotted(path), tree.at_key(), expected, f'"{name}"', close))
    found: dict[str, tuple[ComponentId, ...]] = {}
    for role, kinds in _ROLES.items():
        resolved = []
        references = _references(tree.child(role), (*path, role), named.problems)
        for reference in references:
            component = _resolve(reference, kinds, defined, named.problems)
            if component is not None and pipeline_id is not None:
                _check_signal(component, kinds, pipeline_id.signal, reference, named.problems)
            resolved += [component] if component is not None else []
        found[role] = tuple(resolved)
        if pipeline_id is not None and role != "processors" and _is_empty(tree.child(role)):
            what = f"the pipeline has no {Kind(role).singular}"
            named.problems.append(Problem(what, dotted(path), tree.at_key(), f"`{role}` with at least one id"))
    _check_order(tree.child("processors"), found["processors"], path, named.problems)
    if pipeline_id is not None:
        allow = tree.child("allow_unmasked")
        named.pipelines[pipeline_id] = Pipeline(
            found["receivers"], found["processors"], found["exporters"], allow is not None and allow.value is True
        )
        named.locations[pipeline_id] = tree.at_key()


def _is_empty(tree: Tree | None) -> bool:
    return tree is None or tree.value is None or tree.value == []


def _pipeline_id(text: str) -> PipelineId | None:
    component = parse_id(text)
    if component is None or component.type not in _SIGNALS:
        return None
    return PipelineId(Signal(component.type), component.name)


def _check_signal(
    component: ComponentId, kinds: tuple[Kind, ...], signal: Signal, reference: _Reference, problems: list[Problem]
) -> None:
    known = next((known for kind in kinds if (known := component_type(kind, component.type)) is not None), None)
    if known is None or signal in known.signals:
        return
    takes = one_of(sorted(supported.value for supported in known.signals))
    message = f"the {known.kind.singular} {component} takes {takes} and stands in a pipeline of {signal.value}"
    problems.append(Problem(message, dotted(reference.path), reference.tree.location))


def _check_order(
    written: Tree | None, processors: tuple[ComponentId, ...], path: Path, problems: list[Problem]
) -> None:
    """`memory_limiter` protects only what comes after it."""
    kinds = [component.type for component in processors]
    if written is None or "memory_limiter" not in kinds[1:] or kinds[0] == "memory_limiter":
        return
    message = f"memory_limiter stands after {processors[0]} and cannot protect it"
    problems.append(
        Problem(
            message, dotted((*path, "processors")), written.at_key(), "memory_limiter first", severity=Severity.WARNING
        )
    )
