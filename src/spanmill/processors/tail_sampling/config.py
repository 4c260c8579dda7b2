"""Configuration of the tail_sampling processor."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from spanmill.config.base import Misfit, Model
from spanmill.config.values import Duration, Flag, Positive, Whole, format_duration, invalid
from spanmill.processors.tail_sampling.policy_tree import Policy
from spanmill.signal import Signal

_OF_GO = {
    "expected_new_traces_per_sec": "it sizes tables in Go; it has no effect",
    "num_shards": "decisions are made for all traces together; it has no effect",
}


class DecisionCache(Model):
    """How many decisions are remembered for spans that come after them, the latest ones, of 100 to 200 bytes each."""

    sampled_cache_size: Whole = 100_000
    """Traces that were kept: what still comes of them is kept too. 0: none, and late spans are a trace of their own."""
    non_sampled_cache_size: Whole = 100_000
    """Traces that were dropped: what still comes of them is dropped too. 0: none."""


class TailSamplingProcessorConfig(Model):
    """Holds spans back until enough of their trace is there, and then keeps the whole trace or drops it, by policies.
    Kept spans say which policy kept them (`sampled_by`) and for how many they stand (`sample_weight`, and the threshold
    in tracestate), so that sums over them can be trusted. All spans of a trace must come to the same collector."""

    also_accepted: ClassVar = _OF_GO
    unsupported: ClassVar = {
        "tail_storage": "not supported: what does not fit into `memory_size_mib` is in the journal, and read back",
    }

    policies: Annotated[tuple[Policy, ...], Field(min_length=1)]
    """Which traces to keep. A trace is kept when any policy keeps it, unless a `drop` policy drops it."""
    decision_wait: Duration = 30.0
    """Decide about a trace so long after its first span."""
    decision_wait_after_root_received: Duration = 0.0
    """Decide earlier, so long after the span without a parent came; 0: wait as for any other trace."""
    decision_wait_after_last_span: Duration = 0.0
    """Wait longer: until no span of the trace has come for so long, as traces of agents go on for minutes or hours.
    `decision_wait` is then the shortest wait. 0: do not. Not in the Collector."""
    decision_wait_limit: Duration = 3600.0
    """Decide so long after the first span even if the trace goes on, with what is there. Not in the Collector."""
    memory_size_mib: Positive = 256
    """Memory for spans that wait. Those that do not fit are left in the journal and read back for the decision. Not in
    the Collector."""
    num_traces: Whole = 0
    """Most traces that wait; when there are more, the oldest are decided early, with what is there. 0: as many as there
    are; the Collector has 50000, and drops the oldest."""
    block_on_overflow: Flag = False
    """With more than `num_traces`, have senders wait instead."""
    maximum_trace_size_bytes: Whole = 0
    """Drop a trace as soon as its spans have more bytes; 0: no bound."""
    decision_cache: DecisionCache = DecisionCache()
    """What is remembered of decisions. In the Collector there is no such memory unless it is asked for."""
    sample_on_first_match: Flag = False
    """Name the first policy in the order written that keeps a trace in `sampled_by`, instead of the one that keeps the
    largest share. It changes no decision."""
    drop_pending_traces_on_shutdown: Flag = False
    """Drop traces that still wait at the end, instead of deciding with what is there. With journals on disk they need
    neither: they wait for the next start."""
    sampling_strategy: Literal["trace-complete"] = "trace-complete"
    """When policies are asked: once, when the trace has waited. The Collector's `span-ingest` is not supported."""

    @model_validator(mode="before")
    @classmethod
    def without_keys_of_go(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        if data.get("sampling_strategy") == "span-ingest":
            hint = "Leave the key out; a short `decision_wait` decides soon."
            raise invalid("spans are not judged one by one", "trace-complete", hint, key="sampling_strategy")
        return {key: value for key, value in data.items() if key not in _OF_GO}

    @model_validator(mode="after")
    def waits_are_in_order(self) -> Self:
        for key in ("decision_wait", "decision_wait_after_root_received", "decision_wait_after_last_span"):
            if getattr(self, key) > self.decision_wait_limit:
                expected = f"{format_duration(getattr(self, key))} or more"
                raise invalid(f"`decision_wait_limit` is below `{key}`", expected, key="decision_wait_limit")
        return self

    @model_validator(mode="after")
    def names_are_distinct(self) -> Self:
        names = [policy.name for policy in self.policies]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise invalid(f"two policies are called `{name}`", "a name of its own for each", key="policies")
        if all(policy.type == "drop" for policy in self.policies):
            hint = "Add {name: rest, type: always_sample}."
            raise invalid("no policy keeps anything, they only drop", "a policy that keeps", hint, key="policies")
        return self

    def misfits(self, signal: Signal) -> Iterator[Misfit]:
        from spanmill.processors.tail_sampling.policies.misfits import misfits

        for index, policy in enumerate(self.policies):
            yield from (each._replace(path=("policies", index, *each.path)) for each in misfits(policy))
