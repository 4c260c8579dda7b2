"""Whole nano-USD: rates as integers, amounts as sums of integers, columns of DECIMAL(18,9)."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

import numpy as np
import pyarrow as pa

from spanmill.llm.prices.tariff import INPUT_KINDS, KINDS, Tariff

USD: Final = pa.decimal128(18, 9)
"""Its unscaled values are nano-USD."""
MOST_TOKENS: Final = 1_000_000_000
"""Of a kind in a call. With so many, parts of nano-USD still add up within 64 bits; nobody's context is near."""
MOST_NANO_USD: Final = 9 * 10**17
"""In a call: 900 million USD, the most that the column holds."""
_BILLION: Final = 10**9
_NO_BOUND: Final = 2**63 - 1

Tokens = Sequence[np.ndarray | None]
"""Counts (int64) of each of `KINDS`, an element for each call; None where no call has any."""


@dataclass(frozen=True, slots=True)
class Rates:
    """A tariff in integers. Arrays have a row for each length of prompt and a column for each of `KINDS`."""

    bounds: np.ndarray
    """int64: row `i` is for prompts of more than `bounds[i - 1]` tokens, up to `bounds[i]`."""
    whole: np.ndarray
    """int64: nano-USD for a token."""
    part: np.ndarray
    """int64: and billionths of a nano-USD."""
    missing: np.ndarray
    """bool: the kind has no price."""
    request: int
    """Nano-USD for a call."""
    per_second: int
    """Nano-USD for a second."""
    by_tokens: bool
    """Whether token counts are needed."""


NO_RATES: Final = Rates(
    bounds=np.zeros(0, np.int64),
    whole=np.zeros((1, len(KINDS)), np.int64),
    part=np.zeros((1, len(KINDS)), np.int64),
    missing=np.zeros((1, len(KINDS)), bool),
    request=0,
    per_second=0,
    by_tokens=True,
)
"""Stands where there is no tariff."""


def rates_of(tariff: Tariff) -> Rates:
    """Exact to a millionth of a millionth of a USD per million tokens."""
    rows = tariff.complete()
    scaled = [[divmod(_integer(price or Decimal(0), 12), _BILLION) for price in row] for row in rows]
    return Rates(
        bounds=np.array([bound for bound, _ in tariff.tiers], dtype=np.int64),
        whole=np.array([[whole for whole, _ in row] for row in scaled], dtype=np.int64),
        part=np.array([[part for _, part in row] for row in scaled], dtype=np.int64),
        missing=np.array([[price is None for price in row] for row in rows]),
        request=min(_integer(tariff.request, 9), 10**18),
        per_second=min(_integer(tariff.per_second, 9), 10**12),
        by_tokens=bool(tariff.prices),
    )


@dataclass(frozen=True, slots=True)
class RateTable:
    """Rates of several tariffs below one another: row `first[i]` is where those of the i-th begin."""

    first: np.ndarray
    bounds: np.ndarray
    """int64: those of the tariffs, as many columns as the one with most has, filled up with the greatest number."""
    whole: np.ndarray
    part: np.ndarray
    missing: np.ndarray
    request: np.ndarray
    per_second: np.ndarray
    by_tokens: np.ndarray
    has_part: np.ndarray
    """For each of `KINDS`, whether any price has parts of a nano-USD."""
    has_missing: np.ndarray
    """For each of `KINDS`, whether it has no price anywhere."""
    has_request: bool
    has_per_second: bool
    highest: int
    """Nano-USD of the dearest token."""

    @staticmethod
    def of(rates: Sequence[Rates]) -> "RateTable":
        lengths = np.fromiter((len(each.whole) for each in rates), np.int64, len(rates))
        bounds = np.full((len(rates), max(len(each.bounds) for each in rates)), _NO_BOUND, dtype=np.int64)
        for number, each in enumerate(rates):
            bounds[number, : len(each.bounds)] = each.bounds
        whole, part, missing = (
            np.concatenate([getattr(each, name) for each in rates]) for name in ("whole", "part", "missing")
        )
        return RateTable(
            first=np.cumsum(lengths) - lengths,
            bounds=bounds,
            whole=whole,
            part=part,
            missing=missing,
            request=np.array([each.request for each in rates], dtype=np.int64),
            per_second=np.array([each.per_second for each in rates], dtype=np.int64),
            by_tokens=np.array([each.by_tokens for each in rates], dtype=bool),
            has_part=np.asarray(part.any(axis=0)),
            has_missing=np.asarray(missing.any(axis=0)),
            has_request=any(each.request for each in rates),
            has_per_second=any(each.per_second for each in rates),
            highest=int(whole.max()) + 1,
        )

    def rows(self, tariff: np.ndarray, input_tokens: np.ndarray) -> np.ndarray:
        """The row of rates for calls of these tariffs, by the length of their prompts."""
        rows = self.first[tariff]
        for column in range(self.bounds.shape[1]):
            rows += input_tokens > self.bounds[tariff, column]
        return np.asarray(rows)

    def lacks_price(self, rows: np.ndarray, tokens: Tokens) -> np.ndarray | None:
        """Where tokens of a kind were used that has no price; None: nowhere."""
        lacks = None
        for kind, count in enumerate(tokens):
            if count is not None and self.has_missing[kind]:
                here = self.missing[rows, kind] & (count > 0)
                lacks = here if lacks is None else lacks | here
        return lacks if lacks is not None and lacks.any() else None


@dataclass(frozen=True, slots=True)
class Amounts:
    """Nano-USD for each call (int64)."""

    input: np.ndarray
    output: np.ndarray
    total: np.ndarray
    """Input, output and what is paid for the call and its seconds."""
    in_range: np.ndarray | None
    """bool; elsewhere the numbers mean nothing. None: everywhere."""


def amounts(
    table: RateTable, tariff: np.ndarray, row: np.ndarray, tokens: Tokens, microseconds: np.ndarray | None
) -> Amounts:
    """What calls cost: `row` is the row of rates of each call and `tariff` the tariff it belongs to; `microseconds`
    (int64) is how long it took, None where no seconds are paid for. Rounds to the nearest nano-USD.
    """
    input_ = _side(table, row, tokens, range(len(INPUT_KINDS)))
    output = _side(table, row, tokens, range(len(INPUT_KINDS), len(KINDS)))
    total = input_ + output
    if table.has_request:
        total += table.request[tariff]
    if microseconds is not None:
        per_second = table.per_second[tariff]
        seconds, rest = np.divmod(microseconds, 10**6)
        total += seconds * per_second + rest * per_second // 10**6
    is_plain = microseconds is None and not table.has_request and _are_small(table, tokens)
    in_range = None if is_plain else _in_range(table, tariff, row, tokens, microseconds)
    return Amounts(input_, output, total, in_range)


def _side(table: RateTable, row: np.ndarray, tokens: Tokens, kinds: range) -> np.ndarray:
    nano = np.zeros(len(row), dtype=np.int64)
    parts: np.ndarray | None = None
    for kind in kinds:
        count = tokens[kind]
        if count is None:
            continue
        nano += count * table.whole[row, kind]
        if table.has_part[kind]:
            part = count * table.part[row, kind]
            parts = part if parts is None else parts + part
    if parts is not None:
        nano += (parts + _BILLION // 2) // _BILLION
    return nano


def _are_small(table: RateTable, tokens: Tokens) -> bool:
    """Whether all counts are so small that none can be out of range, as nearly always."""
    most = min(MOST_TOKENS, MOST_NANO_USD // len(KINDS) // table.highest)
    return all(count is None or (int(count.min()) >= 0 and int(count.max()) <= most) for count in tokens)


def _in_range(
    table: RateTable, tariff: np.ndarray, row: np.ndarray, tokens: Tokens, microseconds: np.ndarray | None
) -> np.ndarray:
    """Where nothing is negative and everything adds up within 64 bits."""
    about = table.request[tariff].astype(np.float64)
    if microseconds is not None:
        about += microseconds * 1e-6 * table.per_second[tariff]
    plausible = np.ones(len(row), dtype=bool)
    for kind, count in enumerate(tokens):
        if count is not None:
            about += count * table.whole[row, kind].astype(np.float64)
            plausible &= (count >= 0) & (count <= MOST_TOKENS)
    return np.asarray(plausible & (about <= MOST_NANO_USD))


def bitmap(valid: np.ndarray) -> pa.Buffer | None:
    """Arrow's validity bitmap of booleans; None where all are true."""
    return None if valid.all() else pa.py_buffer(np.packbits(valid, bitorder="little"))


def usd(nano: np.ndarray, rows: np.ndarray, length: int, valid: pa.Buffer | None) -> pa.Array:
    """A column of DECIMAL(18,9) of so many rows, with these nano-USD (int64, not negative where valid) at `rows`."""
    words = np.zeros((length, 2), dtype=np.int64)
    words[rows, 0] = nano
    return pa.Array.from_buffers(USD, length, [valid, pa.py_buffer(words)])


def nano_of(column: pa.Array) -> np.ndarray:
    """The nano-USD (int64) of a column of DECIMAL(18,9); 0 for null."""
    if column.null_count == len(column):
        return np.zeros(len(column), dtype=np.int64)
    words = np.frombuffer(column.buffers()[1], dtype=np.int64)[::2][column.offset : column.offset + len(column)]
    return np.where(column.is_valid().to_numpy(zero_copy_only=False), words, 0) if column.null_count else words


def _integer(price: Decimal, places: int) -> int:
    return int(price.scaleb(places).to_integral_value(ROUND_HALF_EVEN))
