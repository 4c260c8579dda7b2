"""How connectors join pipelines: used on both sides, between equal signals, without a circle."""

from spanmill.config.pipelines import Named
from spanmill.config.problems import Problem
from spanmill.config.sections import Defined
from spanmill.names import ComponentId, Kind, PipelineId


def connector_problems(named: Named, defined: Defined) -> list[Problem]:
    """What is wrong with the use of connectors."""
    return _ambiguous(defined) + _one_sided(named, defined) + _circles(named, defined)


def _ambiguous(defined: Defined) -> list[Problem]:
    problems = []
    for component, tree in defined.ids[Kind.CONNECTORS].items():
        for kind in (Kind.RECEIVERS, Kind.EXPORTERS):
            if component in defined.ids[kind]:
                message = f"the {kind.singular} {component} has the same id"
                path = f"connectors.{component}"
                problems.append(Problem(message, path, tree.at_key(), hint="Give one of them a /name."))
    return problems


def _fed_by(named: Named, connector: ComponentId) -> list[PipelineId]:
    return [name for name, pipeline in named.pipelines.items() if connector in pipeline.exporters]


def _feeding(named: Named, connector: ComponentId) -> list[PipelineId]:
    return [name for name, pipeline in named.pipelines.items() if connector in pipeline.receivers]


def _one_sided(named: Named, defined: Defined) -> list[Problem]:
    problems = []
    for connector, tree in defined.ids[Kind.CONNECTORS].items():
        sources, targets = _fed_by(named, connector), _feeding(named, connector)
        path, location = f"connectors.{connector}", tree.at_key()
        if bool(sources) != bool(targets):
            used, missing = ("an exporter", "a receiver") if sources else ("a receiver", "an exporter")
            message = f"the connector is used as {used} only"
            problems.append(Problem(message, path, location, f"it as {missing} of another pipeline too"))
            continue
        for source in sources:
            if all(target.signal is not source.signal for target in targets):
                message = (
                    f"the connector joins pipelines of one signal, and nothing takes {source.signal.value} from it"
                )
                expected = f"a pipeline of {source.signal.value} with {connector} as a receiver"
                problems.append(Problem(message, path, location, expected))
        for target in targets:
            if sources and all(source.signal is not target.signal for source in sources):
                message = f"the connector joins pipelines of one signal, and nothing gives {target.signal.value} to it"
                expected = f"a pipeline of {target.signal.value} with {connector} as an exporter"
                problems.append(Problem(message, path, location, expected))
    return problems


def _circles(named: Named, defined: Defined) -> list[Problem]:
    """Each circle of pipelines once, told at its first pipeline."""
    following = {
        name: [
            target
            for connector in pipeline.exporters
            if connector in defined.ids[Kind.CONNECTORS]
            for target in _feeding(named, connector)
            if target.signal is name.signal
        ]
        for name, pipeline in named.pipelines.items()
    }
    problems = []
    done: set[PipelineId] = set()
    for start in following:
        trail = _circle(start, following, done)
        if trail:
            way = " -> ".join(str(name) for name in trail)
            path = f"service.pipelines.{trail[0]}"
            message = f"the pipelines form a circle: {way}"
            problems.append(Problem(message, path, named.locations[trail[0]], "data to flow one way"))
    return problems


def _circle(
    start: PipelineId, following: dict[PipelineId, list[PipelineId]], done: set[PipelineId]
) -> list[PipelineId]:
    """A way from `start` that meets itself, as the names along it; empty if there is none not yet told."""
    trail: list[PipelineId] = []
    open_ends = [iter([start])]
    while open_ends:
        name = next(open_ends[-1], None)
        if name is None:
            open_ends.pop()
            if trail:
                done.add(trail.pop())
        elif name in trail:
            circle = [*trail[trail.index(name) :], name]
            done.update(trail)
            return circle
        elif name not in done:
            trail.append(name)
            open_ends.append(iter(following[name]))
    return []
