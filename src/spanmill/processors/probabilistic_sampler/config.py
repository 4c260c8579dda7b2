"""Configuration of the probabilistic_sampler processor."""

from collections.abc import Iterator
from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, model_validator

from spanmill.config.base import Misfit, Model, warn
from spanmill.config.values import Flag, Whole, invalid
from spanmill.signal import Signal

Mode = Literal["hash_seed", "proportional", "equalizing"]

_LEAST_PERCENT: Final = 100 / 2**56
_LEAST_HASHED_PERCENT: Final = 100 / 2**14
"""The mode `hash_seed` knows 2^14 different shares."""
_LAST_SEED: Final = 2**32 - 1
_MOST_DIGITS: Final = 14
_LOG_KEYS: Final = ("attribute_source", "from_attribute", "sampling_priority")


def _hash_seed_if_empty(value: object) -> object:
    return "hash_seed" if value == "" else value


class ProbabilisticSamplerProcessorConfig(Model):
    """The Collector's `probabilistic_sampler`: keeps a share of the traces, each as a whole, or of the log records, and
    writes on what is kept how much it counts for: `sample_weight`, and the threshold in `trace_state`."""

    sampling_percentage: Annotated[float, Field(strict=True)]
    """How much to keep, in percent: 15.3 keeps 15.3 of 100 traces. From 100 on everything is kept; with 0 nothing but
    what `sampling.priority` asks to keep."""
    mode: Annotated[Mode, BeforeValidator(_hash_seed_if_empty)] = "hash_seed"
    """`proportional` keeps this share of what arrives, `equalizing` brings everything down to this share of what there
    was before any sampling; both by the randomness of the trace id, so that all stages and SDKs that do so keep the
    same traces. `hash_seed` keeps this share by a hash of its own; what has been sampled by OpenTelemetry's rules
    already is refused there, see `fail_closed`."""
    hash_seed: Whole = 0
    """For the mode `hash_seed`: collectors with the same seed and percentage keep the same traces."""
    fail_closed: Flag = True
    """Drop what cannot be decided: no trace id, a malformed tracestate, a threshold that contradicts the randomness.
    Off: keep it."""
    sampling_precision: Whole = 4
    """Hex digits of the threshold, 1 to 14, leading 0 and f not counted. With 4 the share is exact to 1 in 65,000."""
    attribute_source: Literal["traceID", "record"] = "traceID"
    """Logs only, for the mode `hash_seed`: hash the trace id, and where there is none `from_attribute`; or always the
    latter."""
    from_attribute: str = ""
    """Logs only, for the mode `hash_seed`: the attribute to hash, such as a request id."""
    sampling_priority: str = ""
    """Logs only: an attribute that holds the percentage for its own record, instead of `sampling_percentage`."""

    @model_validator(mode="after")
    def is_in_range(self) -> Self:
        percent, expected = self.sampling_percentage, "0 to 100, for example 15.3"
        if percent < 0:
            raise invalid("the percentage is negative", expected, key="sampling_percentage")
        if 0 < percent < _LEAST_PERCENT:
            hint = "To keep nothing write 0."
            raise invalid("the percentage is too small to sample by", "at least 1.4e-15", hint, "sampling_percentage")
        if not 1 <= self.sampling_precision <= _MOST_DIGITS:
            hint = "14 digits are exact; the default is 4."
            raise invalid("no such precision", f"1 to {_MOST_DIGITS} hex digits", hint, "sampling_precision")
        if self.hash_seed > _LAST_SEED:
            raise invalid("the seed is too large", f"0 to {_LAST_SEED} (32 bits)", key="hash_seed")
        return self

    @model_validator(mode="after")
    def does_what_is_meant(self, info: ValidationInfo) -> Self:
        percent, hashed = self.sampling_percentage, self.mode == "hash_seed"
        if percent == 0:
            warn(info, "sampling_percentage", "0 keeps nothing but what the attribute `sampling.priority` asks to keep")
        if percent > 100:
            warn(info, "sampling_percentage", "it is taken as 100, which keeps everything")
        if hashed and 0 < percent < _LEAST_HASHED_PERCENT:
            message = "mode hash_seed keeps nothing below 0.0062 percent; write `mode: proportional`"
            warn(info, "sampling_percentage", message)
        for key in () if hashed else ("hash_seed", "attribute_source", "from_attribute"):
            if key in self.model_fields_set:
                warn(info, key, f"it has no effect with mode {self.mode}, which samples by the trace id")
        return self

    def misfits(self, signal: Signal) -> Iterator[Misfit]:
        if signal is Signal.TRACES:
            for key in _LOG_KEYS:
                if key in self.model_fields_set:
                    hint = "Spans are sampled by their trace id, and by their attribute `sampling.priority`."
                    yield Misfit((key,), "it is for logs, and has no effect on spans", hint=hint, warning=True)
        elif self.mode == "hash_seed" and self.attribute_source == "record" and not self.from_attribute:
            problem = "no attribute is named, so that no log record can be decided"
            yield Misfit(("attribute_source",), problem, "`from_attribute` beside it, or traceID")
