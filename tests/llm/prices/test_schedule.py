"""What the schedule remembers of the price book."""

import numpy as np

from spanmill.llm.prices import schedule
from spanmill.llm.prices.book import Call, PriceBook
from spanmill.llm.prices.schedule import Schedule

_START = 1_790_000_000 * 10**9


def _starts(*seconds: int) -> np.ndarray:
    return np.array(seconds, dtype=np.int64) * 10**9


def test_names_that_are_made_up_do_not_fill_the_memory() -> None:
    held = Schedule(PriceBook())
    groups, starts = np.arange(1000), np.full(1000, _START)
    for first in range(0, 3 * schedule._MOST_CALLS, 1000):
        calls = [Call("vllm", f"made-up-{first + number}", None, None) for number in range(1000)]
        held.ask(calls, groups, starts)
    assert len(held._held.periods) <= schedule._MOST_CALLS + 1000


def test_calls_of_several_kinds_and_days_each_get_their_own_answer() -> None:
    held = Schedule(PriceBook())
    calls = [Call("openai", "o3", None, None), Call("openai", "gpt-4o", None, None), Call(None, "none", None, None)]
    starts = _starts(1_740_000_000, 1_740_000_000, 1_740_000_000, 1_760_000_000, 1_760_000_000)
    answers, which = held.ask(calls, np.array([0, 1, 2, 0, 1]), starts)
    whole = answers.table.whole[answers.table.first[which], 0]
    assert whole.tolist() == [10_000, 2_500, 0, 2_000, 2_500]
    assert [answers.sources[code] for code in answers.source[which]] == [
        "genai-prices 0.2.3",
        "genai-prices 0.2.3",
        "unpriced: no price for this model",
        "genai-prices 0.2.3",
        "genai-prices 0.2.3",
    ]


def test_moments_no_calendar_has_are_priced_as_the_nearest_that_it_has() -> None:
    answers, which = Schedule(PriceBook()).ask(
        [Call("openai", "o3", None, None)], np.zeros(2, np.int64), np.array([1, 2**63 - 1])
    )
    assert answers.table.whole[answers.table.first[which], 0].tolist() == [10_000, 2_000]
