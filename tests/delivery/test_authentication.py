"""A gateway that asks for credentials over TLS: OpenTelemetry's SDK in front of it, and another Spanmill."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import bcrypt
import pytest
import trustme

from spanmill.generate.collector import Collector, free_ports, own_page
from spanmill.generate.options import Protocol
from spanmill.signal import Signal
from tests.delivery.python_sdk import outcomes
from tests.delivery.stored import from_parquet, when
from tests.extensions.credentials import basic

CREDENTIALS = {
    Protocol.GRPC: ("Bearer s3cret-a", "team-a"),
    Protocol.HTTP_PROTOBUF: (basic("ada", "s3cret-b"), "ada"),
    Protocol.HTTP_JSON: (basic("ada", "s3cret-b"), "ada"),
}
"""Of each protocol: the gRPC listener asks for tokens, the HTTP listener for users and passwords."""
WRONG = {
    "missing": "",
    "wrong-token": "Bearer s3cret-z",
    "wrong-password": basic("ada", "s3cret-z"),
    "wrong-user": basic("eve", "s3cret-b"),
}


@dataclass(frozen=True)
class Gateway:
    """A collector that lets in whom it knows."""

    directory: Path
    ports: dict[str, int]

    @property
    def authority(self) -> Path:
        return self.directory / "ca.pem"

    @property
    def tokens(self) -> Path:
        return self.directory / "tokens"

    def target(self, protocol: Protocol) -> str:
        return f"https://localhost:{self.ports['grpc' if protocol is Protocol.GRPC else 'http']}"

    def rows(self, service: str, table: str = "spans") -> list[dict[str, Any]]:
        return from_parquet(self.directory / "parquet")(table, service)

    def turned_away(self) -> float:
        """Requests that were refused for good so far."""
        return own_page(self.ports["metrics"]).get("spanmill_receiver_bad_requests", 0.0)

    def senders(self, service: str, table: str) -> set[str]:
        """Whom the rows of a service are from, once there are any."""
        when(lambda: self.rows(service, table) != [])
        return {dict(_mapping(row["resource_attributes"])).get("sender", "") for row in self.rows(service, table)}


def _mapping(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _configuration(directory: Path, ports: dict[str, int]) -> dict[str, Any]:
    tls = {"cert_file": str(directory / "cert.pem"), "key_file": str(directory / "key.pem")}
    protocols = {
        "grpc": {
            "endpoint": f"localhost:{ports['grpc']}",
            "tls": tls,
            "auth": {"authenticator": "bearertokenauth", "sender_attribute": "sender"},
        },
        "http": {
            "endpoint": f"localhost:{ports['http']}",
            "tls": tls,
            "auth": {"authenticator": "basicauth", "sender_attribute": "sender"},
        },
    }
    pipeline = {"receivers": ["otlp"], "exporters": ["parquet"]}
    return {
        "receivers": {"otlp": {"protocols": protocols}},
        "exporters": {"parquet": {"directory": str(directory / "parquet"), "max_age": "300ms"}},
        "extensions": {
            "health_check": {"endpoint": f"127.0.0.1:{ports['health']}"},
            "bearertokenauth": {"filename": str(directory / "tokens")},
            "basicauth": {"htpasswd": {"file": str(directory / "htpasswd")}},
        },
        "service": {
            "extensions": ["health_check", "bearertokenauth", "basicauth"],
            "telemetry": {"metrics": {"address": f"127.0.0.1:{ports['metrics']}"}},
            "pipelines": {signal.value: pipeline for signal in Signal},
        },
    }


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    directory = tmp_path_factory.mktemp("gateway")
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(directory / "ca.pem")
    issued.private_key_pem.write_to_path(directory / "key.pem")
    issued.cert_chain_pems[0].write_to_path(directory / "cert.pem")
    directory.joinpath("tokens").write_text("team-a: s3cret-a\nsidecar: s3cret-s\n")
    users = {"ada": b"s3cret-b", "sidecar": b"s3cret-t"}
    lines = [f"{user}:{bcrypt.hashpw(password, bcrypt.gensalt(10)).decode()}\n" for user, password in users.items()]
    directory.joinpath("htpasswd").write_text("".join(lines))
    ports = dict(zip(("grpc", "http", "health", "metrics"), free_ports(4), strict=True))
    with Collector(directory, _configuration(directory, ports), ports["health"]):
        yield Gateway(directory, ports)


def _as_applications_do(monkeypatch: pytest.MonkeyPatch, gateway: Gateway, credentials: str) -> None:
    """By the variables that every SDK reads."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(gateway.authority))
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # they would count more
        monkeypatch.delenv(name, raising=False)
    if credentials:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"authorization={quote(credentials)}")


@pytest.mark.parametrize("protocol", Protocol)
def test_the_sdk_with_the_right_credentials_is_taken_and_known_by_name(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, protocol: Protocol
) -> None:
    credentials, sender = CREDENTIALS[protocol]
    _as_applications_do(monkeypatch, gateway, credentials)
    service = f"right-{protocol.name}"
    assert outcomes(protocol, gateway.target(protocol), service=service) == [{"SUCCESS"}] * 3
    for table in ("spans", "metrics", "logs"):
        assert gateway.senders(service, table) == {sender}


@pytest.mark.parametrize("protocol", Protocol)
@pytest.mark.parametrize("credentials", WRONG.values(), ids=WRONG.keys())
def test_the_sdk_with_other_credentials_is_told_no(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, protocol: Protocol, credentials: str
) -> None:
    _as_applications_do(monkeypatch, gateway, credentials)
    service, before = f"wrong-{protocol.name}", gateway.turned_away()
    assert outcomes(protocol, gateway.target(protocol), service=service) == [{"FAILURE"}] * 3
    assert gateway.turned_away() == before + 3
    assert [gateway.rows(service, table) for table in ("spans", "metrics", "logs")] == [[]] * 3


def _sidecar(directory: Path, gateway: Gateway, ports: dict[str, int], protocol: Protocol) -> dict[str, Any]:
    tls = {"ca_file": str(gateway.authority)}
    exporter: dict[str, Any]
    if protocol is Protocol.GRPC:
        exporter = {"endpoint": f"localhost:{gateway.ports['grpc']}", "auth": {"authenticator": "bearertokenauth"}}
    else:
        endpoint, encoding = gateway.target(protocol), "json" if protocol is Protocol.HTTP_JSON else "proto"
        exporter = {"endpoint": endpoint, "encoding": encoding, "auth": {"authenticator": "basicauth"}}
    name = "otlp_grpc" if protocol is Protocol.GRPC else "otlp_http"
    pipeline = {"receivers": ["otlp"], "exporters": [name]}
    return {
        "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{ports['grpc']}"}}}},
        "exporters": {name: {**exporter, "tls": tls}},
        "extensions": {
            "health_check": {"endpoint": f"127.0.0.1:{ports['health']}"},
            "bearertokenauth": {"filename": str(directory / "token")},
            "basicauth": {"client_auth": {"username": "sidecar", "password_file": str(directory / "password")}},
        },
        "service": {
            "extensions": ["health_check", "bearertokenauth", "basicauth"],
            "telemetry": {"metrics": {"address": f"127.0.0.1:{ports['metrics']}"}},
            "pipelines": {signal.value: pipeline for signal in Signal},
        },
    }


@pytest.mark.parametrize("protocol", Protocol)
def test_one_spanmill_authenticates_at_the_next(gateway: Gateway, tmp_path: Path, protocol: Protocol) -> None:
    tmp_path.joinpath("token").write_text("s3cret-s\n")
    tmp_path.joinpath("password").write_text("s3cret-t\n")
    ports = dict(zip(("grpc", "health", "metrics"), free_ports(3), strict=True))
    service = f"behind-{protocol.name}"
    with Collector(tmp_path, _sidecar(tmp_path, gateway, ports, protocol), ports["health"]):
        assert outcomes(Protocol.GRPC, f"http://127.0.0.1:{ports['grpc']}", service=service) == [{"SUCCESS"}] * 3
    for table in ("spans", "metrics", "logs"):
        assert gateway.senders(service, table) == {"sidecar"}


def test_a_token_that_is_added_counts_without_a_restart(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    _as_applications_do(monkeypatch, gateway, "Bearer s3cret-new")
    target, before = gateway.target(Protocol.GRPC), gateway.tokens.read_text()
    assert outcomes(Protocol.GRPC, target, service="new")[0] == {"FAILURE"}
    gateway.tokens.write_text(f"{before}team-new: s3cret-new\n")
    when(lambda: outcomes(Protocol.GRPC, target, service="new")[0] == {"SUCCESS"})
    when(lambda: "team-new" in gateway.senders("new", "spans"))
    gateway.tokens.write_text(before)
    when(lambda: outcomes(Protocol.GRPC, target, service="new")[0] == {"FAILURE"})
