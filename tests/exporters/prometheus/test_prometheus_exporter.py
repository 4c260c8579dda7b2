"""What the exporter's page says about metrics received."""

import math
from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.metrics.v1 import metrics_pb2 as otlp
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from spanmill.telemetry.exposition import Format
from tests.exporters.prometheus.points import (
    CUMULATIVE,
    DELTA,
    T0,
    UNSPECIFIED,
    Page,
    attributes,
    bucketed,
    counter,
    gauge,
    histogram,
    number,
    request,
)

OPEN_METRICS = Format(open_metrics=True, version="1.0.0")


async def test_the_last_value_of_a_gauge_is_served_whatever_the_order_in_a_batch() -> None:
    page = Page()
    points = [number(1, at=10), number(2, at=30), number(3, at=20)]
    await page.send(request(otlp.Metric(name="temp", unit="Cel", gauge=otlp.Gauge(data_points=points))))
    assert page.lines() == ["temp_celsius 2"]
    await page.send(request(gauge("temp", 9, "Cel", at=5)))
    assert page.lines() == ["temp_celsius 2"]
    assert page.dropped("out_of_order") == 1


async def test_attributes_in_another_order_are_the_same_series() -> None:
    page = Page()
    await page.send(request(gauge("x", 1, at=1, a="1", b="2")))
    await page.send(request(gauge("x", 2, at=2, b="2", a="1")))
    assert page.lines() == ['x{a="1",b="2"} 2']


async def test_sums_are_counters_only_when_they_grow() -> None:
    page = Page()
    await page.send(request(counter("jobs", number(2**63 - 1)), counter("queue", number(-4), monotonic=False)))
    assert page.lines() == ["jobs_total 9223372036854775807", "queue -4"]
    assert "# TYPE jobs_total counter" in page.text()
    assert "# TYPE queue gauge" in page.text()


async def test_histograms_have_cumulative_buckets() -> None:
    page = Page()
    await page.send(request(histogram("d", bucketed([1, 2, 3], [0.5, 2], 9.5), unit="s")))
    assert page.lines() == [
        'd_seconds_bucket{le="0.5"} 1',
        'd_seconds_bucket{le="2"} 3',
        'd_seconds_bucket{le="+Inf"} 6',
        "d_seconds_sum 9.5",
        "d_seconds_count 6",
    ]


async def test_a_histogram_of_negative_numbers_has_no_sum_because_it_may_fall() -> None:
    page = Page()
    await page.send(request(histogram("d", bucketed([1, 2], [-1], -3))))
    assert [line for line in page.lines() if "sum" in line] == []


async def test_a_histogram_without_buckets_keeps_its_totals() -> None:
    page = Page()
    point = otlp.HistogramDataPoint(count=7, sum=3.5, time_unix_nano=T0)
    await page.send(request(histogram("d", point)))
    assert page.lines() == ['d_bucket{le="+Inf"} 7', "d_sum 3.5", "d_count 7"]


async def test_exponential_histograms_become_classic_buckets() -> None:
    page = Page()
    sides = otlp.ExponentialHistogramDataPoint.Buckets
    point = otlp.ExponentialHistogramDataPoint(
        scale=0, count=11, sum=20, zero_count=1, time_unix_nano=T0,
        positive=sides(offset=0, bucket_counts=[2, 0, 4]), negative=sides(offset=1, bucket_counts=[3, 1]),
    )  # fmt: skip
    data = otlp.ExponentialHistogram(data_points=[point], aggregation_temporality=CUMULATIVE)
    await page.send(request(otlp.Metric(name="e", exponential_histogram=data)))
    buckets = {line.split('"')[1]: int(line.split()[-1]) for line in page.lines() if "bucket" in line}
    assert buckets == {"-4": 1, "-2": 4, "0": 5, "1": 5, "2": 7, "4": 7, "8": 11, "+Inf": 11}


async def test_summaries_have_quantiles() -> None:
    page = Page()
    quantiles = [otlp.SummaryDataPoint.ValueAtQuantile(quantile=q, value=v) for q, v in ((0.99, 3), (0.5, 1))]
    point = otlp.SummaryDataPoint(count=5, sum=7, quantile_values=quantiles, time_unix_nano=T0)
    await page.send(request(otlp.Metric(name="s", unit="s", summary=otlp.Summary(data_points=[point]))))
    assert page.lines() == [
        's_seconds{quantile="0.5"} 1',
        's_seconds{quantile="0.99"} 3',
        "s_seconds_sum 7",
        "s_seconds_count 5",
    ]


async def test_not_a_number_and_infinity_are_written_prometheus_way() -> None:
    page = Page()
    await page.send(request(gauge("a", math.nan), gauge("b", math.inf), gauge("c", -math.inf)))
    assert page.lines() == ["a NaN", "b +Inf", "c -Inf"]


async def test_service_attributes_are_job_and_instance_and_the_rest_is_target_info() -> None:
    page = Page()
    service: dict[str, Any] = {"service__name": "api", "service__namespace": "shop", "service__instance__id": "i-1"}
    await page.send(request(gauge("x", 1), **service, k8s__pod__name="p"), request(gauge("y", 1), **service))
    assert page.lines() == ['x{instance="i-1",job="shop/api"} 1', 'y{instance="i-1",job="shop/api"} 1']
    infos = [line for line in page.text().splitlines() if line.startswith("target_info")]
    assert infos == ['target_info{instance="i-1",job="shop/api",k8s_pod_name="p"} 1']


async def test_scopes_are_labels_unless_switched_off() -> None:
    scope = InstrumentationScope(name="lib", version="1.2", attributes=attributes(team="a"))
    page, without = Page(), Page(without_scope_info=True)
    for one in (page, without):
        await one.send(request(gauge("x", 1), scope=scope))
    labels = 'otel_scope_name="lib",otel_scope_team="a",otel_scope_version="1.2"'
    assert page.lines() == [f"x{{{labels}}} 1", f"otel_scope_info{{{labels}}} 1"]
    assert without.lines() == ["x 1"]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"resource_to_telemetry_conversion": {"enabled": True}}, {"service_name", "k8s_pod", "host"}),
        (
            {"resource_to_telemetry_conversion": {"enabled": True, "exclude_service_attributes": True}},
            {"k8s_pod", "host"},
        ),
        ({"resource_constant_labels": {"included": ["k8s.*"]}}, {"k8s_pod"}),
        ({"resource_constant_labels": {"excluded": ["k8s.*"]}}, {"service_name", "host"}),
        ({"resource_constant_labels": {"included": ["*"], "excluded": ["host", "service.*"]}}, {"k8s_pod"}),
    ],
)
async def test_resource_attributes_become_labels_when_asked_for(config: dict[str, Any], expected: set[str]) -> None:
    page = Page(**config)
    await page.send(request(gauge("x", 1), service__name="s", k8s__pod="p", host="h"))
    (line,) = page.lines()
    assert {pair.split("=")[0] for pair in line[2 : line.index("}")].split(",")} - {"job"} == expected


async def test_labels_that_meet_in_one_name_are_joined_in_the_order_of_their_keys() -> None:
    page = Page()
    point = number(1, labels={"a_b": "second", "a.b": "first"})
    await page.send(request(otlp.Metric(name="x", gauge=otlp.Gauge(data_points=[point]))))
    assert page.lines() == ['x{a_b="first;second"} 1']


async def test_const_labels_and_namespace_are_on_every_series() -> None:
    page = Page(const_labels={"site": "b", "another label": "spaced value"}, namespace="test-space")
    await page.send(request(gauge("x", 1, site="mine")))
    assert page.lines() == ['test_space_x{another_label="spaced value",site="b"} 1']


async def test_an_attribute_called_le_does_not_break_a_histogram() -> None:
    page = Page()
    await page.send(request(histogram("d", bucketed([1, 1], [1], attributes=attributes(le="x")))))
    assert page.lines()[0] == 'd_bucket{exported_le="x",le="1"} 1'


async def test_of_metrics_with_one_name_and_different_types_the_first_stays_and_the_other_is_counted() -> None:
    page = Page()
    await page.send(request(gauge("x", 1), histogram("x", bucketed([1, 1], [1])), gauge("y_count", 1)))
    await page.send(request(histogram("y", bucketed([1, 1], [1])), gauge("target_info", 1)))
    assert page.lines() == ["x 1", "y_count 1"]
    assert page.dropped("conflict") == 3


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        (counter("x", number(1), temporality=DELTA, monotonic=False), "delta_not_monotonic"),
        (counter("x", number(1), temporality=UNSPECIFIED), "unspecified_temporality"),
        (histogram("x", bucketed([1, 2], [1]), temporality=UNSPECIFIED), "unspecified_temporality"),
        (histogram("x", bucketed([1, 2, 3], [1])), "malformed"),
        (histogram("x", bucketed([1, 2, 3], [2, 1])), "malformed"),
        (histogram("x", bucketed([1, 2], [math.nan])), "malformed"),
        (otlp.Metric(name="x", gauge=otlp.Gauge(data_points=[otlp.NumberDataPoint(time_unix_nano=1)])), "malformed"),
    ],
)
async def test_points_that_cannot_be_shown_are_counted(metric: otlp.Metric, reason: str) -> None:
    page = Page()
    await page.send(request(metric, gauge("good", 1)))
    assert page.lines() == ["good 1"]
    assert page.dropped(reason) == 1


async def test_a_point_without_a_recorded_value_removes_its_series_at_once() -> None:
    page = Page()
    await page.send(request(gauge("x", 1, at=1, a="1"), gauge("x", 1, at=1, a="2")))
    stale = otlp.NumberDataPoint(flags=1, time_unix_nano=T0 + 2, attributes=attributes(a="1"))
    await page.send(request(otlp.Metric(name="x", gauge=otlp.Gauge(data_points=[stale]))))
    assert page.lines() == ['x{a="2"} 1']
    await page.send(request(gauge("x", 5, at=3, a="1")))
    assert sorted(page.lines()) == ['x{a="1"} 5', 'x{a="2"} 1']


async def test_series_expire_and_their_names_are_free_again() -> None:
    page = Page(metric_expiration="60s")
    store = page.exporter._store
    now = [1000.0]
    store.clock = lambda: now[0]
    await page.send(request(gauge("x", 1), gauge("y", 1), service__name="s", host="h"))
    now[0] += 50
    await page.send(request(gauge("y", 2, at=1), service__name="s", host="h"))
    now[0] += 50
    assert page.lines() == ['y{job="s"} 2']
    assert "target_info" in page.text()
    await page.send(request(histogram("x", bucketed([1, 1], [1]))))
    assert "# TYPE x histogram" in page.text()
    now[0] += 100
    assert page.text() == ""
    assert store.lines == 0


async def test_ever_new_attributes_stop_at_the_limit_and_are_counted() -> None:
    page = Page(max_series=10)
    await page.send(*(request(gauge("x", i, i=str(i))) for i in range(25)))
    await page.send(request(gauge("x", 99, at=1, i="3"), histogram("h", bucketed([1, 1], [1]))))
    assert len(page.lines()) == 10
    assert 'x{i="3"} 99' in page.lines()
    assert page.dropped("limit") == 16


async def test_timestamps_are_sent_when_asked_for() -> None:
    page = Page(send_timestamps=True)
    await page.send(request(gauge("x", 1, at=5_000_000)))
    assert page.lines() == [f"x 1 {T0 // 1_000_000 + 5}"]


async def test_exemplars_are_on_the_line_they_belong_to_in_open_metrics() -> None:
    page = Page(enable_open_metrics=True)
    times: dict[str, Any] = {"time_unix_nano": T0, "trace_id": b"\xab" * 16, "span_id": b"\xcd" * 8}
    small, large = (otlp.Exemplar(as_double=value, **times) for value in (0.3, 0.4))
    huge = otlp.Exemplar(as_int=7, filtered_attributes=attributes(k="v" * 200), **times)
    points = bucketed([2, 0, 1], [0.5, 2], 9, exemplars=[large, small, huge])
    await page.send(request(histogram("d", points), counter("c", number(1, exemplars=[huge]))))
    ids = f'trace_id="{"ab" * 16}",span_id="{"cd" * 8}"'
    assert page.lines(OPEN_METRICS)[:3] == [
        f'd_bucket{{le="0.5"}} 2 # {{{ids}}} 0.4 1700000000.000',
        'd_bucket{le="2.0"} 2',
        f'd_bucket{{le="+Inf"}} 3 # {{{ids}}} 7 1700000000.000',
    ]
    families = list(text_string_to_metric_families(page.text(OPEN_METRICS)))  # type: ignore[no-untyped-call]
    assert [family.name for family in families] == ["d", "c"]
    assert "trace_id" not in page.text()


async def test_metadata_says_what_a_metric_was_before_it_was_otlp() -> None:
    page = Page()
    metric = gauge("x", 1)
    metric.metadata.extend(attributes(**{"prometheus.type": "unknown"}))
    await page.send(request(metric))
    assert "# TYPE x untyped" in page.text()


async def test_names_outside_the_alphabet_are_kept_when_the_strategy_and_the_scraper_allow() -> None:
    page = Page(translation_strategy="NoTranslation")
    await page.send(request(counter("my.count", number(1, labels={"a.b": "c"}), unit="By")))
    assert page.lines(Format(utf8=True, version="1.0.0")) == ['{"my.count","a.b"="c"} 1']
    assert page.lines() == ['my_count{a_b="c"} 1']
