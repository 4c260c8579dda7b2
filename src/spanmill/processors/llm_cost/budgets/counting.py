"""From a batch to what its calls cost, by label, value and quarter of an hour. Vectorised; knows no clock."""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.batch import Batch
from spanmill.llm.models import models_of
from spanmill.llm.prices.money import nano_of
from spanmill.periods import SLOT_SECONDS
from spanmill.processors.llm_cost.budgets.config import MODEL

BILLION: Final = 10**9
OVERALL: Final = ""
"""The label of the sum of everything."""
_LONGEST_VALUE: Final = 200
"""Characters of a value. More are cut off: a sum for each prompt is nobody's budget."""
_HEAVIEST: Final = 1e9
"""Most spans that one may stand for."""
_MOST: Final = 9e18
_EXACT = pa.decimal128(38, 0)
"""What sums are made in: no number of calls and no price makes them overflow."""


class Scope(NamedTuple):
    """What a sum is of: the calls of which a column has a value."""

    label: str
    """The column; `OVERALL` for all calls."""
    value: str
    """Empty where the column is null, and for `OVERALL`."""


class Amount(NamedTuple):
    """What calls cost, exactly."""

    nano_usd: int
    """Billionths of a USD."""
    unpriced: int
    """Calls whose price is not known, in billionths of a call: one may stand for one and a half."""

    def plus(self, other: "Amount") -> "Amount":
        return Amount(self.nano_usd + other.nano_usd, self.unpriced + other.unpriced)


class Spending(NamedTuple):
    """What the calls of one scope cost that began in one quarter of an hour."""

    scope: Scope
    slot: int
    """Quarters of an hour since 1970."""
    calls: int
    amount: Amount


class Calls(NamedTuple):
    """The calls of a batch, a row for each."""

    slots: np.ndarray
    """int64, quarters of an hour since 1970; that of now where the time is not known."""
    amounts: dict[str, pa.Array]
    """The fields of `Amount`, decimal."""
    batch: Batch
    rows: pa.BooleanArray
    """Those of the batch that are calls."""


def calls_of(batch: Batch, now: float) -> Calls | None:
    """The calls of models in a batch of spans; None when there are none. `now`: seconds since 1970."""
    rows = batch.column("is_llm_call").fill_null(False)
    if not rows.true_count:
        return None
    cost = batch.column("cost_usd").filter(rows)
    weight = _weights(batch.column("sample_weight").filter(rows))
    priced = cost.is_valid().to_numpy(zero_copy_only=False)
    missing = _missing(batch, rows) & ~priced
    amounts = {"nano_usd": _weighted(nano_of(cost), weight), "unpriced": _weighted(missing * np.int64(BILLION), weight)}
    began = batch.column("start_time").filter(rows).cast(pa.int64()).fill_null(int(now * BILLION))
    slots = began.to_numpy() // (SLOT_SECONDS * BILLION)
    return Calls(slots, {name: pa.array(values).cast(_EXACT) for name, values in amounts.items()}, batch, rows)


def spendings(calls: Calls, labels: Iterable[str], first_slot: int, last_slot: int) -> Iterator[Spending]:
    """What the calls cost that began between two slots, both included, for each label and value."""
    inside = pa.array((calls.slots >= first_slot) & (calls.slots <= last_slot))
    known = {"slot": pa.array(calls.slots), **calls.amounts}
    for label in labels:
        codes, values = _values(calls, label)
        rows = pa.table({"value": codes, **known}).filter(inside)
        sums = rows.group_by(["value", "slot"], use_threads=False).aggregate(
            [("slot", "count"), ("nano_usd", "sum"), ("unpriced", "sum")]
        )
        columns = ("value", "slot", "slot_count", "nano_usd_sum", "unpriced_sum")
        for code, slot, count, nano_usd, unpriced in zip(*(sums[name].to_pylist() for name in columns), strict=True):
            yield Spending(Scope(label, values[code]), slot, count, Amount(int(nano_usd), int(unpriced)))


def _values(calls: Calls, label: str) -> tuple[pa.Array, list[str]]:
    """For each call the number of its value, and the values by number."""
    if label == OVERALL:
        return pa.array(np.zeros(len(calls.slots), dtype=np.int32)), [""]
    column = models_of(calls.batch) if label == MODEL else calls.batch.column(label)
    encoded = column.filter(calls.rows).fill_null("").dictionary_encode()
    return encoded.indices, pc.utf8_slice_codeunits(encoded.dictionary, 0, _LONGEST_VALUE).to_pylist()


def _missing(batch: Batch, rows: pa.BooleanArray) -> np.ndarray:
    """Calls that should have had a price: those that failed before any token was counted cost nothing."""
    failed = pc.equal(batch.column("status_code"), "error").filter(rows).fill_null(False)
    counted = batch.column("total_tokens").is_valid().filter(rows)
    missing: np.ndarray = pc.or_(counted, pc.invert(failed)).to_numpy(zero_copy_only=False)
    return missing


def _weights(weight: pa.DoubleArray) -> np.ndarray | None:
    """How many spans each stands for; None when each stands for itself."""
    if weight.null_count == len(weight):
        return None
    numbers = weight.fill_null(1.0).to_numpy()
    return np.where(np.isfinite(numbers) & (numbers >= 0), np.minimum(numbers, _HEAVIEST), 1.0)


def _weighted(numbers: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    """Each number as often as its span counts, rounded to a whole one: the same in whatever batch it comes."""
    if weight is None:
        return numbers
    products: np.ndarray = np.clip(np.rint(numbers * weight), -_MOST, _MOST)
    return products.astype(np.int64)
