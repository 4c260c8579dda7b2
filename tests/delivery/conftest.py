"""One running collector for each test module, with every store it has."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from spanmill.generate.collector import Collector, free_ports, storing_configuration
from spanmill.generate.options import Protocol
from tests.delivery.stored import Row, from_duckdb, from_parquet


@dataclass(frozen=True)
class Running:
    """A collector that runs, where to send to it, and how to read what it stored."""

    collector: Collector
    ports: Mapping[str, int]
    stores: Mapping[str, Callable[[str, str], list[Row]]]

    def target(self, protocol: Protocol) -> str:
        return f"http://127.0.0.1:{self.ports['grpc' if protocol is Protocol.GRPC else 'http']}"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory: Path = tmp_path_factory.mktemp("collector")
    ports = dict(zip(("grpc", "http", "health", "metrics"), free_ports(4), strict=True))
    parquet, database = directory / "parquet", directory / "spanmill.duckdb"
    configuration = storing_configuration(
        ports,
        parquet={"directory": str(parquet), "max_age": "500ms"},
        duckdb={"path": str(database), "max_age": "500ms"},
    )
    with Collector(directory, configuration, ports["health"]) as collector:
        yield Running(collector, ports, {"parquet": from_parquet(parquet), "duckdb": from_duckdb(database)})
