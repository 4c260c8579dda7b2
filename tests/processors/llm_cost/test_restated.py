"""Each call counts once, however many spans tell of it, in whatever order and requests they come."""

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from spanmill.processors.llm_cost.processor import LlmCostProcessor
from tests.processors.llm_cost.spans import (
    COST_OF_CALL,
    SECOND,
    START,
    Row,
    batch_of,
    call,
    columns_of,
    nano,
    processor,
)


def _verdicts(component: LlmCostProcessor, *batches: list[Row]) -> dict[int, str]:
    """What became of each span by its id: `counted`, or the reason why not; spans that are no calls are not there."""
    found = {}
    for rows in batches:
        for row, columns in zip(rows, columns_of(component(batch_of(rows))), strict=True):
            if columns["is_llm_call"] is not None:
                found[row.id] = "counted" if columns["is_llm_call"] else columns["price_source"]
                assert columns["is_llm_call"] or columns["cost_usd"] is None
    return found


def _chain(id: int, parent: int) -> Row:  # noqa: A002
    return Row(id, parent, columns={"operation": "chain"})


def test_a_wrapper_above_calls_is_restated_and_these_count() -> None:
    rows = [call(1, tokens=2000), call(2, parent=1), call(3, parent=1)]
    assert _verdicts(processor(), rows) == {1: "restated", 2: "counted", 3: "counted"}


def test_a_wrapper_is_recognised_through_spans_that_are_no_calls() -> None:
    rows = [call(1), _chain(2, parent=1), _chain(3, parent=2), call(4, parent=3)]
    assert _verdicts(processor(), rows) == {1: "restated", 4: "counted"}


def test_a_wrapper_that_comes_in_a_later_request_is_restated() -> None:
    batches = [call(4, parent=3)], [_chain(3, parent=2)], [_chain(2, parent=1)], [call(1)]
    assert _verdicts(processor(), *batches) == {4: "counted", 1: "restated"}


def test_below_a_wrapper_that_was_counted_already_nothing_counts_again() -> None:
    batches = [call(1)], [_chain(2, parent=1)], [call(3, parent=2), call(4, parent=3)]
    assert _verdicts(processor(), *batches) == {1: "counted", 3: "restated", 4: "restated"}


def test_calls_beside_one_another_all_count() -> None:
    rows = [_chain(1, 0), call(2, parent=1), call(3, parent=1), call(4, parent=9), call(5)]
    assert set(_verdicts(processor(), rows).values()) == {"counted"}


def test_equal_span_ids_of_two_traces_are_two_spans() -> None:
    assert _verdicts(processor(), [call(1, trace=1), call(2, parent=1, trace=2)]) == {1: "counted", 2: "counted"}


def test_a_wrapper_with_usage_counts_for_calls_that_lack_it() -> None:
    """A stream without usage at the call itself, summed up by whoever wrapped it."""
    rows = [call(1), call(2, parent=1, tokens=None)]
    assert _verdicts(processor(), rows) == {1: "counted", 2: "restated"}
    assert _verdicts(processor(), [rows[0]], [rows[1]]) == {1: "counted", 2: "restated"}


def test_failed_attempts_beside_the_call_that_worked_count_as_calls() -> None:
    rows = [call(1), call(2, parent=1, tokens=None, failed=True), call(3, parent=1)]
    assert _verdicts(processor(), rows) == {1: "restated", 2: "counted", 3: "counted"}


def test_of_calls_without_usage_the_inner_one_counts() -> None:
    rows = [call(1, tokens=None), call(2, parent=1, tokens=None), call(3, parent=2, tokens=None)]
    assert _verdicts(processor(), rows) == {1: "restated", 2: "restated", 3: "counted"}


def test_a_span_that_is_its_own_ancestor_ends_no_daemon() -> None:
    rows = [call(1, parent=1), call(2, parent=3), call(3, parent=2)]
    verdicts = _verdicts(processor(), rows)
    assert verdicts[1] == "counted"
    assert set(verdicts) == {1, 2, 3}


ID = "chatcmpl-9XyZ0123456789abcdef"


def test_a_gateways_report_of_the_same_call_is_a_duplicate() -> None:
    sdk, gateway = call(1, trace=1, response_id=ID), call(2, trace=2, response_id=ID)
    assert _verdicts(processor(), [sdk, gateway]) == {1: "counted", 2: "duplicate"}
    assert _verdicts(processor(), [gateway], [sdk]) == {2: "counted", 1: "duplicate"}


def test_of_two_reports_the_one_with_usage_counts() -> None:
    without, with_usage = call(1, trace=1, tokens=None, response_id=ID), call(2, trace=2, response_id=ID)
    assert _verdicts(processor(), [without, with_usage]) == {1: "duplicate", 2: "counted"}
    assert _verdicts(processor(), [with_usage], [without]) == {1: "duplicate", 2: "counted"}


def test_calls_far_apart_in_time_are_two_calls() -> None:
    near = call(2, trace=2, start=START + 60 * SECOND, response_id=ID)
    far = call(3, trace=3, start=START + 601 * SECOND, response_id=ID)
    assert _verdicts(processor(), [call(1, response_id=ID), near, far]) == {1: "counted", 2: "duplicate", 3: "counted"}
    short = processor(duplicate_window="10s")
    assert _verdicts(short, [call(1, response_id=ID)], [near]) == {1: "counted", 2: "counted"}


def test_ids_that_some_servers_draw_from_a_thousand_say_nothing() -> None:
    rows = [call(1, trace=1, response_id="chatcmpl-673"), call(2, trace=2, response_id="chatcmpl-673")]
    assert set(_verdicts(processor(), rows).values()) == {"counted"}


def test_a_wrapper_of_a_duplicate_does_not_count_for_it() -> None:
    batches = [call(1, trace=1, response_id=ID)], [call(3, parent=2, trace=2, response_id=ID), call(2, trace=2)]
    assert _verdicts(processor(), *batches) == {1: "counted", 3: "duplicate", 2: "restated"}


def test_a_span_that_comes_again_gets_the_same_answer() -> None:
    """As after a failed write of the journal, beside whatever else has come."""
    component = processor()
    rows = [call(1, response_id=ID), call(2, trace=2, response_id=ID), call(4, parent=3, trace=3), call(3, trace=3)]
    first = _verdicts(component, rows)
    assert first == {1: "counted", 2: "duplicate", 4: "counted", 3: "restated"}
    later = [call(5, parent=4, trace=3)]
    assert _verdicts(component, later) == {5: "restated"}
    assert _verdicts(component, rows[::-1], later, [rows[2]]) == first | {5: "restated"}


def test_the_same_span_twice_in_one_batch_gets_one_answer() -> None:
    rows = [call(2, parent=1, response_id=ID), call(1), call(2, parent=1, response_id=ID)]
    columns = columns_of(processor()(batch_of(rows)))
    assert [row["is_llm_call"] for row in columns] == [True, False, True]


@pytest.mark.parametrize("trace_id", [b"", b"\1", b"\1" * 17])
def test_spans_without_proper_ids_all_count(trace_id: bytes) -> None:
    import pyarrow as pa

    batch = batch_of([call(1), call(2)])
    batch = batch.with_record_column("trace_id", pa.array([trace_id] * 2)).with_record_column(
        "span_id", pa.array([b"", b"\1\2"])
    )
    assert [row["is_llm_call"] for row in columns_of(processor()(batch))] == [True, True]


@dataclass(frozen=True)
class _Tree:
    """Spans of a trace, in which every call that has calls below repeats their usage."""

    parents: tuple[int, ...]
    """By span; spans are numbered from 1, 0 is no parent. A parent has a smaller number."""
    tokens: tuple[int, ...]
    """Of the calls without calls below; 0 for a span that is no call."""

    def ancestors(self, span: int) -> list[int]:
        parent = self.parents[span - 1]
        return [parent, *self.ancestors(parent)] if parent else []

    def leaves(self) -> list[int]:
        calls = [span for span in range(1, len(self.parents) + 1) if self.tokens[span - 1]]
        above = {ancestor for span in calls for ancestor in self.ancestors(span)}
        return [span for span in calls if span not in above]

    def rows(self, trace: int) -> dict[int, Row]:
        below = dict.fromkeys(range(1, len(self.parents) + 1), 0)
        for leaf in self.leaves():
            for span in (leaf, *self.ancestors(leaf)):
                below[span] += self.tokens[leaf - 1] * 2
        return {
            span: call(span, parent, trace=trace, tokens=below[span])
            if self.tokens[span - 1]
            else Row(span, parent, trace)
            for span, parent in enumerate(self.parents, 1)
        }

    def cost(self) -> int:
        return sum(self.tokens[leaf - 1] for leaf in self.leaves()) * 2 * COST_OF_CALL // 1000

    def has_gap(self, when: dict[int, int]) -> bool:
        """Whether a span comes after both of two calls that it is between."""
        calls = [span for span in when if self.tokens[span - 1]]
        for span in calls:
            path = [span, *self.ancestors(span)]
            for low, high in combinations(range(len(path)), 2):
                if self.tokens[path[high] - 1]:
                    latest = max(when[path[low]], when[path[high]])
                    if self.tokens[path[low] - 1] and any(when[x] > latest for x in path[low + 1 : high]):
                        return True
        return False


@st.composite
def _trees(draw: st.DrawFn) -> _Tree:
    size = draw(st.integers(1, 10))
    parents = tuple(draw(st.integers(0, span - 1)) for span in range(1, size + 1))
    return _Tree(parents, tuple(draw(st.sampled_from([0, 0, 1, 7, 1000])) for _ in range(size)))


def _total(component: LlmCostProcessor, batches: list[list[Row]]) -> int:
    columns = (row for rows in batches if rows for row in columns_of(component(batch_of(rows))))
    return sum(nano(row["cost_usd"]) or 0 for row in columns if row["is_llm_call"])


@given(_trees(), st.sampled_from(["children first", "parents first", "any"]), st.randoms(use_true_random=False))
def test_a_trace_costs_what_its_calls_cost_in_whatever_order_and_parts_it_comes(
    tree: _Tree, order: str, randomness: random.Random
) -> None:
    """A span between a wrapper and a call must not come last of the three: until it does nobody can know."""
    number = {span: randomness.randrange(4) for span in range(1, len(tree.parents) + 1)}
    for span in sorted(number, reverse=order == "children first"):
        parent = tree.parents[span - 1]
        if parent and order == "children first":
            number[parent] = max(number[parent], number[span])
        elif parent and order == "parents first":
            number[span] = max(number[span], number[parent])
    assume(not tree.has_gap(number))
    rows = tree.rows(trace=5)
    batches = [[rows[span] for span in rows if number[span] == part] for part in range(4)]
    for batch in batches:
        randomness.shuffle(batch)
    component = processor()
    assert _total(component, batches) == tree.cost()
    again = randomness.sample(batches, len(batches))
    assert _total(component, again) == tree.cost()


@given(st.lists(_trees(), min_size=2, max_size=6), st.randoms(use_true_random=False))
def test_traces_among_one_another_cost_what_each_costs(trees: list[_Tree], randomness: random.Random) -> None:
    rows = [row for trace, tree in enumerate(trees, 1) for row in tree.rows(trace).values()]
    randomness.shuffle(rows)
    assert _total(processor(memory_size_mib=1), [rows]) == sum(tree.cost() for tree in trees)


def test_threads_that_price_at_once_count_each_call_once() -> None:
    """Every call is told of by an SDK and by a gateway, in batches that two threads are given at the same time."""
    randomness = random.Random(3)
    reports = [(number, report) for number in range(400) for report in range(2)]
    rows = [call(1, trace=2 * number + report + 1, response_id=f"{ID}-{number}") for number, report in reports]
    randomness.shuffle(rows)
    component = processor()
    batches = [rows[first : first + 20] for first in range(0, len(rows), 20)]
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda batch: columns_of(component(batch_of(batch))), batches))
    sources = [row["price_source"] for result in results for row in result]
    assert sources.count("duplicate") == sources.count("genai-prices 0.2.3") == 400
