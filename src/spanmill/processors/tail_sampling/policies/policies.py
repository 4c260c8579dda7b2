"""All policies of a processor."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from spanmill.batch import Batch
from spanmill.component import Settings
from spanmill.processors.tail_sampling.config import TailSamplingProcessorConfig
from spanmill.processors.tail_sampling.policies.columns import PublicColumn
from spanmill.processors.tail_sampling.policies.compiling import Compiler
from spanmill.processors.tail_sampling.policies.firsts import FirstOf, combinations
from spanmill.processors.tail_sampling.policies.limits import Limit, Unit
from spanmill.processors.tail_sampling.policies.query import Answers, Query
from spanmill.processors.tail_sampling.policies.rules import Outcome, Pass
from spanmill.processors.tail_sampling.policies.verdicts import Traces, Verdicts


class Policies:
    """The policies of one processor in one pipeline. It holds what its rate limits have left, and what was counted; one
    thread at a time."""

    def __init__(self, config: TailSamplingProcessorConfig, settings: Settings) -> None:
        """Compile. Raises `InvalidCondition`, which validation has ruled out."""
        compiler = Compiler()
        self.names = tuple(policy.name for policy in config.policies)
        self._rules = {i: compiler.rule(p) for i, p in enumerate(config.policies) if p.type != "drop"}
        self._drops = {i: compiler.drop(p) for i, p in enumerate(config.policies) if p.type == "drop"}
        self._query = Query(compiler.matches)
        self._limits: dict[str, Limit] = {limit.name: limit for limit in compiler.limits}
        self._firsts: dict[str, FirstOf] = {first.name: first for first in compiler.firsts}
        self._combined_columns = tuple(dict.fromkeys(first.columns for first in compiler.firsts))
        self._units: frozenset[Unit] = frozenset(limit.unit for limit in compiler.limits)
        self._first_match = config.sample_on_first_match
        self._log, self._told = settings.log, set[int]()
        self.columns = self._query.reads | ({"cost_usd"} if "usd" in self._units else set())
        for names in self._combined_columns:
            self.columns |= frozenset().union(*(PublicColumn(name).reads for name in names))
        """The record columns that rows must have, if they exist at all."""
        self.wants_sizes = "bytes" in self._units
        """Whether `Traces.size` is looked at."""

    def decide(self, rows: Batch, trace_of_row: np.ndarray, traces: Traces, seconds_now: float) -> Verdicts:
        """What becomes of the traces that `rows` are the spans of, `trace_of_row` (int64) says of which.

        `seconds_now`: since 1970, for rate limits. What is kept is taken from them: ask once for each trace, the oldest
        first.
        """
        answers = self._query.ask(rows, trace_of_row, traces)
        floors = {index: rule.drops_below(answers) for index, rule in self._drops.items()}
        floor = np.maximum.reduce([np.zeros(traces.count), *floors.values()])
        combined = {names: combinations(names, rows, trace_of_row) for names in self._combined_columns}
        now = Pass(traces.randomness, answers, self._costs(rows, trace_of_row, traces), seconds_now, combined, floor)
        allowed = traces.randomness >= floor
        outcomes = {index: rule.thresholds(now, allowed) for index, rule in self._rules.items()}
        lowest, policy = self._combined(outcomes, traces)
        threshold = np.maximum(lowest, floor)
        dropped_by = np.full(traces.count, -1, np.int32)
        for index, below in reversed(floors.items()):
            dropped_by[traces.randomness < below] = index
        policy[traces.randomness < threshold] = -1
        return Verdicts(threshold, policy, dropped_by, *self._counts(now, floors, outcomes, allowed))

    def state(self) -> dict[str, Any]:
        """What the limits have left and what was counted, for `restore` after a restart. Fit for JSON."""
        return {**self._left(), **{name: dict(first.counts) for name, first in self._firsts.items() if first.counts}}

    def changes(self) -> dict[str, Any]:
        """The same, but of what was counted only what the last `decide` changed."""
        return {**self._left(), **{name: first.changed for name, first in self._firsts.items() if first.changed}}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from there, or from there with these changes. Limits that there were not then are full; of one that is
        lower now, no more than its burst is left."""
        for name, limit in self._limits.items():
            if name in state:
                held, since, lately = map(float, state[name])
                limit.held = min(limit.burst, held), since, lately
        for name, first in self._firsts.items():
            first.add(state.get(name, {}))

    def _left(self) -> dict[str, Any]:
        return {name: list(limit.held) for name, limit in self._limits.items() if limit.held is not None}

    def _combined(self, outcomes: dict[int, Outcome], traces: Traces) -> tuple[np.ndarray, np.ndarray]:
        """The lowest threshold for each trace, and the policy it is from: the first with it."""
        lowest, policy = np.ones(traces.count), np.full(traces.count, -1, np.int32)
        for index, outcome in outcomes.items():
            named = outcome.threshold < lowest
            if self._first_match:
                named = (policy < 0) & (traces.randomness >= outcome.threshold)
            policy[named] = index
            lowest = np.minimum(lowest, outcome.threshold)
        return lowest, policy

    def _costs(self, rows: Batch, trace_of_row: np.ndarray, traces: Traces) -> dict[Unit, np.ndarray]:
        """What each trace counts for, in the units that limits have."""
        costs: dict[Unit, np.ndarray] = {}
        if "spans" in self._units:
            costs["spans"] = np.bincount(trace_of_row, minlength=traces.count)
        if "bytes" in self._units:
            costs["bytes"] = traces.size
        if "usd" in self._units:
            usd = rows.column("cost_usd").cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False)
            costs["usd"] = np.bincount(trace_of_row, np.maximum(usd, 0.0), traces.count)
        return costs

    def _counts(
        self, now: Pass, floors: dict[int, np.ndarray], outcomes: dict[int, Outcome], allowed: np.ndarray
    ) -> np.ndarray:
        """`matched`, `failed` and `oversized` of the verdicts."""
        counts = np.zeros((3, len(self.names)), np.int64)
        for index, below in floors.items():
            counts[:2, index] = np.count_nonzero(now.randomness < below), self._failed(index, now.answers)
        for index, outcome in outcomes.items():
            matched = np.count_nonzero(allowed & (now.randomness >= outcome.threshold))
            counts[:, index] = matched, self._failed(index, now.answers), outcome.oversized
        return counts

    def _failed(self, index: int, answers: Answers) -> int:
        rule = self._rules.get(index) or self._drops[index]
        failed = int(np.count_nonzero(rule.failed(answers)))
        if failed and index not in self._told:
            self._told.add(index)
            message = "a policy cannot be worked out for some traces, and does not match them; this is said once"
            self._log.warning(message, policy=self.names[index], traces=failed)
        return failed
