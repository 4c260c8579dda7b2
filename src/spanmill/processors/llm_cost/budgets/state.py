"""The tally as bytes for the state file: one line of JSON; sums as text, because they may be longer than JSON's readers
expect of a number."""

from typing import Any

import orjson

from spanmill.periods import Period
from spanmill.processors.llm_cost.budgets.counting import Amount, Scope
from spanmill.processors.llm_cost.budgets.tally import Notice, NoticeKey, NoticeState, Tally


def dump(tally: Tally) -> bytes:
    """The tally as bytes."""
    return orjson.dumps(
        {
            "positions": dict(tally.positions),
            "scopes": [
                [*scope, [[period, start, str(a.nano_usd), str(a.unpriced)] for (period, start), a in sums.items()]]
                for scope, sums in tally.scopes.items()
            ],
            "notices": [[*key, notice.state, str(notice.limit)] for key, notice in tally.notices.items()],
        }
    )


def load(body: bytes) -> Tally:
    """What `dump` was given."""
    data: dict[str, Any] = orjson.loads(body)
    return Tally(
        {
            Scope(label, value): {
                (Period(p), start): Amount(int(usd), int(unpriced)) for p, start, usd, unpriced in sums
            }
            for label, value, sums in data["scopes"]
        },
        {
            NoticeKey(budget, Period(period), start, value, threshold): Notice(NoticeState(state), int(limit))
            for budget, period, start, value, threshold, state, limit in data["notices"]
        },
        data["positions"],
    )
