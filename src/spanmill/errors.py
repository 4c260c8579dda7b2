"""The errors that cross a component's border: each says who may act on it.

`Busy` and `Rejected` are the only two that a transform, a journal or an exporter raises on purpose. Anything else
that escapes is a defect and is logged with its traceback: in a transform it counts as `Rejected`; an exporter is tried
a few times more before it does.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spanmill.config.problems import Problem


class SpanmillError(Exception):
    """What a user may see: the message stands by itself and is printed without a traceback."""


class ConfigError(SpanmillError):
    """The configuration cannot be used. Holds every problem that was found, not the first."""

    def __init__(self, problems: "Sequence[Problem]") -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problem.render() for problem in self.problems))


def is_defect(error: BaseException) -> bool:
    """Whether an error is one of the code's own: any exception, and the panic of a Rust library, which is not even an
    `Exception` and would end whatever task or thread it meets."""
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


class StartError(SpanmillError):
    """A component could not start (a port in use, a directory not writable). Names the component."""

    def __init__(self, component: str, reason: str) -> None:
        self.component = component
        self.reason = reason
        super().__init__(f"{component}: cannot start: {reason}")


class Busy(SpanmillError):  # noqa: N818 - an event in the pipeline's story, not a fault
    """Not now: keep the data and try again. Receivers answer it as retryable (503, RESOURCE_EXHAUSTED)."""

    def __init__(self, reason: str, retry_after: float = 1.0) -> None:
        self.reason = reason
        self.retry_after = retry_after
        """Seconds to wait before the next attempt."""
        super().__init__(reason)


class Rejected(SpanmillError):  # noqa: N818 - an event in the pipeline's story, not a fault
    """Never: the same data will be refused again. Receivers answer 400 / INVALID_ARGUMENT; exporters' become dead
    letters."""

    def __init__(self, reason: str, items: int | None = None, for_log: str = "") -> None:
        self.reason = reason
        self.for_log = for_log or reason
        """The reason without what it quotes of the data, which may be personal."""
        self.items = items
        """How many items were refused where the others were delivered (OTLP's partial success); None: all."""
        super().__init__(reason)
