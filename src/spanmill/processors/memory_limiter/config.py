"""Configuration of the memory_limiter processor."""

from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, ValidationInfo, model_validator

from spanmill.config.base import Model, warn
from spanmill.config.values import Duration, Whole, invalid

Percentage = Annotated[int, Field(strict=True, ge=0, le=100)]
_GO_ONLY = (
    "min_gc_interval_when_soft_limited",
    "min_gc_interval_when_hard_limited",
    "max_gc_interval_when_soft_limited",
    "max_gc_interval_when_hard_limited",
    "ballast_size_mib",
)


class MemoryLimiterProcessorConfig(Model):
    """Refuses data, so that senders try again later, while the process uses more memory than it should.

    Above the limit less the spike limit new data of those is refused who sent much lately, above the limit that of
    everybody; senders keep it. Receivers ask before they read a request.
    """

    also_accepted: ClassVar = dict.fromkeys(_GO_ONLY, "ignored: it tunes the garbage collector of Go")

    check_interval: Duration = 1.0
    """How often memory is looked at without a request; with requests that is ten times a second. The Collector insists
    on it; Spanmill warns and takes 1s."""
    limit_mib: Whole = 0
    """Most memory of the process, in MiB. It or `limit_percentage` must be given; this one wins."""
    limit_percentage: Percentage = 0
    """The same as a percentage of the memory of the machine or container."""
    spike_limit_mib: Whole = 0
    """Refuse when less than this is left below the limit, in MiB; 0: a fifth of the limit."""
    spike_limit_percentage: Percentage = 0
    """The same as a percentage of the memory of the machine or container, with `limit_percentage`."""

    @model_validator(mode="before")
    @classmethod
    def check_interval_given(cls, data: Any, info: ValidationInfo) -> Any:
        if not isinstance(data, dict):
            return data
        for key in _GO_ONLY:
            if key in data:
                warn(info, key, f"`{key}` is ignored: it tunes the garbage collector of Go")
        data = {key: value for key, value in data.items() if key not in _GO_ONLY}
        interval = data.get("check_interval")
        if interval is None or interval in (0, "0", "0s"):
            warn(info, "check_interval", "`check_interval` is not set, and the Collector refuses that; 1s is used")
            return {key: value for key, value in data.items() if key != "check_interval"}
        return data

    @model_validator(mode="after")
    def limits_make_sense(self) -> Self:
        if not self.limit_mib and not self.limit_percentage:
            raise invalid("there is no limit", "`limit_mib` or `limit_percentage`")
        if self.limit_mib and self.spike_limit_mib >= self.limit_mib:
            raise invalid(
                "`spike_limit_mib` is not below `limit_mib`", f"less than {self.limit_mib}", key="spike_limit_mib"
            )
        if not self.limit_mib and self.spike_limit_percentage >= self.limit_percentage:
            expected = f"less than {self.limit_percentage}"
            problem = "`spike_limit_percentage` is not below `limit_percentage`"
            raise invalid(problem, expected, key="spike_limit_percentage")
        return self
