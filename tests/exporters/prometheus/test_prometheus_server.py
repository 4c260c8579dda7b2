"""A real Prometheus server scrapes the exporter's page and the daemon's own, and answers queries over both."""

import asyncio
import shutil
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from opentelemetry.proto.metrics.v1 import metrics_pb2 as otlp

from spanmill.component import Host
from spanmill.config.values import Endpoint
from spanmill.telemetry.metrics import Metrics
from spanmill.telemetry.page import OwnPage, own_resource
from spanmill.telemetry.pages import Pages
from spanmill.telemetry.process import measure_process
from tests.exporters.prometheus.hosts import PageHost
from tests.exporters.prometheus.points import DELTA, Page, bucketed, counter, gauge, histogram, number, request
from tests.prometheus_server import INSTALL, Server, running

CONFIG = """
global: {{scrape_interval: 200ms, scrape_timeout: 200ms}}
scrape_configs:
  - {{job_name: exporter, honor_labels: true, static_configs: [{{targets: ['127.0.0.1:{exporter}']}}]}}
  - {{job_name: own, static_configs: [{{targets: ['127.0.0.1:{own}']}}]}}
"""

SERVICE: dict[str, Any] = {"service__name": "api", "service__namespace": "shop", "service__instance__id": "i-1"}


def everything() -> list[otlp.Metric]:
    """All five kinds, with names, units, labels and values that a careless page would break on."""
    sides = otlp.ExponentialHistogramDataPoint.Buckets
    exponential = otlp.ExponentialHistogramDataPoint(
        scale=2, count=12, sum=30, zero_count=2, time_unix_nano=5, positive=sides(offset=3, bucket_counts=[4, 0, 6])
    )
    quantile = otlp.SummaryDataPoint.ValueAtQuantile(quantile=0.9, value=0.25)
    summary = otlp.SummaryDataPoint(count=4, sum=1.5, quantile_values=[quantile], time_unix_nano=5)
    cumulative = otlp.AGGREGATION_TEMPORALITY_CUMULATIVE
    room: dict[str, Any] = {"room": 'the "big"\none\\', "a.b": "x"}
    return [
        gauge("room.temperature", 21.5, "Cel", **room),
        counter("http.server.requests", number(2**62, labels={"route": "/a"}), unit="{request}"),
        counter("tokens", number(30, 10, 5), number(12, 20, 10), temporality=DELTA),
        histogram("http.server.duration", bucketed([5, 3, 2], [0.1, 1], 4.5), unit="s"),
        otlp.Metric(
            name="payload",
            unit="By",
            exponential_histogram=otlp.ExponentialHistogram(
                data_points=[exponential], aggregation_temporality=cumulative
            ),
        ),
        otlp.Metric(name="gc.pause", unit="s", summary=otlp.Summary(data_points=[summary])),
    ]


@pytest_asyncio.fixture
async def host() -> AsyncIterator[PageHost]:
    host = PageHost(Pages())
    yield host
    await host.pages.stop()


async def scraped(page: Page, host: Host, **headers: str) -> str:
    await page.exporter.start(host)
    await page.send(request(*everything(), **SERVICE, k8s__pod="p"))
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{page.exporter.port}/metrics", headers=headers) as response,
    ):
        return await response.text()


@pytest.mark.skipif(not shutil.which("promtool"), reason=INSTALL)
@pytest.mark.parametrize("send_timestamps", [False, True])
async def test_promtool_has_no_complaint(host: PageHost, send_timestamps: bool) -> None:
    text = await scraped(Page(send_timestamps=send_timestamps), host)
    check = await asyncio.create_subprocess_exec("promtool", "check", "metrics", stdin=PIPE, stdout=PIPE, stderr=STDOUT)
    said, _ = await check.communicate(text.encode())
    assert (check.returncode, said) == (0, b"")


async def test_on_the_daemons_own_address_they_share_one_page_until_the_exporter_stops(host: PageHost) -> None:
    metrics = Metrics()
    measure_process(metrics)
    own = await host.pages.serve(Endpoint("127.0.0.1", 0), "own", OwnPage(metrics, own_resource({})).families)
    page = Page(endpoint=f"localhost:{own.port}")
    text = await scraped(page, host)
    assert "tokens_total" in text
    assert "otelcol_process_uptime" in text
    assert text.count("# TYPE target_info") == 1
    assert text.count("\ntarget_info{") == 2
    await page.exporter.stop()
    await page.exporter.stop()
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{own.port}/metrics") as response:
        assert "tokens_total" not in await response.text()


@pytest_asyncio.fixture
async def prometheus(host: PageHost, tmp_path: Path) -> AsyncIterator[Server]:
    page = Page(enable_open_metrics=True)
    await scraped(page, host)
    metrics = Metrics()
    measure_process(metrics)
    metrics.counter("otelcol_receiver_accepted_spans", receiver="otlp", transport="grpc").add(42)
    own = await host.pages.serve(Endpoint("127.0.0.1", 0), "own", OwnPage(metrics, own_resource({})).families)
    configuration = tmp_path / "prometheus.yml"
    configuration.write_text(CONFIG.format(exporter=page.exporter.port, own=own.port))
    with running(configuration) as server:
        yield server
    await page.exporter.stop()


async def test_a_real_prometheus_scrapes_both_pages_and_answers_promql(prometheus: Server) -> None:
    target = {"job": "shop/api", "instance": "i-1"}
    assert await prometheus.answer("tokens_total") == [({"__name__": "tokens_total", **target}, 42)]
    ((labels, value),) = await prometheus.answer("room_temperature_celsius")
    assert (labels["room"], labels["a_b"], value) == ('the "big"\none\\', "x", 21.5)
    ((_, median),) = await prometheus.answer("histogram_quantile(0.5, http_server_duration_seconds_bucket)")
    assert median == pytest.approx(0.1)
    ((_, largest),) = await prometheus.answer("histogram_quantile(1, payload_bytes_bucket)")
    assert largest == pytest.approx(2 ** (6 / 4))
    ((_, mean),) = await prometheus.answer("gc_pause_seconds_sum / gc_pause_seconds_count")
    assert mean == 0.375
    ((labels, _),) = await prometheus.answer("tokens_total * on (job, instance) group_left (k8s_pod) target_info")
    assert labels["k8s_pod"] == "p"
    ((labels, value),) = await prometheus.answer("otelcol_receiver_accepted_spans")
    assert (labels["receiver"], labels["transport"], value) == ("otlp", "grpc", 42)
    ((_, up),) = await prometheus.answer("sum(up) == 2")
    assert up == 2
