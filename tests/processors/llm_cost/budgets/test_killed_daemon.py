"""Budgets of a daemon that is killed and started again: exact sums, and one webhook for each threshold."""

import json
import re
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from spanmill.generate.collector import Collector, free_ports
from tests.delivery.stored import when
from tests.test_following import USD_PER_CALL, calls

_SPENT = re.compile(r'^llm_budget_spent_usd\{budget="(\w+)",.*period="(\w+)",.*scope="(\w*)"\} (\S+)$', re.MULTILINE)


class Webhook(ThreadingHTTPServer):
    """Keeps the texts that it is told; out of order as long as `is_down`."""

    daemon_threads = True

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.is_down = False
        self.refused = 0
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/services/hush-hush"

    def thresholds(self) -> Counter[str]:
        return Counter(text.split("\n")[0] for text in self.texts)


class _Handler(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.is_down:
            self.server.refused += 1
        else:
            self.server.texts.append(body["text"])
        self.send_response(503 if self.server.is_down else 200)
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...


@contextmanager
def webhook() -> Iterator[Webhook]:
    with Webhook() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def made(directory: Path, url: str) -> tuple[Collector, dict[str, int]]:
    ports = dict(zip(("http", "health", "metrics"), free_ports(3), strict=True))
    retry = {"initial_interval": "20ms", "max_interval": "50ms"}
    budgets = {
        "limits": {
            "company": {"monthly_usd": 80},
            "services": {"per": "service_name", "monthly_usd": 1000, "thresholds": [5]},
        },
        "webhook": {"url": url, "retry_on_failure": retry},
    }
    price = {"model": "ours", "request": USD_PER_CALL}
    configuration = {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{ports['http']}"}}}},
        "processors": {"gen_ai_normalizer": None, "llm_cost": {"prices": [price], "budgets": budgets}},
        "exporters": {"parquet": {"directory": str(directory / "parquet")}},
        "extensions": {"health_check": {"endpoint": f"127.0.0.1:{ports['health']}"}},
        "service": {
            "extensions": ["health_check"],
            "telemetry": {"metrics": {"address": f"127.0.0.1:{ports['metrics']}"}},
            "pipelines": {
                "traces": {
                    "receivers": ["otlp"],
                    "processors": ["gen_ai_normalizer", "llm_cost"],
                    "exporters": ["parquet"],
                }
            },
        },
    }
    return Collector(directory, configuration, ports["health"]), ports


def send(port: int, body: bytes) -> bool:
    """Whether it was acknowledged."""
    headers = {"Content-Type": "application/x-protobuf"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/traces", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def spent(port: int) -> dict[tuple[str, str, str], float]:
    """USD by budget, period and scope."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return {tuple(found[:3]): float(found[3]) for found in _SPENT.findall(answer.read().decode())}


def send_all(collector: Collector, port: int, first: int, *, kill_after_seconds: float | None = None) -> int:
    """Send calls until all are acknowledged, to a collector that may be killed meanwhile and is started again."""
    killer = threading.Timer(kill_after_seconds or 0.0, collector.kill if kill_after_seconds else lambda: None)
    killer.start()
    bodies = [calls(3, first=first + 10 * number).SerializeToString() for number in range(60)]
    for body in bodies:
        while not send(port, body):
            killer.join()
            collector.start()
        time.sleep(0.01)
    killer.join()
    return 3 * len(bodies)


def test_a_daemon_that_is_killed_counts_every_call_once_and_tells_each_threshold_once(tmp_path: Path) -> None:
    with webhook() as server:
        collector, ports = made(tmp_path, server.url)
        collector.start()
        total = send_all(collector, ports["http"], 1, kill_after_seconds=0.3)
        when(lambda: len(server.texts) == 1)
        collector.kill()
        server.is_down = True
        collector.start()
        total += send_all(collector, ports["http"], 10_001)
        when(lambda: server.refused >= 3)
        collector.kill()
        server.is_down = False
        with collector:
            usd = total * USD_PER_CALL
            expected = {("company", "month", ""): usd, ("services", "month", "shop"): usd}
            when(lambda: spent(ports["metrics"]) == expected)
            when(lambda: len(server.texts) >= 4)
        assert server.thresholds() == {
            "LLM budget company: 50 % of the limit is spent": 1,
            "LLM budget company: 90 % of the limit is spent": 1,
            "LLM budget company: 100 % of the limit is spent": 1,
            "LLM budget services: 5 % of the limit is spent": 1,
        }
        assert "hush" not in collector.log()
