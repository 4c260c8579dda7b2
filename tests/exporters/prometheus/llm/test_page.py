"""The page as scrapers see it: well formed, with received metrics beside what was counted, and read by Prometheus."""

import asyncio
import shutil
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from spanmill.component import Position
from spanmill.signal import Signal
from spanmill.telemetry.exposition import Format
from spanmill.telemetry.pages import Pages
from tests.exporters.prometheus.hosts import PageHost
from tests.exporters.prometheus.llm.spans import Counted, Row, batch, call, read, usd
from tests.exporters.prometheus.points import Page, counter, number, request
from tests.exporters.prometheus.test_prometheus_server import CONFIG
from tests.prometheus_server import INSTALL, Server, running

OPEN_METRICS = Format(open_metrics=True, utf8=True, version="1.0.0")
POSITION = Position("journal", 1, 1)
ROWS: list[Row] = [
    call(
        operation="chat", provider="openai", response_model="gpt-4o-2024-08-06", feature='the "big"\none\\',
        input_tokens=1_000, output_tokens=100, cache_read_tokens=400, cache_write_tokens=0, reasoning_tokens=10,
        cost_usd=usd(0.0125), time_to_first_token_ms=300.0, streaming=True, prompt_name="greet", prompt_version="3",
        sample_weight=2.5, team="search",
    ),
    call(error_type="RateLimitError", status=2, retries=2),
    call(request_model="mine", price_source="unpriced: no price for this model", input_tokens=7),
]  # fmt: skip


@pytest_asyncio.fixture
async def host() -> AsyncIterator[PageHost]:
    host = PageHost(Pages())
    yield host
    await host.pages.stop()


async def test_an_exporter_in_two_pipelines_shows_both_on_one_page() -> None:
    page = Page(namespace="ns", const_labels={"shard": "1", "model": "never"})
    await page.exporter.export(batch(*ROWS), POSITION)
    await page.send(request(counter("jobs", number(3))))
    series = read(page.text())
    assert series["ns_jobs_total", frozenset({("shard", "1"), ("model", "never")})] == 3
    labels = frozenset({("model", "mine"), ("shard", "1")})
    assert series["ns_llm_unpriced_requests_total", labels] == 1
    assert page.exporter._lines() == page.exporter._llm[Signal.TRACES].lines + 1


async def test_two_exporters_share_a_page_where_both_are_seen(host: PageHost) -> None:
    first = Page(const_labels={"pipeline": "a"})
    await first.exporter.start(host)
    second = Page(const_labels={"pipeline": "b"}, endpoint=f"127.0.0.1:{first.exporter.port}")
    await second.exporter.start(host)
    for page in (first, second):
        await page.exporter.export(batch(*ROWS), POSITION)
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{first.exporter.port}/metrics") as response,
    ):
        text = await response.text()
    found = {labels for name, labels in read(text) if name == "llm_unpriced_requests_total"}
    assert {dict(labels)["pipeline"] for labels in found} == {"a", "b"}
    assert text.count("# TYPE llm_requests_total counter") == 1


async def test_calls_without_room_are_counted_as_dropped() -> None:
    page = Page(max_series=100)
    await page.exporter.export(batch(*(call(request_model=f"m{number}") for number in range(50))), POSITION)
    assert page.dropped("llm_limit") > 40


async def test_an_export_that_fails_can_be_repeated_and_counts_once() -> None:
    page = Page()
    made = batch(*ROWS)
    with pytest.raises(Exception, match=r"."):
        await page.exporter.export(made.with_record_column("cost_usd", made.records.column("name")), POSITION)
    assert page.text() == ""
    await page.exporter.export(made, POSITION)
    assert read(page.text())["llm_requests_total", frozenset({("model", "mine"), ("status", "ok")})] == 1


@pytest.mark.skipif(not shutil.which("promtool"), reason=INSTALL)
async def test_promtool_has_no_complaint() -> None:
    page = Counted(labels=["team"], max_values={"feature": 1})
    page.send(*ROWS, call(feature="one more"))
    text = page.text()
    assert len({line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}) == 14
    check = await asyncio.create_subprocess_exec("promtool", "check", "metrics", stdin=PIPE, stdout=PIPE, stderr=STDOUT)
    said, _ = await check.communicate(text.encode())
    assert (check.returncode, said) == (0, b"")


def test_latencies_carry_the_trace_of_their_latest_call_in_open_metrics() -> None:
    page = Counted(exemplars=True)
    page.send(call(seconds=0.7), call(seconds=None), call(seconds=0.8), call(request_model="b", seconds=45.0))
    found = {
        (sample.labels["model"], sample.labels["le"]): (sample.exemplar.labels["trace_id"], sample.exemplar.value)
        for family in text_string_to_metric_families(page.text(OPEN_METRICS))  # type: ignore[no-untyped-call]
        for sample in family.samples
        if sample.exemplar
    }
    assert found == {("gpt-4o", "1.0"): (f"{3:032x}", 0.8), ("b", "+Inf"): (f"{4:032x}", 45.0)}
    assert "trace_id" not in page.text()
    page.clock.now += 10**6
    page.send(call(seconds=3.0))
    assert page.text(OPEN_METRICS).count("trace_id") == 1


async def test_a_real_prometheus_answers_queries_over_llm_calls(host: PageHost, tmp_path: Path) -> None:
    page = Page(enable_open_metrics=True, llm={"labels": ["team"]})
    await page.exporter.start(host)
    await page.exporter.export(batch(*ROWS), POSITION)
    configuration = tmp_path / "prometheus.yml"
    configuration.write_text(CONFIG.format(exporter=page.exporter.port, own=page.exporter.port))
    with running(configuration) as server:
        await _ask(server)
    await page.exporter.stop()


async def _ask(prometheus: Server) -> None:
    mine = 'job="exporter"'
    ((labels, calls),) = await prometheus.answer(f'llm_requests_total{{{mine}, status="ok", team="search"}}')
    assert (labels["model"], labels["feature"], calls) == ("gpt-4o", 'the "big"\none\\', 2.5)
    ((_, cost),) = await prometheus.answer(f"sum(llm_cost_usd_total{{{mine}}})")
    assert cost == pytest.approx(2.5 * 0.0125)
    ((_, ratio),) = await prometheus.answer(f'llm_cache_hit_ratio{{{mine}, team="search"}}')
    assert ratio == 0.4
    buckets = f"sum by (le) (llm_latency_seconds_bucket{{{mine}}})"
    ((_, median),) = await prometheus.answer(f"histogram_quantile(0.5, {buckets})")
    assert 1 < median <= 2
    ((_, errors),) = await prometheus.answer(
        f'sum(llm_requests_total{{{mine}, status="error"}}) / sum(llm_requests_total{{{mine}}})'
    )
    assert errors == pytest.approx(1 / 4.5)
    tokens = await prometheus.answer(f"gen_ai_client_token_usage_sum{{{mine}}}")
    assert {labels["gen_ai_request_model"] for labels, _ in tokens} == {"gpt-4o", "mine"}
