"""Delta points become counters: laws over random sequences and random cuts into batches."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.metrics.v1 import metrics_pb2 as otlp

from tests.exporters.prometheus.points import DELTA, T0, Page, bucketed, counter, histogram, number, records, request

DELTAS = st.lists(st.tuples(st.integers(0, 2**40), st.integers(1, 100), st.booleans()), min_size=1, max_size=12)
"""Values, lengths of intervals, and whether a new batch begins."""


def cut(deltas: list[tuple[int, int, bool]]) -> list[list[tuple[int, int, int]]]:
    """Batches of (value, start, end)."""
    batches: list[list[tuple[int, int, int]]] = [[]]
    end = 1
    for value, length, begins in deltas:
        if begins:
            batches.append([])
        batches[-1].append((value, end, end + length))
        end += length
    return batches


@given(DELTAS)
def test_the_page_shows_the_sum_of_all_deltas_however_they_are_cut_into_batches(
    deltas: list[tuple[int, int, bool]],
) -> None:
    page = Page()
    for batch in cut(deltas):
        points = [number(value, end, start) for value, start, end in batch]
        page.exporter._accumulator.consume(records(request(counter("c", *points, temporality=DELTA))))
    assert page.lines() == [f"c_total {sum(value for value, _, _ in deltas)}"]


@given(DELTAS, st.randoms())
def test_repeated_points_are_dropped_and_counted(deltas: list[tuple[int, int, bool]], random: object) -> None:
    page = Page()
    points = [number(value, end, start) for value, start, end in cut([(v, n, False) for v, n, _ in deltas])[0]]
    first = page.exporter._accumulator.consume(records(request(counter("c", *points, temporality=DELTA))))
    random.shuffle(points)  # type: ignore[attr-defined]
    again = page.exporter._accumulator.consume(records(request(counter("c", *points, temporality=DELTA))))
    assert page.lines() == [f"c_total {sum(value for value, _, _ in deltas)}"]
    assert (first.total(), again) == (0, {"out_of_order": len(points)})


@given(st.lists(st.lists(st.integers(0, 1000), min_size=3, max_size=3), min_size=1, max_size=8), st.booleans())
def test_histograms_add_up_bucket_by_bucket(counts: list[list[int]], together: bool) -> None:
    page = Page()
    points = [bucketed(c, [1, 2], sum(c), at=i + 2, start=i + 1) for i, c in enumerate(counts)]
    batches = [points] if together else [[point] for point in points]
    for batch in batches:
        page.exporter._accumulator.consume(records(request(histogram("h", *batch, temporality=DELTA))))
    one, two, three = (sum(column) for column in zip(*counts, strict=True))
    values = [line.split()[-1] for line in page.lines()]
    assert values == [str(n) for n in (one, one + two, one + two + three, one + two + three, one + two + three)]


BUCKETS = st.tuples(st.integers(-40, 40), st.lists(st.integers(0, 50), max_size=30))
EXPONENTIAL = st.tuples(st.integers(-2, 8), BUCKETS, BUCKETS, st.integers(0, 5))


@given(st.lists(EXPONENTIAL, min_size=1, max_size=5))
def test_exponential_histograms_add_up_and_stay_well_formed(
    points: list[tuple[int, tuple[int, list[int]], tuple[int, list[int]], int]],
) -> None:
    page = Page()
    sides = otlp.ExponentialHistogramDataPoint.Buckets
    total = 0
    for index, (scale, positive, negative, zeros) in enumerate(points):
        count = sum(positive[1]) + sum(negative[1]) + zeros
        total += count
        point = otlp.ExponentialHistogramDataPoint(
            scale=scale, zero_count=zeros, count=count, sum=1, time_unix_nano=T0 + index + 1,
            start_time_unix_nano=T0 + index,
            positive=sides(offset=positive[0], bucket_counts=positive[1]),
            negative=sides(offset=negative[0], bucket_counts=negative[1]),
        )  # fmt: skip
        data = otlp.ExponentialHistogram(data_points=[point], aggregation_temporality=DELTA)
        page.exporter._accumulator.consume(records(request(otlp.Metric(name="e", exponential_histogram=data))))
    lines = [line for line in page.lines() if "_bucket" in line]
    bounds = [float(line.split('"')[1]) for line in lines]
    values = [int(line.split()[-1]) for line in lines]
    assert values[-1] == total
    assert all(a < b for a, b in pairwise(bounds))
    assert all(a <= b for a, b in pairwise(values))
    assert len(lines) <= 165


async def test_a_gap_is_bridged_and_an_overlap_is_not_counted_twice() -> None:
    page = Page()
    points = [number(1, 10, 5), number(10, 30, 20), number(100, 40, 25), number(1000, 50, 30)]
    await page.send(request(counter("c", *points, temporality=DELTA)))
    assert page.lines() == ["c_total 1011"]
    assert page.dropped("overlap") == 1


async def test_other_bounds_start_a_histogram_anew() -> None:
    page = Page()
    await page.send(request(histogram("h", bucketed([1, 1], [1], at=2, start=1), temporality=DELTA)))
    await page.send(request(histogram("h", bucketed([5, 5], [3], at=3, start=2), temporality=DELTA)))
    assert page.lines()[:2] == ['h_bucket{le="3"} 5', 'h_bucket{le="+Inf"} 10']


async def test_hostile_exponential_histograms_neither_hang_nor_fill_the_page() -> None:
    page = Page()
    sides = otlp.ExponentialHistogramDataPoint.Buckets
    for index, (scale, offset) in enumerate([(20, -(2**31)), (-10, 2**31 - 1), (0, 2**31 - 1), (99, 0), (-99, 0)]):
        point = otlp.ExponentialHistogramDataPoint(
            scale=scale, count=1000, positive=sides(offset=offset, bucket_counts=[1] * 1000), time_unix_nano=T0 + index
        )
        data = otlp.ExponentialHistogram(data_points=[point], aggregation_temporality=DELTA)
        await page.send(request(otlp.Metric(name="e", exponential_histogram=data)))
    assert page.dropped("malformed") == 2
    assert page.lines()[-1] == "e_count 3000"
    assert len(page.lines()) < 100
