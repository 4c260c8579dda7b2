"""From batches to what calls cost, compared with a plain loop."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from spanmill.periods import SLOT_SECONDS, Calendar, Period
from spanmill.processors.llm_cost.budgets.counting import Amount, Scope, Spending, calls_of, spendings
from tests.data import spans
from tests.processors.llm_cost.budgets.calls import CALLS, DAY, NOW, Call, batch, by_hand

LABELS = ("", "feature", "user_id", "model")
SLOT = NOW // SLOT_SECONDS
UTC = Calendar("UTC")


def counted(calls: list[Call], *labels: str, first: int = 0, last: int = 2**62) -> list[Spending]:
    found = calls_of(batch(calls), NOW)
    return [] if found is None else list(spendings(found, labels, first, last))


@given(st.lists(CALLS, min_size=1, max_size=30))
def test_sums_are_those_of_a_plain_loop(calls: list[Call]) -> None:
    sums: Counter[tuple[Scope, Period, int, str]] = Counter()
    for scope, slot, _, amount in counted(calls, *LABELS):
        for period in Period:
            for name, number in amount._asdict().items():
                sums[scope, period, UTC.start(period, slot), name] += number
    assert Counter({key: amount for key, amount in sums.items() if amount}) == by_hand(calls, LABELS, UTC)


def test_spans_that_are_no_calls_cost_nothing() -> None:
    assert calls_of(spans(3), NOW) is None
    assert counted([Call(counts=None), Call(counts=False)], "") == []


def test_sums_are_exact_beyond_what_64_bits_hold() -> None:
    (spending,) = counted([Call("999999999.999999999")] * 50, "")
    assert spending.amount.nano_usd == 50 * 999_999_999_999_999_999


def test_a_call_that_failed_before_any_token_was_counted_is_not_missing_a_price() -> None:
    calls = [Call(None, failed=True, tokens=None), Call(None, failed=True, tokens=7), Call(None, tokens=None)]
    assert [spending.amount for spending in counted(calls, "")] == [Amount(0, 2 * 10**9)]


def test_a_call_without_a_start_counts_now() -> None:
    assert [spending.slot for spending in counted([Call(at=0)], "")] == [SLOT]


def test_calls_outside_of_what_is_asked_for_are_left_out() -> None:
    calls = [Call("1", at=NOW - DAY), Call("2"), Call("4", at=NOW + DAY)]
    (spending,) = counted(calls, "", first=SLOT, last=SLOT)
    assert spending == Spending(Scope("", ""), SLOT, 1, Amount(2 * 10**9, 0))


def test_weights_that_make_no_sense_count_as_one_and_huge_ones_do_not_overflow() -> None:
    for weight in (float("nan"), float("inf"), -1.0):
        assert counted([Call("2", weight=weight)], "")[0].amount.nano_usd == 2 * 10**9
    assert counted([Call("999999999", weight=1e300)], "")[0].amount.nano_usd > 10**18


def test_a_value_of_any_length_is_cut_to_one_that_a_person_reads() -> None:
    calls = [Call(feature="x" * 1000 + end) for end in "ab"]
    assert {spending.scope.value for spending in counted(calls, "feature")} == {"x" * 200}
