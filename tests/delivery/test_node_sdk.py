"""OpenTelemetry's JavaScript SDK sends over every protocol; what is stored equals what it sent, field by field."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from spanmill.generate.options import Protocol
from tests.delivery.conftest import Running
from tests.delivery.stored import Row, differences, when

_SCRIPT = Path(__file__).parent / "node" / "send.js"
_MODULES = Path(__file__).parents[2] / ".deps" / "node" / "node_modules"
_TIMES = ("start_time", "end_time", "time", "observed_time")
CASES = {
    f"node-{protocol.name.lower()}-{'gzip' if gzip else 'plain'}": (protocol, gzip)
    for protocol, gzip in product(Protocol, (False, True))
}
Sent = Mapping[str, dict[str, list[Row]]]

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not _MODULES.is_dir(), reason="OpenTelemetry's Node SDK is absent: make deps-node"
)


@pytest.fixture(scope="module")
def sent(running: Running) -> Sent:
    """By service and table, the rows that were sent; a service for each way of sending."""
    return {
        service: _send(running.target(protocol), protocol, "gzip" if gzip else "none", service)
        for service, (protocol, gzip) in CASES.items()
    }


def _send(target: str, protocol: Protocol, compression: str, service: str) -> dict[str, list[Row]]:
    command = ["node", str(_SCRIPT), protocol.value, target, compression, service]
    environment = os.environ | {"NODE_PATH": str(_MODULES)}
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    tables: dict[str, list[Row]] = json.loads(done.stdout)
    return {table: [_with_whole_times(row) for row in rows] for table, rows in tables.items()}


def _with_whole_times(row: Row) -> dict[str, Any]:
    """JSON numbers of JavaScript cannot hold nanoseconds, so they come as text."""
    whole = row | {key: int(row[key]) for key in _TIMES if key in row}
    if "end_time" in row:
        whole["duration_ms"] = (whole["end_time"] - whole["start_time"]) / 1e6
    if "events" in row:
        whole["events"] = [event | {"time": int(event["time"])} for event in row["events"]]
    return whole


@pytest.mark.parametrize("store", ["parquet", "duckdb"])
@pytest.mark.parametrize("table", ["spans", "metrics", "logs"])
@pytest.mark.parametrize("service", CASES)
def test_what_the_node_sdk_sent_is_stored_as_it_was(
    running: Running, sent: Sent, service: str, table: str, store: str
) -> None:
    expected = sent[service][table]
    assert expected
    when(lambda: len(running.stores[store](table, service)) >= len(expected))
    assert differences(running.stores[store](table, service), expected) == []
