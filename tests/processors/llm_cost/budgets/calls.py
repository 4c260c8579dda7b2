"""Calls of models with what they cost, as `llm_cost` leaves them; and what a plain loop makes of them."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from spanmill.batch import Batch
from spanmill.periods import Calendar, Period
from spanmill.processors.llm_cost.budgets.config import Budgets
from spanmill.processors.llm_cost.budgets.counting import Scope
from spanmill.processors.llm_cost.budgets.tally import Tally
from spanmill.schema.llm import LLM_COLUMNS
from tests.data import batch_of, traces

NOW = 1_760_000_000
"""2025-10-09T08:53:20Z in seconds: a Thursday."""
HOUR, DAY = 3600, 86_400

_TYPES = {column.name: column.type for column in LLM_COLUMNS}


@dataclass(frozen=True)
class Call:
    """One span."""

    cost: str | None = "1"
    """USD."""
    at: float = NOW
    """Seconds since 1970."""
    feature: str | None = None
    user: str | None = None
    asked: str | None = "gpt-4o"
    answered: str | None = None
    counts: bool | None = True
    weight: float | None = None
    failed: bool = False
    tokens: int | None = 10


def batch(calls: Sequence[Call]) -> Batch:
    """A span for each."""
    request = traces(len(calls))
    for span, call in zip(request.resource_spans[0].scope_spans[0].spans, calls, strict=True):
        span.start_time_unix_nano = int(call.at * 10**9)
        span.status.code = Status.STATUS_CODE_ERROR if call.failed else Status.STATUS_CODE_UNSET
    made = batch_of(request)
    columns: dict[str, list[Any]] = {
        "is_llm_call": [call.counts for call in calls],
        "cost_usd": [None if call.cost is None else Decimal(call.cost) for call in calls],
        "feature": [call.feature for call in calls],
        "user_id": [call.user for call in calls],
        "request_model": [call.asked for call in calls],
        "response_model": [call.answered for call in calls],
        "total_tokens": [call.tokens for call in calls],
        "sample_weight": [call.weight for call in calls],
    }
    for name, values in columns.items():
        if any(value is not None for value in values):
            made = made.with_record_column(name, pa.array(values, _TYPES[name]))
    return made


def budgets(**written: Any) -> Budgets:
    """As in a configuration."""
    return Budgets.model_validate(written)


_OF: dict[str, Callable[[Call], str]] = {
    "": lambda _: "",
    "feature": lambda call: call.feature or "",
    "user_id": lambda call: call.user or "",
    "model": lambda call: call.asked or call.answered or "unknown",
}


def by_hand(
    calls: Iterable[Call], labels: Iterable[str], calendar: Calendar
) -> Counter[tuple[Scope, Period, int, str]]:
    """What was spent, one call after the other, in billionths; what is nothing is left out."""
    sums: Counter[tuple[Scope, Period, int, str]] = Counter()
    for call in (call for call in calls if call.counts):
        weight = 1.0 if call.weight is None else call.weight
        for label in labels:
            for period in Period:
                key = Scope(label, _OF[label](call)), period, calendar.current(period, call.at)
                if call.cost is not None:
                    nano = int(Decimal(call.cost) * 10**9)
                    sums[*key, "nano_usd"] += nano if weight == 1.0 else round(nano * weight)
                elif call.tokens is not None or not call.failed:
                    sums[*key, "unpriced"] += round(10**9 * weight)
    return Counter({key: amount for key, amount in sums.items() if amount})


def sums_of(tally: Tally) -> Counter[tuple[Scope, Period, int, str]]:
    """What a tally says, in the same form."""
    found: Counter[tuple[Scope, Period, int, str]] = Counter()
    for scope, sums in tally.scopes.items():
        for (period, start), amount in sums.items():
            for name, number in amount._asdict().items():
                if number:
                    found[scope, period, start, name] = number
    return found


COSTS = st.decimals(min_value=0, max_value=900_000, places=9).map(str)
CALLS = st.builds(
    Call,
    cost=st.one_of(st.none(), st.sampled_from(["0", "0.000000001", "0.1"]), COSTS),
    at=st.integers(NOW - 30 * HOUR, NOW + 2 * HOUR),
    feature=st.sampled_from([None, "", "search", "chat", "other"]),
    user=st.sampled_from([None, "ada", "bob", "ü", "ada" * 60]),
    asked=st.sampled_from([None, "gpt-4o"]),
    answered=st.sampled_from([None, "gpt-4o-2024-08-06"]),
    counts=st.sampled_from([True, True, True, False, None]),
    weight=st.sampled_from([None, None, 1.0, 2.5, 1000.0]),
    failed=st.booleans(),
    tokens=st.sampled_from([None, 5]),
)
