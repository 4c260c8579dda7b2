"""A provider, a collector that normalises and prices, and what each SDK's run of the application became in it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from spanmill.generate.collector import Collector, free_ports
from tests.delivery.sdks.provider import Provider, Served
from tests.delivery.sdks.runs import LANGFUSE_PATH, SDKS, TWO_AT_ONCE, Sdk
from tests.delivery.stored import when

Row = dict[str, Any]
_OTHER_SPANS = 3
"""Of the agent: itself, its chain, its tool."""
_LOG_RECORDS = 27
"""Every message sent or received in the chats, where they are log records."""


@dataclass(frozen=True)
class Recorded:
    """One SDK's run: what the provider served, and the rows that the collector stored."""

    sdk: Sdk
    served: list[Served]
    spans: list[Row]
    logs: list[Row]

    @property
    def calls(self) -> list[tuple[Served, Row]]:
        """The provider's calls, each with its row: both in the order of time."""
        rows = [row for row in self.spans if row["operation"] in ("chat", "embeddings")]
        return list(zip(self.served, rows, strict=True))


@dataclass(frozen=True)
class _Store:
    otlp: str
    langfuse: str
    read: Callable[[str, str], list[Row]]


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as server:
        yield server


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Store]:
    directory: Path = tmp_path_factory.mktemp("collector")
    otlp, langfuse, health, metrics = free_ports(4)
    database = directory / "spanmill.duckdb"
    configuration = {
        "receivers": {
            "otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{otlp}"}}},
            "otlp/langfuse": {
                "protocols": {"http": {"endpoint": f"127.0.0.1:{langfuse}", "traces_url_path": LANGFUSE_PATH}}
            },
        },
        "processors": {"gen_ai_normalizer": {}, "llm_cost": {}},
        "exporters": {"duckdb": {"path": str(database), "max_age": "200ms"}},
        "extensions": {"health_check": {"endpoint": f"127.0.0.1:{health}"}},
        "service": {
            "extensions": ["health_check"],
            "telemetry": {"metrics": {"address": f"127.0.0.1:{metrics}"}},
            "pipelines": {
                "traces": {
                    "receivers": ["otlp", "otlp/langfuse"],
                    "processors": ["gen_ai_normalizer", "llm_cost"],
                    "exporters": ["duckdb"],
                },
                "logs": {"receivers": ["otlp"], "processors": ["gen_ai_normalizer"], "exporters": ["duckdb"]},
            },
        },
    }
    with Collector(directory, configuration, health):
        yield _Store(f"http://127.0.0.1:{otlp}", f"http://127.0.0.1:{langfuse}", lambda *of: _rows(database, *of))


@pytest.fixture(scope="module", params=SDKS, ids=lambda sdk: sdk.name)
def recorded(
    request: pytest.FixtureRequest, provider: Provider, store: _Store, tmp_path_factory: pytest.TempPathFactory
) -> Recorded:
    """An SDK's run of the application, stored."""
    return _record(request.param, provider, store, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def recorded_twice(provider: Provider, store: _Store, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """A run in which two instrumentations report every call."""
    return _record(TWO_AT_ONCE, provider, store, tmp_path_factory.mktemp("home"), reports=2)


def _record(sdk: Sdk, provider: Provider, store: _Store, home: Path, reports: int = 1) -> Recorded:
    if not sdk.installed:
        pytest.skip("the SDKs that record LLM calls are absent: make deps-sdks")
    sdk.run(provider.url(sdk.name), store.otlp, store.langfuse, home)
    served = [call for call in provider.served if call.sdk == sdk.name]
    when(lambda: len(store.read("spans", sdk.name)) >= reports * len(served) + _OTHER_SPANS)
    when(lambda: len(store.read("logs", sdk.name)) >= (_LOG_RECORDS if sdk.content_in_logs else 0))
    return Recorded(sdk, served, store.read("spans", sdk.name), store.read("logs", sdk.name))


def _rows(database: Path, table: str, service: str) -> list[Row]:
    if not database.exists():
        return []
    time = "start_time" if table == "spans" else "time"
    with duckdb.connect(str(database), read_only=True) as connection:
        result = connection.execute(f"SELECT * FROM {table} WHERE service_name = ? ORDER BY {time}", [service])
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
