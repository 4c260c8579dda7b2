"""The contracts between the engine and its components.

A component is built from its configuration and its `Settings`, started once, stopped once, never restarted. Building
does no work and touches nothing outside: ports, files and threads begin in `start`.

Order: `start` runs against the flow (exporters first, receivers last), `stop` with the flow, so that each component
drains into a neighbour that is alive. `stop` is safe twice and safe without `start`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

from spanmill.admission import Admission
from spanmill.batch import Batch
from spanmill.journal import HANDED_BYTES, Journal, Reader
from spanmill.names import ComponentId, Kind, PipelineId
from spanmill.signal import Signal
from spanmill.telemetry.logs import Log
from spanmill.telemetry.metrics import Metrics
from spanmill.telemetry.pages import Pages
from spanmill.utilization import Utilization


@dataclass(frozen=True, slots=True)
class Settings:
    """What the engine hands to every component beside its configuration."""

    kind: Kind
    id: ComponentId
    log: Log
    metrics: Metrics
    signal: Signal | None = None
    """Of the pipeline, for processors: each pipeline has its own. None for components that serve several signals."""
    state_directory: Path = Path("data/journal")
    """That of the journals, below which a component may keep what is to outlive the process. Nobody has made it yet."""
    shared: dict[str, Any] = field(default_factory=dict)
    """One for all that is built from the same section of the configuration, a processor in several pipelines above
    all: what they tell each other."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one request: `accepted` items are held by every journal, `rejected` ones never will be."""

    accepted: int
    rejected: int = 0
    reason: str = ""
    """Why items were rejected, for the sender; empty when none were."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent a request. Fairness goes by the name."""

    name: str
    """What it authenticated as, or else the address it came from without the port."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Put on the resource of everything it sends, over what it says itself."""


class Intake(Protocol):
    """Where a receiver hands in what it received, one for each signal."""

    async def submit(
        self, payload: bytes, transport: str, sender: Sender, weight: int = 0, *, sent_as: bytes = b""
    ) -> Outcome:
        """Take one serialized `Export<Signal>ServiceRequest`; return when it is safe to acknowledge it.

        `transport` (`grpc`, `http`) is a label of the receiver's metrics. `weight` is what the request counts for in a
        batch (see `otlp.weight`), in bytes, where that is more than it has. The same bytes from the same sender, sent
        again within `dedup_window`, are answered as accepted and stored once. `sent_as`: the bytes that this goes by
        where the payload was made of them and another would be made the next time.
        Raises `Busy` (answer: retry later) or `Rejected` (answer: never); the sender still owns the data in both cases.
        """


class Host(Protocol):
    """What a running component may ask of the engine."""

    admission: Admission
    """Receivers hold the bytes of a request here before they read it, and until they have answered."""
    utilization: Utilization
    """How busy the way in is; what can wait gives way."""
    pages: Pages
    """Where metrics are served; exporters and the daemon itself may share a page."""

    def intake(self, signal: Signal) -> Intake | None:
        """The intake behind the asking receiver for this signal; None when it is in no pipeline of that signal."""

    def report_fatal(self, error: BaseException) -> None:
        """A background part of the component died: the daemon drains, stops and exits non-zero."""

    def status(self) -> "Status":
        """How the daemon is, for health endpoints."""

    def extension(self, component: ComponentId) -> Any:
        """A started extension. Raises `KeyError`; validation makes sure that this does not happen."""


@dataclass(frozen=True, slots=True)
class Status:
    """A health report that does not lie: `ready` is false whenever a sender would be refused or nothing gets out."""

    ready: bool
    reasons: tuple[str, ...] = ()
    """Why not ready, one sentence each."""
    uptime_seconds: float = 0.0
    components: Mapping[str, str] = field(default_factory=dict)
    """`kind/id` to `starting`, `ok`, `failing: <reason>`, `stopping` or `stopped`."""


class Receiver(Protocol):
    """Listens; hands payloads to the intake; turns the outcome into its protocol's answer."""

    async def start(self, host: Host) -> None: ...
    async def stop(self) -> None:
        """Stop listening, answer what was accepted, close every connection."""


class Transform(Protocol):
    """Most processors: a pure function over columns. No I/O, no clock, no state between calls; runs in any thread."""

    def __call__(self, batch: Batch) -> Batch: ...


@dataclass(frozen=True, slots=True)
class BatchPreference:
    """What an exporter likes to be handed at once. The engine gathers journal records until any bound is met."""

    min_items: int = 0
    """Hand over as soon as this many items are gathered; 0 means at once, whatever is there."""
    max_items: int = 0
    """Gather no further once there are as many; 0 is no limit. A single record may hold more."""
    min_bytes: int = 0
    """The same in bytes of Arrow data."""
    max_bytes: int = HANDED_BYTES
    """Gather no further once there are as many bytes."""
    max_age_seconds: float = 0.0
    """Hand over no later than this after the first item was journalled, however few they are."""


class Position(NamedTuple):
    """A range of journal records, both ends included: what a batch handed to an exporter was made of."""

    journal: str
    """The journal's identity; a new one for each memory journal, kept for ever by a disk journal."""
    first: int
    last: int


class Exporter(Protocol):
    """Writes batches somewhere. Retry, queueing, gathering and metrics are the engine's, not the exporter's.

    One `export` is under way at a time for each (exporter, signal), in journal order.
    """

    def preference(self, signal: Signal) -> BatchPreference: ...

    async def start(self, host: Host) -> None: ...

    async def committed(self, journal: str, signal: Signal) -> int | None:
        """The last journal record that the output already holds, or None. Asked once, after `start`.

        Only an exporter that commits its position together with its output can answer; the others return None.
        """

    async def export(self, batch: Batch, position: Position) -> None:
        """Deliver. Returning means done for good: the engine moves the cursor past `position`.

        Raises `Busy` (nothing was delivered, or it may be delivered twice: try again later) or `Rejected` (never; with
        a number of items when the others were delivered).
        """

    async def stop(self) -> None:
        """Flush and close. Nothing is exported afterwards."""


class Outlet(Protocol):
    """Where a processor puts rows that it held, or made."""

    def holds(self, digest: bytes) -> bool:
        """Whether every journal behind has the rows that were put under this digest, as far as it remembers
        (`dedup_window`, in which time without the daemon does not count)."""

    async def put(self, batch: Batch, *digests: bytes) -> None:
        """Take the rows; returning means that every journal behind has them.

        A digest (16 bytes) names them: what a journal has under it already is not taken twice. With several, which
        `holds` knows each of afterwards, all is taken. Raises `Busy` when some journal does not take them now: put the
        same rows under the same digests again, later.
        """


class Inlet(NamedTuple):
    """A journal that one processor alone reads."""

    pipeline: PipelineId
    journal: Journal
    reader: Reader


@runtime_checkable
class Holding(Protocol):
    """A processor that holds rows back until it knows what becomes of them: it cuts its pipeline in two.

    What comes out of the processors before it goes into its inlet's journal, and is acknowledged. What it puts into its
    outlet goes through the processors behind it into the pipeline's own journal, which exporters read. It commits what
    it needs no more, and after a restart finds the rest in the inlet.
    """

    def connect(self, inlet: Inlet, outlet: Outlet) -> None:
        """Called once, before `start`."""

    async def start(self, host: Host) -> None: ...

    async def drain(self) -> None:
        """No more comes in. Let go of what need not wait; of everything when the inlet does not outlive the process."""

    async def stop(self) -> None: ...


@runtime_checkable
class Following(Protocol):
    """A transform that has to see what was kept, each row once, however often a batch is sent again before that.

    The engine hands its `consumer` the pipeline's journal as it does exporters, behind every transform. It is no
    exporter to users: not in reports, not in `otelcol_exporter_*`, without dead letters, and no reason not to be
    ready. One consumer serves all pipelines that the processor stands in. Once the processor has no consumer any more,
    journals forget how far it was.
    """

    consumer: Exporter | None
    """None: it follows nothing."""


@runtime_checkable
class Emitting(Protocol):
    """A consumer (see `Following`) of one pipeline that makes rows of its own."""

    @property
    def trouble(self) -> str:
        """Why it makes none at present, for reports of health; empty while all is well."""

    def connect(self, queue: Inlet, outlets: Mapping[Signal, Outlet]) -> None:
        """Called once, before `start`. `queue` is a journal for its own use, empty at first. An outlet leads to those
        exporters of the pipeline that take its signal; without one there is no outlet. What is put into that of the
        pipeline's own signal, the consumer may be shown too."""

    async def drain(self) -> None:
        """No more comes in: finish what takes no time, and put nothing into outlets afterwards."""


class Extension(Protocol):
    """Runs beside the pipelines: health checks, authentication."""

    async def start(self, host: Host) -> None: ...
    async def stop(self) -> None: ...
