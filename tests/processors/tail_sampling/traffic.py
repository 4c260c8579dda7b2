"""Simulated LLM traffic, and a tail sampler that decides about it by a clock of its own."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa

from spanmill.batch import Batch
from spanmill.journal import Packed, Record
from spanmill.processors.tail_sampling.deciding import CacheSizes, decide
from spanmill.processors.tail_sampling.held_spans import HeldSpans, take
from spanmill.processors.tail_sampling.policies import Policies
from spanmill.processors.tail_sampling.sampler import Sampler
from spanmill.processors.tail_sampling.waits import Waits, due
from tests.llm.rows import Row, spans

HALF = 1 << 55
"""The threshold of a share of 50 %."""
_FEATURES = ("chat", "search", "agent", "summary", "triage")


@dataclass(frozen=True)
class Traffic:
    """Spans in the order of their arrival."""

    batch: Batch
    traces: np.ndarray
    """For each span the number of its trace."""
    arrivals: np.ndarray
    """In seconds."""
    by_head: np.ndarray
    """For each trace whether a head sampler lets only half of its kind through."""

    def arriving(self, draw: np.random.Generator) -> tuple[Batch, np.ndarray]:
        """The spans with new trace ids, behind the head sampler, and their seconds."""
        count = len(self.by_head)
        ids = draw.integers(0, 2**64, (count, 2), np.uint64)
        passed = ~self.by_head | ((ids[:, 1] & np.uint64((1 << 56) - 1)) >= HALF)
        rows = np.flatnonzero(passed[self.traces])
        texts = pa.array([each.tobytes() for each in ids.astype(">u8")], pa.binary())
        states = pa.array(np.where(self.by_head, "ot=th:8", ""), pa.string())
        batch = take(self.batch, rows)
        columns = {"trace_id": texts, "trace_state": states}
        for name, column in columns.items():
            kind = batch.records.schema.field(name).type
            batch = batch.with_record_column(name, column.take(pa.array(self.traces[rows])).cast(kind))
        return batch, self.arrivals[rows]


def values_of(batch: Batch) -> dict[str, np.ndarray]:
    """What may be counted, an element for each span."""
    number = partial(pa.Array.to_numpy, zero_copy_only=False)
    tokens = number(batch.column("input_tokens").fill_null(0)) + number(batch.column("output_tokens").fill_null(0))
    return {
        "spans": np.ones(len(batch)),
        "tokens": tokens.astype(np.float64),
        "cost": number(batch.column("cost_usd").cast(pa.float64()).fill_null(0.0)),
        "errors": (number(batch.column("status_code")) == "error").astype(np.float64),
    }


def traffic(seed: int, traces: int, seconds: float) -> Traffic:
    """Traces of 1 to 30 spans, of log-normal costs and durations; half of them come through a head sampler."""
    draw = np.random.default_rng(seed)
    lengths = np.minimum(draw.geometric(0.18, traces), 30)
    of_span = np.repeat(np.arange(traces), lengths)
    count = len(of_span)
    begins = draw.random(traces) * seconds
    # The spans of a few traces still come when it is decided.
    arrivals = begins[of_span] + draw.random(count) * np.repeat(draw.exponential(3.0, traces), lengths)
    order = np.argsort(arrivals, kind="stable")
    of_span, arrivals = of_span[order], arrivals[order]
    failed = draw.random(count) < np.where(draw.random(traces) < 0.1, 0.3, 0.005)[of_span]
    features = draw.choice(len(_FEATURES), traces, p=[0.5, 0.3, 0.1, 0.07, 0.03])[of_span]
    versions = (arrivals // (seconds / 4)).astype(int)
    milliseconds = draw.lognormal(6, 1.2, count)
    rows = [
        Row(
            name=f"{_FEATURES[feature]} v{version}", error=bool(error), milliseconds=float(ms),
            attributes={"app.feature": _FEATURES[feature]},
        )
        for feature, version, error, ms in zip(features, versions, failed, milliseconds, strict=True)
    ]  # fmt: skip
    tokens = draw.lognormal(6, 1, (2, count)).astype(np.int64)
    cost = np.round(tokens.sum(axis=0) * 1e-5 * draw.lognormal(0, 1, count), 9)
    batch = spans(*rows)
    batch = batch.with_record_column("cost_usd", pa.array(cost).cast(pa.decimal128(18, 9)))
    batch = batch.with_record_column("input_tokens", pa.array(tokens[0]))
    batch = batch.with_record_column("output_tokens", pa.array(tokens[1]))
    return Traffic(batch, of_span, arrivals, draw.random(traces) < 0.5)


def sampled(policies: Policies, batch: Batch, arrivals: np.ndarray, *, wait: float = 10.0, every: float = 1.0) -> Batch:
    """What is kept of spans that come at these times, with a pass `every` so many seconds."""
    sampler = Sampler(HeldSpans(2**62), list(policies.names), sizes=policies.wants_sizes)
    waits, caches, out, begin = Waits(wait), CacheSizes(10**6, 10**6), [], 0
    last = float(arrivals[-1]) + wait + 2 * every
    for sequence, now in enumerate(np.arange(every, last, every).tolist(), 1):
        end = int(np.searchsorted(arrivals, now, side="right"))
        if end > begin:
            came = Batch(batch.signal, batch.records.slice(begin, end - begin))
            packed = Packed(len(came), came.nbytes, partial(lambda it: it, came), ())
            sampler.take([Record(sequence, now, packed)])
            begin = end
        slots = due(sampler.index, waits, now).slots
        while len(slots) or sampler.late:
            made, _ = decide(sampler, policies, slots, caches, now, np.inf)
            kept = sampler.apply(made, emit=True)
            out += [] if kept is None else [kept]
            slots = slots[len(made.ids) :]
    assert sampler.held.rows == 0
    return Batch.concat(out)


@dataclass(frozen=True)
class Estimate:
    """A sum over everything, as the kept spans have it."""

    value: float
    variance: float
    """Horvitz and Thompson's estimate: of each trace, its sum squared times w * (w - 1)."""


def estimates(kept: Batch) -> dict[str, Estimate]:
    """Weighted sums by trace: all of its spans have the same weight."""
    weights = kept.column("sample_weight").fill_null(1.0).to_numpy()
    ids, of_row = np.unique(np.array(kept.column("trace_id").to_pylist()), return_inverse=True)
    of_trace = np.zeros(len(ids))
    of_trace[of_row] = weights
    assert (of_trace[of_row] == weights).all()
    sums = {name: np.bincount(of_row, each) for name, each in values_of(kept).items()}
    return {name: _estimate(each, of_trace) for name, each in {"traces": np.ones(len(ids)), **sums}.items()}


def _estimate(sums: np.ndarray, weights: np.ndarray) -> Estimate:
    return Estimate(float((sums * weights).sum()), float((sums**2 * weights * (weights - 1)).sum()))


def truth(traffic: Traffic) -> dict[str, float]:
    """The same sums over everything before any sampling."""
    sums = {name: float(each.sum()) for name, each in values_of(traffic.batch).items()}
    return {"traces": float(len(traffic.by_head)), **sums}
