"""One tree to one configuration: every section, every reference, every clash, and all problems at once."""

from collections.abc import Iterator
from itertools import combinations

from spanmill.config.explain import validate_block
from spanmill.config.judging import judging_problems
from spanmill.config.masking import masking_problems
from spanmill.config.models import Configuration, Service, ServiceSection
from spanmill.config.pipelines import Named, read_service
from spanmill.config.problems import Problem, Severity, describe, dotted
from spanmill.config.resources import Claim, listeners, outputs, overlap
from spanmill.config.sections import Defined, read_sections
from spanmill.config.security import security_problems
from spanmill.config.topology import connector_problems
from spanmill.config.tree import Tree
from spanmill.names import Kind


def check(root: Tree) -> tuple[Configuration, list[Problem]]:
    """The configuration, as far as it makes sense, and everything that is wrong with it."""
    defined = read_sections(root)
    section, service_problems = _service_section(root)
    named = read_service(root, defined)
    configuration = _assemble(defined, section, named)
    problems = [
        *defined.problems,
        *service_problems,
        *named.problems,
        *connector_problems(named, defined),
        *_clashes(configuration, root),
        *_uncarried(configuration, root),
        *_misfits(configuration, root),
        *security_problems(configuration, defined, root),
        *masking_problems(configuration, root),
        *judging_problems(configuration, root),
    ]
    return configuration, problems


def _service_section(root: Tree) -> tuple[ServiceSection, list[Problem]]:
    tree = root.child("service")
    if tree is None or tree.value is None:
        return ServiceSection(), []
    section, problems = validate_block(ServiceSection, tree, ("service",))
    return section or ServiceSection(), problems


def _assemble(defined: Defined, section: ServiceSection, named: Named) -> Configuration:
    service = Service(
        pipelines=named.pipelines,
        extensions=named.extensions,
        telemetry=section.telemetry,
        shutdown_timeout=section.shutdown_timeout,
        journal=section.journal,
        intake=section.intake,
    )
    configs = defined.configs
    return Configuration(
        service,
        receivers=configs[Kind.RECEIVERS],
        processors=configs[Kind.PROCESSORS],
        exporters=configs[Kind.EXPORTERS],
        connectors=configs[Kind.CONNECTORS],
        extensions=configs[Kind.EXTENSIONS],
    )


def _clashes(configuration: Configuration, root: Tree) -> Iterator[Problem]:
    """Ports and outputs that two components would take."""
    for (one, first), (other, second) in combinations(listeners(configuration), 2):
        one_page = one.shares_page and other.shares_page and one.path[0] != other.path[0]
        if overlap(first, second) and not one_page:
            what = f"the port {second.port}" if second.port else f"the socket {second.socket}"
            yield _clash(f"{what} is taken already by the {_named(one)}", other, root)
    for (one, first_output), (other, second_output) in combinations(outputs(configuration), 2):
        if first_output == second_output:
            yield _clash(f"{second_output} is written already by the {_named(one)}", other, root)


def _named(claim: Claim) -> str:
    return claim.owner.removeprefix("the ")


def _clash(message: str, claim: Claim, root: Tree) -> Problem:
    tree = root.nearest(claim.path)
    return Problem(
        message, dotted(claim.path), tree.at_key(), "each its own", describe(tree.value) if tree.text else ""
    )


def _uncarried(configuration: Configuration, root: Tree) -> Iterator[Problem]:
    """An otlp_http exporter without a URL for a signal that a pipeline gives it."""
    for pipeline_id, pipeline in configuration.service.pipelines.items():
        for component in pipeline.exporters:
            config = configuration.exporters.get(component)
            if config is None or not hasattr(config, "url") or config.url(pipeline_id.signal) is not None:
                continue
            path = ("exporters", str(component))
            message = f"there is no endpoint for {pipeline_id.signal.value}, which pipeline {pipeline_id} sends"
            expected = f"`endpoint` or `{pipeline_id.signal.value}_endpoint`"
            yield Problem(message, dotted(path), root.nearest(path).at_key(), expected, severity=Severity.ERROR)


def _misfits(configuration: Configuration, root: Tree) -> list[Problem]:
    """What processors and exporters cannot do in the pipelines that use them; once, however many these are."""
    problems: dict[Problem, None] = {}
    for pipeline_id, pipeline in configuration.service.pipelines.items():
        used = [("processors", each, configuration.processors.get(each)) for each in pipeline.processors]
        used += [("exporters", each, configuration.exporters.get(each)) for each in pipeline.exporters]
        for section, component, config in used:
            for misfit in () if config is None else config.misfits(pipeline_id.signal):
                path = (section, str(component), *misfit.path)
                tree = root.nearest(path)
                found = describe(tree.value) if tree.text else ""
                severity = Severity.WARNING if misfit.warning else Severity.ERROR
                where = dotted(path), tree.at_key()
                problems[Problem(misfit.problem, *where, misfit.expected, found, misfit.hint, severity)] = None
    return list(problems)
