"""Configuration of sampling policies: the block of each type. `policy_tree` has the policies that hold them.

Keys and defaults are the Collector's; `usd_limiting` and `first_of` are our own.
"""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, model_validator

from spanmill.config.base import Model, warn
from spanmill.config.values import Flag, Positive, Whole, invalid

Text = Annotated[str, Field(min_length=1)]
Texts = Annotated[tuple[str, ...], Field(min_length=1)]
Usd = Annotated[float, Field(strict=True, gt=0)]
Bound = Annotated[int, Field(strict=True)]


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _bounds_in_order(lowest: float, highest: float, names: tuple[str, str]) -> None:
    """The Collector's way with bounds: 0 is none."""
    if highest and lowest > highest:
        raise invalid(f"`{names[0]}` is above `{names[1]}`: nothing is kept", f"{lowest} or more", key=names[1])


class Latency(Model):
    """Traces that took long: from the earliest start of a span to the latest end."""

    threshold_ms: Whole = 0
    """Keep what took longer, in whole milliseconds."""
    upper_threshold_ms: Whole = 0
    """And no longer than this; 0: no bound."""

    @model_validator(mode="after")
    def has_bounds_in_order(self) -> Self:
        _bounds_in_order(self.threshold_ms, self.upper_threshold_ms, ("threshold_ms", "upper_threshold_ms"))
        return self


class NumericAttribute(Model):
    """Traces in which a span or its resource has a whole number within bounds, which count as within. For numbers with
    a fraction, and for columns, there is `sql`: `max(cost_usd) > 0.5`."""

    key: Text
    """The attribute."""
    min_value: Bound = 0
    """The lowest; 0: no bound, as in the Collector."""
    max_value: Bound = 0
    """The highest; 0: no bound."""
    invert_match: Flag = False
    """Keep those in which no span and no resource has it."""

    @model_validator(mode="after")
    def has_bounds_in_order(self) -> Self:
        if not self.min_value and not self.max_value:
            hint = f"For a bound of 0 use type sql, having: \"max(attributes['{self.key}']::bigint) >= 0\"."
            raise invalid("there is no bound, since 0 means none", "`min_value` or `max_value`", hint)
        if self.min_value:
            _bounds_in_order(self.min_value, self.max_value, ("min_value", "max_value"))
        return self


class StringAttribute(Model):
    """Traces in which a span or its resource has one of some texts as an attribute."""

    also_accepted: ClassVar = {"cache_max_size": "no cache is needed; it has no effect"}

    key: Text
    """The attribute."""
    values: Texts
    """The texts, or regular expressions that are found anywhere in the attribute."""
    enabled_regex_matching: Flag = False
    """Whether `values` are regular expressions (RE2)."""
    invert_match: Flag = False
    """Keep those in which no span and no resource has it."""

    @model_validator(mode="before")
    @classmethod
    def without_cache(cls, data: Any) -> Any:
        return _without(data, "cache_max_size")


class BooleanAttribute(Model):
    """Traces in which a span or its resource has a boolean attribute of some value."""

    key: Text
    """The attribute."""
    value: Flag = False
    """The value."""
    invert_match: Flag = False
    """Keep those in which no span and no resource has it."""


class StatusCodes(Model):
    """Traces in which a span has one of some status codes."""

    status_codes: Annotated[
        tuple[Annotated[Literal["OK", "ERROR", "UNSET"], BeforeValidator(_upper)], ...], Field(min_length=1)
    ]
    """The codes."""


class Probabilistic(Model):
    """A uniform share of the traces, chosen by the randomness of their ids (or `rv` in tracestate): the same ones in
    every policy and every collector with this share."""

    also_accepted: ClassVar = {"hash_salt": "the choice is consistent with tracestate instead; it has no effect"}

    sampling_percentage: Annotated[float, Field(strict=True, ge=0)] = 0
    """Per cent of the traces that arrive; 100 or more: all."""

    @model_validator(mode="before")
    @classmethod
    def without_salt(cls, data: Any, info: ValidationInfo) -> Any:
        if isinstance(data, dict) and data.get("hash_salt"):
            reason = "traces are chosen by the randomness of their ids, so that tracestate can say with what threshold"
            warn(info, "policies", f"`hash_salt` has no effect: {reason}")
        return _without(data, "hash_salt")


class RateLimiting(Model):
    """As many traces as so many spans a second allow."""

    spans_per_second: Positive
    """Spans a second."""
    burst_capacity: Whole = 0
    """Most spans at once after a quiet time. A trace with more spans is never kept by this policy, and sums are too low
    for those with more than a quarter of it: let it hold ten of the larger traces. 0: twice `spans_per_second`."""


class BytesLimiting(Model):
    """As many traces as so many bytes a second allow."""

    bytes_per_second: Positive
    """Bytes of the spans as they are held, a second."""
    burst_capacity: Whole = 0
    """Most bytes at once, as for `rate_limiting`. 0: twice `bytes_per_second`."""


class UsdLimiting(Model):
    """As many traces as so many US dollars an hour allow, by `cost_usd` of their spans: put it behind `llm_cost`. Not
    in the Collector."""

    usd_per_hour: Usd
    """What the calls in the traces that are kept cost, US dollars an hour."""
    burst_usd: Annotated[float, Field(strict=True, ge=0)] = 0
    """Most dollars at once, as for `rate_limiting`. 0: a tenth of `usd_per_hour`."""


class FirstOf(Model):
    """The first traces of each new combination of values, such as the first calls of a new version of a prompt. Each
    counts for itself alone. Not in the Collector."""

    columns: Texts
    """Columns of `spans` with texts, whole numbers or booleans. A trace has every combination that one of its spans
    has; spans in which one of the columns is null have none."""
    traces: Positive = 100
    """How many traces of each combination, in the order in which they are decided. Within an `and` those count that the
    other policies keep, shares and rates aside."""
    max_combinations: Positive = 10_000
    """How many combinations are remembered. Beyond it the one that was not seen for the longest time is forgotten, and
    is new if it comes again."""

    @model_validator(mode="after")
    def names_columns_once(self) -> Self:
        if len(set(self.columns)) < len(self.columns):
            raise invalid("a column is named twice", "each once", key="columns")
        return self


class SpanCount(Model):
    """Traces with so many spans."""

    min_spans: Whole = 0
    """The fewest."""
    max_spans: Whole = 0
    """The most; 0: no bound."""

    @model_validator(mode="after")
    def has_bounds_in_order(self) -> Self:
        _bounds_in_order(self.min_spans, self.max_spans, ("min_spans", "max_spans"))
        return self


class TraceStateMember(Model):
    """Traces in which a span's W3C tracestate has a member with one of some values."""

    key: Text
    """The member."""
    values: Annotated[tuple[Text, ...], Field(min_length=1)]
    """The values."""


class OttlCondition(Model):
    """Traces in which an OTTL condition holds for a span, where SQL means the same; else the error has the SQL."""

    error_mode: Literal["ignore", "silent", "propagate"] = "ignore"
    """Without effect: such conditions have nothing that can fail."""
    span: tuple[Text, ...] = ()
    """Conditions over a span; one that holds is enough."""
    spanevent: tuple[Text, ...] = ()
    """Conditions over a span's events. They are not supported: use `sql`."""

    @model_validator(mode="after")
    def has_a_condition(self) -> Self:
        if not self.span and not self.spanevent:
            raise invalid("there is no condition", "conditions under `span`")
        return self


def _without(data: Any, key: str) -> Any:
    return {name: value for name, value in data.items() if name != key} if isinstance(data, dict) else data
