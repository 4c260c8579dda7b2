"""What takes more than one component to see of `llm_judge`: that somebody takes its scores, and it has one pipeline."""

from collections.abc import Iterator

from spanmill.config.models import Configuration, Pipeline
from spanmill.config.problems import Problem, dotted
from spanmill.config.tree import Tree
from spanmill.names import ComponentId, Kind
from spanmill.processors.llm_judge.config import LlmJudgeProcessorConfig
from spanmill.registry import component_type
from spanmill.signal import Signal


def judging_problems(configuration: Configuration, root: Tree) -> Iterator[Problem]:
    """Judges that stand in two pipelines, and judges whose scores nobody takes."""
    for component, config in configuration.used(Kind.PROCESSORS).items():
        if not isinstance(config, LlmJudgeProcessorConfig):
            continue
        pipelines = configuration.service.pipelines.items()
        where = [name for name, pipeline in pipelines if component in pipeline.processors]
        for other in where[1:]:
            path = ("service", "pipelines", str(other), "processors")
            problem = f"{component} judges the pipeline {where[0]} already, and a judge has one pipeline"
            hint = f"Define another, such as {component.type}/{other.name or other.signal.value}2, with its own budget."
            yield Problem(problem, dotted(path), root.nearest(path).at_key(), "another llm_judge", hint=hint)
        for name in where:
            if not _takes_scores(configuration, configuration.service.pipelines[name]):
                path = ("service", "pipelines", str(name), "exporters")
                problem = f"nobody takes the scores of {component}, which are log events"
                expected = "an exporter that takes logs, such as duckdb, parquet or otlp_http"
                yield Problem(problem, dotted(path), root.nearest(path).at_key(), expected)


def _takes_scores(configuration: Configuration, pipeline: Pipeline) -> bool:
    return any(_takes_logs(configuration, exporter) for exporter in pipeline.exporters)


def _takes_logs(configuration: Configuration, exporter: ComponentId) -> bool:
    config = configuration.exporters.get(exporter)
    if config is None:  # a connector, or an exporter with problems of its own
        return True
    known = component_type(Kind.EXPORTERS, exporter.type)
    takes = known is not None and Signal.LOGS in known.signals
    return takes and (not hasattr(config, "url") or config.url(Signal.LOGS) is not None)
