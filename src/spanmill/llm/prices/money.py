"""Whole nano-USD: rates as integers, amounts as sums of integers, columns of DECIMAL(18,9)."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

import numpy as np
import pyarrow as pa

from spanmill.llm.prices.tariff import INPUT_KINDS, Tariff

USD: Final = pa.decimal128(18, 9)
"""Its unscaled values are nano-USD."""
MOST_TOKENS: Final = 4_000_000_000
"""In a call. With so many, parts of nano-USD still add up within 64 bits; nobody's context is near."""
MOST_NANO_USD: Final = 9 * 10**17
"""In a call: 900 million USD, the most that the column holds."""
_BILLION: Final = 10**9
_INPUT: Final = slice(0, len(INPUT_KINDS))
_OUTPUT: Final = slice(len(INPUT_KINDS), None)


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
    whole: np.ndarray
    part: np.ndarray
    missing: np.ndarray
    request: np.ndarray
    per_second: np.ndarray
    by_tokens: np.ndarray

    @staticmethod
    def of(rates: Sequence[Rates]) -> "RateTable":
        lengths = np.fromiter((len(each.whole) for each in rates), np.int64, len(rates))
        return RateTable(
            first=np.cumsum(lengths) - lengths,
            whole=np.concatenate([each.whole for each in rates]),
            part=np.concatenate([each.part for each in rates]),
            missing=np.concatenate([each.missing for each in rates]),
            request=np.array([each.request for each in rates], dtype=np.int64),
            per_second=np.array([each.per_second for each in rates], dtype=np.int64),
            by_tokens=np.array([each.by_tokens for each in rates], dtype=bool),
        )


@dataclass(frozen=True, slots=True)
class Amounts:
    """Nano-USD for each call (int64)."""

    input: np.ndarray
    output: np.ndarray
    total: np.ndarray
    """Input, output and what is paid for the call and its seconds."""
    in_range: np.ndarray
    """bool; elsewhere the numbers mean nothing."""


def amounts(
    table: RateTable, tariff: np.ndarray, row: np.ndarray, tokens: np.ndarray, microseconds: np.ndarray
) -> Amounts:
    """What calls cost. `tokens` is int64, a column for each of `KINDS`; `row` is the row of rates of each call and
    `tariff` the tariff it belongs to; `microseconds` is how long the call took. Rounds to the nearest nano-USD.
    """
    whole, part = table.whole[row], table.part[row]
    per_second = table.per_second[tariff]
    seconds, rest = np.divmod(microseconds, 10**6)
    fees = table.request[tariff] + seconds * per_second + rest * per_second // 10**6
    paid, parts = tokens * whole, tokens * part
    input_, output = (
        paid[:, side].sum(axis=1) + (parts[:, side].sum(axis=1) + _BILLION // 2) // _BILLION
        for side in (_INPUT, _OUTPUT)
    )
    about = (tokens.astype(np.float64) * whole).sum(axis=1) + table.request[tariff]
    about += microseconds * 1e-6 * per_second
    plausible = (tokens >= 0).all(axis=1) & (tokens.sum(axis=1) <= MOST_TOKENS) & (tokens <= MOST_TOKENS).all(axis=1)
    return Amounts(input_, output, input_ + output + fees, plausible & (about <= MOST_NANO_USD))


def usd(nano: np.ndarray, valid: np.ndarray) -> pa.Array:
    """The column of DECIMAL(18,9) of these nano-USD (int64); null where not `valid`."""
    words = np.empty((len(nano), 2), dtype=np.int64)
    words[:, 0] = nano
    words[:, 1] = nano >> 63
    bitmap = None if valid.all() else pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.Array.from_buffers(USD, len(nano), [bitmap, pa.py_buffer(words)])


def nano_of(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """The nano-USD (int64) of a column of DECIMAL(18,9), and where it is not null."""
    valid = column.is_valid().to_numpy(zero_copy_only=False)
    if not valid.any():
        return np.zeros(len(column), dtype=np.int64), valid
    words = np.frombuffer(column.buffers()[1], dtype=np.int64).reshape(-1, 2)
    return np.where(valid, words[column.offset : column.offset + len(column), 0], 0), valid


def _integer(price: Decimal, places: int) -> int:
    return int(price.scaleb(places).to_integral_value(ROUND_HALF_EVEN))
