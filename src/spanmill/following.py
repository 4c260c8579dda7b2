"""Processors that read their pipelines' journals (`component.Following`): their deliveries, one for each pipeline."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import combinations

from spanmill.component import Following
from spanmill.config.models import Configuration
from spanmill.delivery import STORE_RETRY, Delivery
from spanmill.exporter_node import ExporterNode
from spanmill.names import ComponentId, PipelineId, follower
from spanmill.pipeline import MeasuredTransform, Pipeline
from spanmill.telemetry.logs import Log, component_log
from spanmill.telemetry.metrics import Metrics

Followers = dict[ComponentId, ExporterNode]
"""The consumers of processors, by processor: one for all its pipelines, so that what it counts is one number."""


def follow(transforms: Iterable[MeasuredTransform], followers: Followers) -> bool:
    """Whether some of a pipeline's transforms follow its journal. Their consumers are among the followers then; of a
    processor that has one for each of its pipelines, the first."""
    found = False
    for measured in transforms:
        consumer = measured.transform.consumer if isinstance(measured.transform, Following) else None
        if consumer is not None:
            found = True
            if measured.component not in followers:
                followers[measured.component] = ExporterNode(follower(measured.component), consumer, STORE_RETRY)
    return found


def deliveries(
    pipelines: Iterable[Pipeline], followers: Followers, metrics: Metrics, fatal: Callable[[BaseException], None]
) -> Iterator[Delivery]:
    """From each journal to those who follow it.

    What the engine counts of them is on no page: dashboards would take it for what exporters have sent.
    """
    for pipeline in pipelines:
        for measured in pipeline.transforms:
            node = followers.get(measured.component)
            if node is None or pipeline.journal is None:
                continue
            preference = node.exporter.preference(pipeline.identity.signal)
            log = component_log("processor", str(measured.component))
            delivery = Delivery(
                pipeline.identity, pipeline.journal, node, preference, metrics=Metrics(), log=log, fatal=fatal
            )
            reader = pipeline.journal.reader(delivery.consumer)
            metrics.gauge(
                "spanmill_processor_waiting_bytes", partial(getattr, reader, "held_bytes"),
                processor=str(measured.component), pipeline=str(pipeline.identity),
            )  # fmt: skip
            yield delivery


def warn_of_repeats(configuration: Configuration, followers: Iterable[ComponentId], log: Log) -> None:
    """Say which followers are shown the same rows by two of their pipelines."""
    pipelines = configuration.service.pipelines
    for processor in followers:
        where = [identity for identity, section in pipelines.items() if processor in section.processors]
        for one, other in combinations(where, 2):
            if one.signal is other.signal and _sources(one, configuration) & _sources(other, configuration):
                log.warning(
                    "two pipelines show a processor the same data, and it counts all of it twice: give one of them a "
                    "processor of another name",
                    processor=str(processor), pipelines=f"{one}, {other}",
                )  # fmt: skip


def _sources(pipeline: PipelineId, configuration: Configuration) -> frozenset[ComponentId]:
    """The receivers whose data reaches a pipeline, through connectors too. Pipelines form no circle."""
    pipelines = configuration.service.pipelines
    found: set[ComponentId] = set()
    for source in pipelines[pipeline].receivers:
        if source not in configuration.connectors:
            found.add(source)
        for before, section in pipelines.items():
            if source in configuration.connectors and source in section.exporters and before.signal is pipeline.signal:
                found |= _sources(before, configuration)
    return frozenset(found)
