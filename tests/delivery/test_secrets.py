"""Secrets planted wherever a credential can be configured, and searched for in everything that a daemon says."""

import base64
import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme

from spanmill.generate.collector import Collector, free_ports
from spanmill.otlp.messages import SERVICES
from spanmill.signal import Signal
from tests.delivery.answering import answering
from tests.delivery.stored import when
from tests.extensions.credentials import basic
from tests.otlp_samples import SAMPLES, traces

MARK = "hunter2"
"""In every planted secret, and nowhere else."""
ENCODED = [
    base64.b64encode(f"{'x' * shift}{MARK}".encode()).decode()[(0, 2, 3)[shift] : (shift + len(MARK)) * 8 // 6]
    for shift in range(3)
]
"""How it may look within base64, wherever it begins."""


@pytest.fixture
def http_port() -> Iterator[int]:
    """A server that answers with the credentials that it was sent, refusing now and then for good or for now."""
    statuses = cycle((401, 503, 400))

    def repeated(headers: Message, _body: bytes) -> tuple[int, bytes]:
        return next(statuses), f"who is {headers['Authorization']} {headers['X-Key']}?".encode()

    with answering(repeated) as port:
        yield port


@contextmanager
def repeating_grpc(key: bytes, certificate: bytes) -> Iterator[int]:
    """The same over gRPC with TLS."""
    from concurrent.futures import ThreadPoolExecutor

    def refuse(_message: bytes, context: Any) -> bytes:
        metadata = dict(context.invocation_metadata())
        context.abort(grpc.StatusCode.UNAVAILABLE, f"who is {metadata['authorization']} {metadata['x-key']}?")
        return b""

    class Methods(grpc.GenericRpcHandler):  # type: ignore[misc]
        def service(self, _details: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(refuse)

    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool, handlers=(Methods(),))
        port = server.add_secure_port("localhost:0", grpc.ssl_server_credentials([(key, certificate)]))
        server.start()
        yield port
        server.stop(0).wait()


def planted(
    directory: Path, http_port: int, grpc_port: int, pem: dict[str, str], ports: dict[str, int]
) -> dict[str, Any]:
    """A configuration with a secret in every place that can hold one."""
    auth = {"endpoint": f"127.0.0.1:{ports['grpc']}", "auth": {"authenticator": "bearertokenauth/in"}}
    http_auth = {"endpoint": f"127.0.0.1:{ports['http']}", "auth": {"authenticator": "basicauth/in"}}
    retry = {"retry_on_failure": {"initial_interval": "100ms", "max_interval": "200ms"}, "compression": "none"}
    over_http = {**retry, "headers": {"x-key": f"{MARK}-key"}}
    base = f"http://127.0.0.1:{http_port}"
    exporters = {
        "otlp_http/token": {**over_http, "endpoint": base, "auth": {"authenticator": "bearertokenauth/out"}},
        "otlp_http/user": {**over_http, "endpoint": base, "auth": {"authenticator": "basicauth/out"}},
        "otlp_http/files": {**over_http, "endpoint": base, "auth": {"authenticator": "basicauth/files"}},
        "otlp_http/url": {**over_http, "endpoint": f"http://ada:{MARK}-url@127.0.0.1:{http_port}"},
        "otlp_http/header": {**retry, "endpoint": base, "headers": {"Authorization": f"Bearer {MARK}-header"}},
        "otlp_http/away": {
            **over_http,
            "endpoint": f"https://ada:{MARK}-away@127.0.0.1:9",
            "proxy_url": f"http://proxy:{MARK}-proxy@127.0.0.1:9",
        },
        "otlp_grpc/token": {
            **over_http,
            "endpoint": f"localhost:{grpc_port}",
            "tls": {"ca_pem": pem["ca"], "cert_pem": pem["cert"], "key_pem": pem["key"]},
            "auth": {"authenticator": "bearertokenauth/out"},
        },
        "prometheus": {"endpoint": f"127.0.0.1:{ports['page']}"},
        "debug": {"verbosity": "detailed"},
    }
    extensions = {
        "health_check": {"endpoint": f"127.0.0.1:{ports['health']}"},
        "bearertokenauth/in": {"filename": str(directory / "secret-tokens")},
        "bearertokenauth/out": {"tokens": [f"{MARK}-out"], "named_tokens": {"me": f"{MARK}-named"}},
        "basicauth/in": {"htpasswd": {"file": str(directory / "secret-htpasswd"), "inline": f"eve:{MARK}-inline"}},
        "basicauth/out": {"client_auth": {"username": "ada", "password": f"{MARK}-password"}},
        "basicauth/files": {"client_auth": {"username": "ada", "password_file": str(directory / "secret-password")}},
    }
    names = [name for name in exporters if name != "prometheus"]
    everywhere = {signal: names + ["prometheus"] * (signal is Signal.METRICS) for signal in Signal}
    return {
        "receivers": {"otlp": {"protocols": {"grpc": auth, "http": http_auth}}},
        "exporters": exporters,
        "extensions": extensions,
        "service": {
            "extensions": list(extensions),
            "shutdown_timeout": "1s",
            "telemetry": {
                "metrics": {"address": f"127.0.0.1:{ports['metrics']}", "level": "detailed"},
                "logs": {"level": "debug"},
            },
            "pipelines": {
                signal.value: {"receivers": ["otlp"], "exporters": listed} for signal, listed in everywhere.items()
            },
        },
    }


def send(ports: dict[str, int]) -> None:
    """Right credentials and wrong ones, well-formed and not, over both protocols."""
    with grpc.insecure_channel(f"127.0.0.1:{ports['grpc']}") as channel:
        for signal in Signal:
            call = channel.unary_unary(SERVICES[signal].method)
            call(SAMPLES[signal], metadata=(("authorization", f"Bearer {MARK}-in"),))
        call = channel.unary_unary(SERVICES[Signal.TRACES].method)
        for value in (f"Bearer {MARK}-guess", f"{MARK}-guess", basic("ada", f"{MARK}-guess")):
            with pytest.raises(grpc.RpcError) as caught:
                call(traces(), metadata=(("authorization", value),))
            assert MARK not in str(caught.value)
    good = basic("bob", f"{MARK}-bob")
    for line in (
        f"Authorization: {good}",
        f"Authorization: {basic('bob', f'{MARK}-guess')}",
        f"Authorization: Bearer {MARK}-guess",
        f"Authorization Basic {MARK}-guess",
        f"Authorization: \x00{MARK}-guess",
        f"Authorization: {MARK}-guess\r\nAuthorization: {MARK}-guess",
        f"Authorization: {MARK}-{'guess' * 10_000}",
    ):
        for path in ("/v1/traces", f"/v1/nothing?token={MARK}"):
            said = raw(ports["http"], f"POST {path} HTTP/1.1\r\nHost: x\r\n{line}\r\nContent-Length: 0\r\n\r\n")
            assert said.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), said
            assert found_in(said) == []


def raw(port: int, request: str) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request.encode("latin-1"))
        return connection.recv(65536)


def found_in(data: bytes) -> list[str]:
    """The forms of the mark that are in the data."""
    return [form for form in (MARK, *ENCODED) if form.encode() in data]


def served(*urls: str) -> Iterator[bytes]:
    for url in urls:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                yield answer.read()
        except urllib.error.HTTPError as error:
            yield error.read()


def spanmill(*arguments: str) -> bytes:
    """What a command of the command line prints."""
    command = [sys.executable, "-m", "spanmill", *arguments]
    result = subprocess.run(command, capture_output=True, check=False, timeout=60, env={**os.environ, "COLUMNS": "500"})
    return result.stdout + result.stderr


def _refused_to_read_again(collector: Collector, ports: dict[str, int]) -> bool:
    """Files are looked at when somebody sends."""
    send(ports)
    return collector.log().count("cannot be read again") >= 2


def _has_spoken(collector: Collector, exporter: str) -> bool:
    return f'"{exporter}"' in collector.log()


@pytest.mark.parametrize("encoding", ["console", "json"])
def test_no_secret_is_in_anything_that_a_daemon_says_serves_or_writes(
    tmp_path: Path, http_port: int, encoding: str
) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    key, certificate = issued.private_key_pem.bytes(), issued.cert_chain_pems[0].bytes()
    pem = {"ca": authority.cert_pem.bytes().decode(), "cert": certificate.decode(), "key": key.decode()}
    (tmp_path / "secret-tokens").write_text(f"team: {MARK}-in\n{MARK}-unnamed\n")
    (tmp_path / "secret-htpasswd").write_text(f"bob:{MARK}-bob\n")
    (tmp_path / "secret-password").write_text(f"{MARK}-file\n")
    ports = dict(zip(("grpc", "http", "health", "metrics", "page"), free_ports(5), strict=True))
    with repeating_grpc(key, certificate) as grpc_port:
        configuration = planted(tmp_path, http_port, grpc_port, pem, ports)
        configuration["service"]["telemetry"]["logs"]["encoding"] = encoding
        collector = Collector(tmp_path, configuration, ports["health"])
        try:
            collector.start()
            send(ports)
            (tmp_path / "secret-tokens").write_text(f"team: {MARK}-in\nother team: {MARK}é\n")
            (tmp_path / "secret-htpasswd").write_text(f"bob:$apr1${MARK}$x\n")
            when(lambda: _refused_to_read_again(collector, ports))
            for name in configuration["exporters"]:
                if name.startswith("otlp"):
                    when(partial(_has_spoken, collector, name))
            pages = [f"http://127.0.0.1:{ports[name]}/metrics" for name in ("metrics", "page")]
            said = [
                *served(*pages, f"http://127.0.0.1:{ports['health']}/", f"http://127.0.0.1:{ports['health']}/debug")
            ]
            collector.stop()
        finally:
            collector.kill()
    printed = spanmill("print-config", "-c", str(tmp_path / "config.yaml"), "--format", "json")
    assert json.loads(printed)["exporters"]["otlp_http/token"]["headers"] == {"x-key": "[REDACTED]"}
    said += [printed, spanmill("validate", "-c", str(tmp_path / "config.yaml"))]
    assert [found_in(text) for text in said] == [[]] * len(said)
    searched = [
        path for path in tmp_path.rglob("*") if path.is_file() and not path.name.startswith(("secret-", "config"))
    ]
    assert collector.log_path in searched
    assert {str(path): found for path in searched if (found := found_in(path.read_bytes()))} == {}
    key_line = pem["key"].splitlines()[1]
    assert key_line.encode() not in b"".join(said) + collector.log_path.read_bytes()
    log = collector.log()
    assert "[REDACTED]" in log, "the peers did repeat what they were sent"
    assert "who is" in log


def test_the_search_would_find_them(tmp_path: Path) -> None:
    """Guards the test above: printed with secrets, the configuration has every one of them."""
    pem = dict.fromkeys(("ca", "cert", "key"), "x")
    configuration = planted(tmp_path, 1, 2, pem, dict.fromkeys(("grpc", "http", "health", "metrics", "page"), 0))
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps(configuration))
    shown = spanmill("print-config", "--unredacted", "-c", str(path))
    assert shown.count(MARK.encode()) == path.read_text().count(MARK) > 10
    assert [len(found_in(basic("a" * length, f"{MARK}-word").encode())) for length in range(1, 7)] == [1] * 6
