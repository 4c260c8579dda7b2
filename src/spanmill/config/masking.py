"""Whether what one pipeline masks gets out unmasked through another, and whether masking stands where it should."""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from spanmill.config.actions import Action
from spanmill.config.base import Model
from spanmill.config.models import Configuration, Pipeline
from spanmill.config.problems import Problem, Severity, dotted
from spanmill.config.tree import Tree
from spanmill.names import ComponentId, Kind, PipelineId
from spanmill.processors.attributes.config import AttributesProcessorConfig
from spanmill.processors.filter.config import FilterProcessorConfig
from spanmill.processors.gen_ai_normalizer.config import GenAiNormalizerProcessorConfig
from spanmill.processors.llm_cost.config import LlmCostProcessorConfig
from spanmill.processors.pii_masking.config import PiiMaskingProcessorConfig
from spanmill.processors.resource.config import ResourceProcessorConfig
from spanmill.processors.tail_sampling.config import TailSamplingProcessorConfig
from spanmill.signal import Signal

_MANUAL: Final = "See docs/pii.md."


def masking_problems(configuration: Configuration, root: Tree) -> Iterator[Problem]:
    """Errors about pipelines that let out unmasked what another one masks; warnings about order and forgotten
    signals."""
    if not any(_masks(config) for config in configuration.used(Kind.PROCESSORS).values()):
        return
    yield from _problems_of_order(configuration, root)
    problems: dict[Problem, None] = {}
    for receiver in configuration.used(Kind.RECEIVERS):
        flows = {signal: _Flow.of(configuration, receiver, signal) for signal in Signal}
        for signal, flow in flows.items():
            problems |= dict.fromkeys(_let_out(signal, flow, flows, receiver, root))
    yield from problems


class _Flow(NamedTuple):
    """Where the data of one signal go that one receiver takes."""

    masking: tuple[PipelineId, ...]
    """Pipelines that mask them."""
    open: tuple[PipelineId, ...]
    """Pipelines that let them out, to a disk or to others, without anybody having masked them."""

    @classmethod
    def of(cls, configuration: Configuration, receiver: ComponentId, signal: Signal) -> "_Flow":
        pipelines = {name: body for name, body in configuration.service.pipelines.items() if name.signal is signal}
        waiting = [(name, False) for name, body in pipelines.items() if receiver in body.receivers]
        seen: dict[tuple[PipelineId, bool], None] = {}
        while waiting:
            name, masked = step = waiting.pop(0)
            if step in seen:
                continue
            seen[step] = None
            after = masked or _has_masking(configuration, pipelines[name])
            connectors = {each for each in pipelines[name].exporters if each in configuration.connectors}
            waiting += [(other, after) for other, body in pipelines.items() if connectors & set(body.receivers)]
        masking = {name: None for name, _ in seen if _has_masking(configuration, pipelines[name])}
        unmasked = [name for name, masked in seen if not masked and name not in masking]
        return cls(tuple(masking), tuple(name for name in unmasked if _lets_out(configuration, pipelines[name])))


def _masks(config: Model | None) -> bool:
    return isinstance(config, PiiMaskingProcessorConfig) and config.masks


def _has_masking(configuration: Configuration, pipeline: Pipeline) -> bool:
    return any(_masks(configuration.processors.get(each)) for each in pipeline.processors)


def _lets_out(configuration: Configuration, pipeline: Pipeline) -> bool:
    """An exporter, before which there is the journal; or a processor that needs a journal too. Connectors write
    nothing."""
    journals = any(_journals(configuration.processors.get(each)) for each in pipeline.processors)
    writes = journals or any(each not in configuration.connectors for each in pipeline.exporters)
    return writes and not pipeline.allow_unmasked


def _journals(config: Model | None) -> bool:
    """Whether a processor has what comes before it written to the journal."""
    has_budgets = isinstance(config, LlmCostProcessorConfig) and config.budgets is not None
    return has_budgets or isinstance(config, TailSamplingProcessorConfig)


def _let_out(
    signal: Signal, flow: _Flow, flows: Mapping[Signal, _Flow], receiver: ComponentId, root: Tree
) -> Iterator[Problem]:
    elsewhere = next((other.masking[0] for other in flows.values() if other.masking), None)
    hint = f"`allow_unmasked: true` says that it is meant. {_MANUAL}"
    for name in flow.open:
        path = ("service", "pipelines", str(name))
        where, location = dotted(path), root.nearest(path).at_key()
        if flow.masking:
            what = f"it lets out unmasked what {flow.masking[0]} masks, and both have it from receiver {receiver}"
            yield Problem(what, where, location, "`pii_masking`, or data from a pipeline that masks", hint=hint)
        elif elsewhere is not None:
            what = f"{signal.value} from receiver {receiver} are not masked, and its {elsewhere.signal.value} are"
            yield Problem(what, where, location, "`pii_masking` here too", hint=hint, severity=Severity.WARNING)


def _problems_of_order(configuration: Configuration, root: Tree) -> Iterator[Problem]:
    for name, pipeline in configuration.service.pipelines.items():
        masking = [each for each in pipeline.processors if _masks(configuration.processors.get(each))]
        if not masking:
            continue
        for each in pipeline.processors[: pipeline.processors.index(masking[0])]:
            config = configuration.processors.get(each)
            reason = _reason_to_stand_behind(config)
            if reason:
                path = ("service", "pipelines", str(name), "processors")
                message = f"{each} stands before {masking[0]}: {reason}"
                expected = f"{masking[0]} first, or behind memory_limiter"
                location = root.nearest(path).at_key()
                severity = Severity.ERROR if isinstance(config, TailSamplingProcessorConfig) else Severity.WARNING
                yield Problem(message, dotted(path), location, expected, hint=_MANUAL, severity=severity)


def _reason_to_stand_behind(config: Model | None) -> str:
    """What happens if a processor sees unmasked data; empty if nothing that matters."""
    if isinstance(config, TailSamplingProcessorConfig):
        return "what it holds is written to the journal unmasked"
    if isinstance(config, LlmCostProcessorConfig):
        return "labels of its metrics, and its log lines, show texts that are not masked yet"
    if isinstance(config, FilterProcessorConfig):
        return "a condition that fails on a value quotes it in the log"
    if isinstance(config, GenAiNormalizerProcessorConfig):
        return "each text is masked twice, in its attribute and in its column"
    actions: tuple[Action, ...] = ()
    if isinstance(config, AttributesProcessorConfig):
        actions = config.actions
    elif isinstance(config, ResourceProcessorConfig):
        actions = config.attributes
    hashes = any(action.action == "hash" for action in actions)
    return "its hashes have no key, and what was hashed is found out by trying" if hashes else ""
