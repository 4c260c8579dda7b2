"""The shape of the whole configuration: the `service` section as written, and what reading it gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from spanmill.config.base import Model
from spanmill.config.problems import Problem
from spanmill.config.telemetry import Telemetry
from spanmill.config.values import Duration, Flag, Positive, Whole
from spanmill.names import ComponentId, Kind, PipelineId

Reference = Annotated[str, Field(min_length=1)]


class PipelineSection(Model):
    """One pipeline as written: ids of components."""

    receivers: tuple[Reference, ...] = ()
    """Where data comes from; connectors may stand here."""
    processors: tuple[Reference, ...] = ()
    """What happens to it, in order."""
    exporters: tuple[Reference, ...] = ()
    """Where it goes; every one gets everything. Connectors may stand here."""
    allow_unmasked: Flag = False
    """This pipeline may write what another one masks with `pii_masking`. Not in the Collector."""


class Journal(Model):
    """Where what has been accepted waits for exporters: for each pipeline a journal of its own, on disk."""

    enabled: Flag = True
    """Off: what waits is held in memory, and is gone with the process."""
    directory: Annotated[str, Field(min_length=1)] = "data/journal"
    """Where the journals are; made if it is not there. One collector for each directory."""
    max_size_mib: Positive | None = None
    """Most that waits in each pipeline, in MiB; beyond it senders are told to try again later. By default 2048 on disk
    and 256 in memory."""
    fsync: Literal["always", "interval", "never"] = "always"
    """When a sender is told that its data is safe. `always`: once it is on the disk. `interval`: once it is written;
    the disk follows every `fsync_interval`, and a power cut loses what came since. `never`: the disk follows when the
    operating system likes. A crash of the collector alone loses nothing in any of the three."""
    fsync_interval: Duration = 1.0
    """How often the disk follows when `fsync` is `interval`."""
    segment_size_mib: Positive = 32
    """Size of the files of a journal, in MiB; the space of each is taken before it is used."""
    min_free_disk_mib: Whole = 256
    """Senders are told to try again later rather than leave less than this free on the disk, in MiB."""
    dedup_window: Duration = 600.0
    """A request sent again within this time, byte for byte, is answered as accepted and stored once; 0: never."""
    dead_letters_max_size_mib: Whole = 256
    """Most that is kept of what exporters refused for good, in MiB; the oldest goes first. 0: nothing is kept."""

    @property
    def max_bytes(self) -> int:
        """Most bytes that wait in each pipeline."""
        return (self.max_size_mib or (2048 if self.enabled else 256)) * 1024 * 1024


class IntakeLimits(Model):
    """How requests are gathered and how many bytes may be under way."""

    max_batch_bytes: Positive = 16 * 1024 * 1024
    """Most bytes of requests that are worked on as one batch."""
    max_in_flight_mib: Positive = 128
    """Most bytes of requests that were received and not yet answered, in MiB. Beyond it senders must try later, those
    first that hold most of it; requests that take much memory to decode count for more than their bytes."""
    max_memory_percentage: Annotated[int, Field(strict=True, ge=0, le=100)] = 90
    """Senders must try later while the process holds more than this share of the memory that its container or control
    group may have, whether or not a pipeline has a `memory_limiter`. 0, or no such limit: no bound."""


class ServiceSection(Model):
    """The `service` section: what runs, and how the daemon behaves."""

    extensions: tuple[Reference, ...] = ()
    """Ids of the extensions that run."""
    pipelines: dict[str, PipelineSection] = Field(default_factory=dict)
    """Pipelines, named `signal` or `signal/name`, where the signal is traces, metrics or logs."""
    telemetry: Telemetry = Telemetry()
    """The daemon's own log and metrics."""
    shutdown_timeout: Duration = 30.0
    """How long the daemon may take to deliver what it holds after SIGTERM or SIGINT."""
    journal: Journal = Journal()
    """What has been accepted and waits for exporters."""
    intake: IntakeLimits = IntakeLimits()
    """How requests are gathered."""

    @model_validator(mode="before")
    @classmethod
    def null_pipelines(cls, data: Any) -> Any:
        """A pipeline without a body is empty, and is told so later, with its name."""
        if isinstance(data, dict) and isinstance(data.get("pipelines"), dict):
            return {**data, "pipelines": {key: value or {} for key, value in data["pipelines"].items()}}
        return data


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One checked pipeline: every id is defined and supports the signal."""

    receivers: tuple[ComponentId, ...]
    processors: tuple[ComponentId, ...]
    exporters: tuple[ComponentId, ...]
    allow_unmasked: bool = False


@dataclass(frozen=True, slots=True)
class Service:
    """The checked `service` section."""

    pipelines: Mapping[PipelineId, Pipeline] = field(default_factory=dict)
    extensions: tuple[ComponentId, ...] = ()
    telemetry: Telemetry = field(default_factory=Telemetry)
    shutdown_timeout: float = 30.0
    """Seconds."""
    journal: Journal = field(default_factory=Journal)
    intake: IntakeLimits = field(default_factory=IntakeLimits)


@dataclass(frozen=True, slots=True)
class Configuration:
    """A whole, checked configuration. Ids are as written; `registry.component_type` knows the aliases."""

    service: Service
    receivers: Mapping[ComponentId, Model] = field(default_factory=dict)
    processors: Mapping[ComponentId, Model] = field(default_factory=dict)
    exporters: Mapping[ComponentId, Model] = field(default_factory=dict)
    connectors: Mapping[ComponentId, Model] = field(default_factory=dict)
    extensions: Mapping[ComponentId, Model] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()

    def components(self, kind: Kind) -> Mapping[ComponentId, Model]:
        """The configurations of one kind, used or not."""
        section: Mapping[ComponentId, Model] = getattr(self, kind.value)
        return section

    def used(self, kind: Kind) -> Mapping[ComponentId, Model]:
        """Those that the service names; nobody builds the others."""
        pipelines = self.service.pipelines.values()
        sources = {component for pipeline in pipelines for component in pipeline.receivers}
        targets = {component for pipeline in pipelines for component in pipeline.exporters}
        named = {
            Kind.RECEIVERS: sources,
            Kind.PROCESSORS: {component for pipeline in pipelines for component in pipeline.processors},
            Kind.EXPORTERS: targets,
            Kind.CONNECTORS: sources | targets,
            Kind.EXTENSIONS: set(self.service.extensions),
        }[kind]
        return {component: config for component, config in self.components(kind).items() if component in named}
