"""Configuration of sampling policies: how they stand within each other.

Only what needs no engine is checked here; `policies.misfits` checks SQL and patterns.
"""

from collections.abc import Iterator
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from spanmill.config.base import Model
from spanmill.config.problems import did_you_mean, one_of
from spanmill.config.values import Positive, invalid
from spanmill.processors.tail_sampling.policy_config import (
    BooleanAttribute,
    BytesLimiting,
    FirstOf,
    Latency,
    NumericAttribute,
    OttlCondition,
    Probabilistic,
    RateLimiting,
    SpanCount,
    StatusCodes,
    StringAttribute,
    Text,
    TraceStateMember,
    UsdLimiting,
)

LIMITS: Final = frozenset({"rate_limiting", "bytes_limiting", "usd_limiting"})
"""Types that keep as much as a rate allows."""
_COUNTING: Final = LIMITS | {"first_of"}
"""Types that keep a trace or not by what they kept before."""
Step = str | int
Type = Literal[
    "always_sample",
    "latency",
    "numeric_attribute",
    "string_attribute",
    "boolean_attribute",
    "status_code",
    "probabilistic",
    "rate_limiting",
    "bytes_limiting",
    "usd_limiting",
    "first_of",
    "span_count",
    "trace_state",
    "trace_flags",
    "ottl_condition",
    "sql",
    "and",
    "not",
]
"""Those of policies that may stand in others."""


class SubPolicy(Model):
    """A policy within another one: as those of the processor, but for `drop` and `composite`. Where one has no name, it
    needs none."""

    name: str = ""
    """What it is called, in a composite policy."""
    type: Type
    """What kind of policy it is, and which block it has."""
    having: Text | None = None
    """Of type `sql`: a condition over the trace in SQL, with aggregates of the columns of `spans`: `bool_or(status_code
    = 'error') or sum(cost_usd) > 0.5`. There are also `root` (a span without parent) for use in aggregates, and
    `span_count`, `trace_duration_ms`, `lowest_score` (0 to 1, of the evaluations that came) and `negative_feedback`.
    Null is false."""
    latency: Latency | None = None
    """By duration of the whole trace."""
    numeric_attribute: NumericAttribute | None = None
    """By a number."""
    string_attribute: StringAttribute | None = None
    """By a text."""
    boolean_attribute: BooleanAttribute | None = None
    """By a boolean."""
    status_code: StatusCodes | None = None
    """By status."""
    probabilistic: Probabilistic | None = None
    """By chance."""
    rate_limiting: RateLimiting | None = None
    """By spans a second."""
    bytes_limiting: BytesLimiting | None = None
    """By bytes a second."""
    usd_limiting: UsdLimiting | None = None
    """By dollars an hour."""
    first_of: FirstOf | None = None
    """By how many of its kind there were."""
    span_count: SpanCount | None = None
    """By number of spans."""
    trace_state: TraceStateMember | None = None
    """By tracestate."""
    ottl_condition: OttlCondition | None = None
    """By OTTL."""
    and_: "AllOf | None" = Field(default=None, alias="and")
    """Of several policies, those that all of them keep."""
    not_: "NotPolicy | None" = Field(default=None, alias="not")
    """What another policy does not keep."""

    @model_validator(mode="after")
    def has_the_block_of_its_type(self) -> Self:
        wanted = "having" if self.type == "sql" else self.type
        blocks = {key for key, field in self.yaml_fields().items() if field.default is None}
        for key in sorted(blocks):
            given = getattr(self, key if hasattr(self, key) else f"{key}_") is not None
            if given and key != wanted:
                raise invalid(f"`{key}` does not belong to a policy of type {self.type}", f"`type: {_type_of(key)}`")
            if not given and key == wanted:
                raise invalid(f"a policy of type {self.type} needs `{key}`", f"`{key}` beside `type`")
        return self

    def members(self) -> Iterator[tuple[tuple[Step, ...], "SubPolicy"]]:
        """The policies within this one, each with its path from here."""
        if self.and_ is not None:
            yield from ((("and", "and_sub_policy", i), each) for i, each in enumerate(self.and_.and_sub_policy))
        if self.not_ is not None:
            yield ("not", "not_sub_policy"), self.not_.not_sub_policy

    def any_of_type(self, types: frozenset[str]) -> str:
        """The first of these types that stands in this policy; empty when none does."""
        if self.type in types:
            return self.type
        return next((found for _, member in self.members() if (found := member.any_of_type(types))), "")


class AllOf(Model):
    """What all of some policies keep. Of a share or a rate, what it keeps of those that the others keep."""

    and_sub_policy: Annotated[tuple[SubPolicy, ...], Field(min_length=1)]
    """The policies."""


class NotPolicy(Model):
    """What a policy does not keep. It must be one that keeps or does not: no share, no rate, no
    `first_of`."""

    not_sub_policy: SubPolicy
    """The policy."""

    @model_validator(mode="after")
    def is_of_a_yes_or_no(self) -> Self:
        found = self.not_sub_policy.any_of_type(_COUNTING | {"probabilistic"})
        if not found:
            return self
        hint = "Put it beside, in an `and` with the `not`."
        if found == "probabilistic":
            share = self.not_sub_policy.probabilistic
            rest = f"{100 - share.sampling_percentage:g}" if share else "the rest"
            hint = f"Write `sampling_percentage: {rest}` without `not`."
        raise invalid(f"`not` cannot hold {found}", "a policy that says yes or no", hint, key="not_sub_policy")


class DropPolicies(Model):
    """What all of some policies keep is dropped, whatever other policies say. With `probabilistic` among them, that
    share of it is."""

    drop_sub_policy: Annotated[tuple[SubPolicy, ...], Field(min_length=1)]
    """The policies."""

    @model_validator(mode="after")
    def has_no_rate(self) -> Self:
        found = next((kind for each in self.drop_sub_policy if (kind := each.any_of_type(LIMITS))), "")
        if found:
            hint = f"Keep what the rate allows: `type: and` with {found} and `not` of the rest."
            problem = f"`drop` cannot hold {found}: it would drop what the rate allows and keep what is above it"
            raise invalid(problem, "policies without a rate", hint, key="drop_sub_policy")
        if any(each.any_of_type(frozenset({"first_of"})) for each in self.drop_sub_policy):
            problem = "`drop` cannot hold first_of: it says what to keep"
            raise invalid(problem, "policies that say yes or no", key="drop_sub_policy")
        return self


class RateAllocation(Model):
    """What one of a composite policy's policies may have of the whole."""

    policy: Text
    """Its name."""
    percent: Annotated[int, Field(strict=True, ge=0, le=100)] = 0
    """Per cent of `max_total_spans_per_second`; 0: as one that has no entry here."""


class CompositePolicies(Model):
    """Several policies, each with its share of a rate of spans. A trace goes to the first of them that may keep it, and
    is dropped when that one's share is used up."""

    max_total_spans_per_second: Positive
    """The whole rate. A second's worth of a policy's share may come at once; a trace with more spans is never kept, and
    sums are too low for those with more than a quarter of that."""
    policy_order: tuple[Text, ...] = ()
    """The names of the policies, in the order in which they are asked. None: as they are written."""
    composite_sub_policy: Annotated[tuple[SubPolicy, ...], Field(min_length=1)]
    """The policies. Each needs a name."""
    rate_allocation: tuple[RateAllocation, ...] = ()
    """The shares. A policy without one has the whole divided by the number of policies, as in the Collector."""

    @model_validator(mode="after")
    def has_policies_with_names(self) -> Self:
        names = [policy.name for policy in self.composite_sub_policy]
        if "" in names:
            raise invalid("a policy has no name", "`name` for each", key="composite_sub_policy")
        if len(set(names)) < len(names):
            raise invalid("two policies have the same name", "each its own", key="composite_sub_policy")
        _check_names("policy_order", self.policy_order, names)
        _check_names("rate_allocation", [share.policy for share in self.rate_allocation], names)
        if missing := [name for name in names if self.policy_order and name not in self.policy_order]:
            raise invalid(
                f"`{missing[0]}` is not in the order, and would never be asked", one_of(names), key="policy_order"
            )
        percent = sum(share.percent for share in self.rate_allocation)
        if percent > 100:
            raise invalid(f"the shares are {percent} % together", "100 or less", key="rate_allocation")
        return self

    @model_validator(mode="after")
    def leaves_something_to_the_last(self) -> Self:
        for policy in self.in_order()[:-1]:
            if policy.type in ("probabilistic", "always_sample", *LIMITS):
                problem = f"`{policy.name}` of type {policy.type} takes every trace: none is left for those behind it"
                raise invalid(problem, "such a policy at the end of the order", key="policy_order")
        return self

    def in_order(self) -> tuple[SubPolicy, ...]:
        """The policies as they are asked."""
        named = {policy.name: policy for policy in self.composite_sub_policy}
        return tuple(named[name] for name in self.policy_order or named)

    def spans_per_second(self, name: str) -> float:
        """What the policy of that name may keep."""
        percent = {share.policy: share.percent for share in self.rate_allocation}.get(name, 0)
        return self.max_total_spans_per_second * (percent / 100 if percent else 1 / len(self.composite_sub_policy))


class Policy(SubPolicy):
    """One of the processor's policies. A trace that any of them keeps is kept, unless a `drop` policy drops it."""

    name: Text
    """What it is called in metrics and in `sampled_by`."""
    type: Literal[Type, "drop", "composite"]  # type: ignore[assignment]
    """What kind of policy it is, and which block it has; `always_sample` and `trace_flags` (a span has the W3C flag
    `sampled`) have none."""
    drop: DropPolicies | None = None
    """What to drop."""
    composite: CompositePolicies | None = None
    """Several policies that share a rate."""

    def members(self) -> Iterator[tuple[tuple[Step, ...], SubPolicy]]:
        yield from super().members()
        if self.drop is not None:
            yield from ((("drop", "drop_sub_policy", i), each) for i, each in enumerate(self.drop.drop_sub_policy))
        if self.composite is not None:
            path = ("composite", "composite_sub_policy")
            yield from (((*path, i), each) for i, each in enumerate(self.composite.composite_sub_policy))


SubPolicy.model_rebuild()
Policy.model_rebuild()


def _check_names(key: str, given: "tuple[str, ...] | list[str]", known: list[str]) -> None:
    for index, name in enumerate(given):
        if name not in known:
            raise invalid(f"there is no policy `{name}` here", one_of(known), did_you_mean(name, known), key=key)
        if name in given[:index]:
            raise invalid(f"`{name}` is named twice", "each once", key=key)


def _type_of(key: str) -> str:
    return "sql" if key == "having" else key
