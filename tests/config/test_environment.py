"""Trying the machine: ports, directories, certificates and servers."""

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from spanmill.config.environment import check_environment
from tests.config.conftest import RUNNABLE, Read


@pytest.fixture
def taken_port() -> Iterator[int]:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return int(server.getsockname()[1])


QUIET = """
receivers: {otlp: {protocols: {grpc: {endpoint: 'localhost:0'}}}}
service: {telemetry: {metrics: {level: none}}}
"""


def problems_of(read: Read, *texts: str) -> list[str]:
    return [problem.render() for problem in check_environment(read(RUNNABLE, QUIET, *texts))]


def test_a_machine_that_gives_everything_has_no_problem(read: Read, tmp_path: Path, taken_port: int) -> None:
    exporters = f"{{parquet: {{directory: {tmp_path}/a/b}}, otlp_http: {{endpoint: 'http://127.0.0.1:{taken_port}'}}}}"
    pipelines = "{traces: {receivers: [otlp], exporters: [parquet, otlp_http]}}"
    assert problems_of(read, f"{{exporters: {exporters}, service: {{pipelines: {pipelines}}}}}") == []
    assert not (tmp_path / "a").exists()


def test_a_port_in_use_names_the_component(read: Read, taken_port: int) -> None:
    receivers = f"{{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:{taken_port}'}}}}}}}}"
    (line,) = problems_of(read, f"receivers: {receivers}")
    assert line == (
        "receivers.otlp.protocols.grpc.endpoint: receiver otlp (grpc): "
        f"cannot listen on 127.0.0.1:{taken_port}: Address already in use"
    )


def test_a_server_that_does_not_answer_is_named(read: Read, closed_port: int) -> None:
    exporters = f"{{otlp_grpc: {{endpoint: '127.0.0.1:{closed_port}', tls: {{insecure: true}}}}}}"
    pipelines = "{traces: {receivers: [otlp], exporters: [otlp_grpc]}}"
    (line,) = problems_of(read, f"{{exporters: {exporters}, service: {{pipelines: {pipelines}}}}}")
    assert line.startswith("exporters.otlp_grpc.endpoint: exporter otlp_grpc: cannot connect to 127.0.0.1")


def test_an_output_that_cannot_be_written_is_named(read: Read, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    exporters = f"{{parquet: {{directory: {tmp_path}/file}}, duckdb: {{path: {tmp_path}/file/spans.duckdb}}}}"
    pipelines = "{traces: {receivers: [otlp], exporters: [parquet, duckdb]}}"
    lines = problems_of(read, f"{{exporters: {exporters}, service: {{pipelines: {pipelines}}}}}")
    assert len(lines) == 2
    assert "is not a directory" in lines[0]
    assert "cannot write in" in lines[1]


def test_a_certificate_that_is_not_there_is_named(read: Read) -> None:
    tls = "{cert_file: /nowhere/cert.pem, key_file: /nowhere/key.pem}"
    lines = problems_of(read, f"receivers: {{otlp: {{protocols: {{grpc: {{tls: {tls}}}}}}}}}")
    assert lines == [
        "receivers.otlp.protocols.grpc.tls.cert_file: /nowhere/cert.pem cannot be read: No such file or directory",
        "receivers.otlp.protocols.grpc.tls.key_file: /nowhere/key.pem cannot be read: No such file or directory",
    ]


def test_a_file_of_credentials_that_is_not_there_is_named(read: Read) -> None:
    extensions = (
        "{bearertokenauth: {filename: /nowhere/tokens}, basicauth/in: {htpasswd: {file: /nowhere/htpasswd}}, "
        "basicauth/out: {client_auth: {username: a, password_file: /nowhere/password}}}"
    )
    service = "{extensions: [bearertokenauth, basicauth/in, basicauth/out]}"
    lines = problems_of(read, f"{{extensions: {extensions}, service: {service}}}")
    assert [line.partition(": No such")[0] for line in lines] == [
        "extensions.bearertokenauth.filename: /nowhere/tokens cannot be read",
        "extensions.basicauth/in.htpasswd.file: /nowhere/htpasswd cannot be read",
        "extensions.basicauth/out.client_auth.password_file: /nowhere/password cannot be read",
    ]
