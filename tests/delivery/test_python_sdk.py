"""OpenTelemetry's Python SDK sends over every protocol; what is stored equals what it sent, field by field."""

from collections.abc import Mapping
from itertools import product

import pytest

from spanmill.generate.options import Protocol
from tests.delivery.conftest import Running
from tests.delivery.python_sdk import Row, names_of, send
from tests.delivery.stored import differences, when

CASES = {
    f"python-{protocol.name.lower()}-{'gzip' if gzip else 'plain'}": (protocol, gzip)
    for protocol, gzip in product(Protocol, (False, True))
}
Sent = Mapping[str, dict[str, list[Row]]]


@pytest.fixture(scope="module")
def sent(running: Running) -> Sent:
    """By service and table, the rows that were sent; a service for each way of sending."""
    return {
        service: send(protocol, running.target(protocol), gzip=gzip, service=service)
        for service, (protocol, gzip) in CASES.items()
    }


@pytest.mark.parametrize("store", ["parquet", "duckdb"])
@pytest.mark.parametrize("table", ["spans", "metrics", "logs"])
@pytest.mark.parametrize("service", CASES)
def test_what_the_python_sdk_sent_is_stored_as_it_was(
    running: Running, sent: Sent, service: str, table: str, store: str
) -> None:
    expected = sent[service][table]
    assert expected
    when(lambda: len(running.stores[store](table, service)) >= len(expected))
    assert differences(running.stores[store](table, service), expected) == []


def test_the_sdk_sent_every_kind_of_span_and_metric(sent: Sent) -> None:
    """Guards the tests above against an SDK that quietly sends less."""
    for rows in sent.values():
        assert {row["kind"] for row in rows["spans"]} == {"internal", "server", "client", "producer", "consumer"}
        assert {row["type"] for row in rows["metrics"]} == {"gauge", "sum", "histogram", "exponential_histogram"}
        assert names_of(rows["metrics"]) >= {"requests", "queue.length", "sessions", "payload.size"}
        assert len(rows["logs"]) == 2
