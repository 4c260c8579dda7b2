"""How components and pipelines are named. Apart from `component.py`, so that reading a configuration stays light."""

from enum import StrEnum
from typing import NamedTuple

from spanmill.signal import Signal


class Kind(StrEnum):
    """The sections of the configuration that hold components; the value is the section's name."""

    RECEIVERS = "receivers"
    PROCESSORS = "processors"
    EXPORTERS = "exporters"
    CONNECTORS = "connectors"
    EXTENSIONS = "extensions"

    @property
    def singular(self) -> str:
        """One component of the kind: `receiver`."""
        return self.value.removesuffix("s")


class ComponentId(NamedTuple):
    """`type` or `type/name`, as written in the configuration."""

    type: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.type}/{self.name}" if self.name else self.type


def follower(processor: ComponentId) -> ComponentId:
    """What the consumer of a processor is called among a journal's consumers; no exporter is of this type."""
    return ComponentId(Kind.PROCESSORS.singular, str(processor))


class PipelineId(NamedTuple):
    """`signal` or `signal/name`, as written in the configuration; behind it, for what a processor makes of a pipeline,
    which part of it: `traces before tail_sampling`."""

    signal: Signal
    name: str = ""
    part: str = ""

    def __str__(self) -> str:
        written = f"{self.signal.value}/{self.name}" if self.name else self.signal.value
        return f"{written} {self.part}" if self.part else written
