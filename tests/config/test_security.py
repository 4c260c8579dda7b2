"""What `validate` says about authenticators and open doors; `real_files/wrong-auth.yaml` has the errors."""

import pytest

from tests.config.conftest import Problems, Read

OPEN = "anyone who reaches this address can send data, and read what others send"
READABLE = "credentials and data come in as plain text, which others on the network can read"


def gateway(listener: str, exporter: str = "debug: ") -> str:
    name = exporter.partition(":")[0]
    return (
        f"receivers: {{otlp: {{protocols: {listener}}}}}\n"
        f"exporters: {{{exporter}}}\n"
        "extensions: {bearertokenauth: {token: x}, basicauth: {client_auth: {username: a, password: b}}}\n"
        "service: {extensions: [bearertokenauth, basicauth], "
        f"pipelines: {{traces: {{receivers: [otlp], exporters: [{name}]}}}}}}\n"
    )


def warnings_of(read: Read, text: str) -> list[str]:
    return [warning.message for warning in read(text).warnings]


@pytest.mark.parametrize(
    "address", ["0.0.0.0:4317", "':4317'", "'[::]:4317'", "10.0.0.7:4317", "gateway.example.com:4317", "128.0.0.1:4317"]
)
@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_a_listener_for_other_machines_without_tls_is_warned_of(read: Read, protocol: str, address: str) -> None:
    assert warnings_of(read, gateway(f"{{{protocol}: {{endpoint: {address}}}}}")) == [OPEN]
    with_auth = f"{{{protocol}: {{endpoint: {address}, auth: {{authenticator: bearertokenauth}}}}}}"
    assert warnings_of(read, gateway(with_auth)) == [READABLE]


@pytest.mark.parametrize(
    "listener",
    [
        "{grpc: , http: }",
        "{grpc: {endpoint: 'localhost:1', auth: {authenticator: bearertokenauth}}}",
        "{http: {endpoint: '127.0.0.1:1', auth: {authenticator: bearertokenauth}}}",
        "{http: {endpoint: '127.8.0.1:1'}}",
        "{http: {endpoint: '[::1]:1'}}",
        "{grpc: {endpoint: 'unix:///run/otlp.sock'}}",
        "{grpc: {endpoint: ':1', tls: {cert_file: c, key_file: k}}}",
        "{http: {endpoint: ':1', tls: {cert_file: c, key_file: k}, auth: {authenticator: bearertokenauth}}}",
    ],
)
def test_a_listener_of_this_machine_or_with_tls_is_not_warned_of(read: Read, listener: str) -> None:
    assert warnings_of(read, gateway(listener)) == []


def test_pages_that_are_only_read_are_not_warned_of(read: Read) -> None:
    text = gateway("{grpc: }", "prometheus: {endpoint: ':8889'}").replace("traces", "metrics")
    text = text.replace("basicauth]", "basicauth, health_check], telemetry: {metrics: {address: ':8888'}}")
    text = text.replace("extensions: {", "extensions: {health_check: {endpoint: ':13133'}, ")
    assert warnings_of(read, text) == []


def test_a_warning_says_where_and_what_to_do(read: Read) -> None:
    (warning,) = read(gateway("{grpc: {endpoint: 0.0.0.0:4317}}")).warnings
    assert warning.render().partition(".yaml")[2] == (
        f":1:39 receivers.otlp.protocols.grpc.endpoint: warning: {OPEN}; expected `tls` and `auth`, "
        'or an address of this machine alone; found "0.0.0.0:4317". See docs/security.md.'
    )


@pytest.mark.parametrize(
    ("exporter", "expected"),
    [
        ("otlp_http: {endpoint: 'http://x:1', auth: {authenticator: basicauth}}", "credentials go out as plain text"),
        (
            "otlp_http: {traces_endpoint: 'http://10.0.0.1', auth: {authenticator: basicauth}}",
            "credentials go out as plain text",
        ),
        (
            "otlp_http: {endpoint: 'https://x', tls: {insecure_skip_verify: true}, auth: {authenticator: basicauth}}",
            "credentials go to whoever answers",
        ),
        ("otlp_http: {endpoint: 'https://x', auth: {authenticator: basicauth}}", ""),
        ("otlp_http: {endpoint: 'http://localhost:1', auth: {authenticator: basicauth}}", ""),
        ("otlp_http: {endpoint: 'http://[::1]:1', auth: {authenticator: basicauth}}", ""),
        ("otlp_http: {endpoint: 'http://x:1'}", ""),
        ("otlp_grpc: {endpoint: 'x:1', auth: {authenticator: basicauth}}", ""),
        ("otlp_grpc: {endpoint: 'unix:///run/x.sock', auth: {authenticator: basicauth}}", ""),
    ],
)
def test_credentials_that_others_can_read_on_their_way_are_warned_of(read: Read, exporter: str, expected: str) -> None:
    found = warnings_of(read, gateway("{grpc: }", exporter))
    assert len(found) == bool(expected)
    assert all(message.startswith(expected) for message in found)


@pytest.mark.parametrize("plain", ["endpoint: 'x:1', tls: {insecure: true}", "endpoint: 'http://localhost:1'"])
def test_credentials_over_grpc_without_tls_are_refused_as_in_the_collector(problems: Problems, plain: str) -> None:
    (problem,) = problems(gateway("{grpc: }", f"otlp_grpc: {{{plain}, auth: {{authenticator: basicauth}}}}"))
    assert "exporters.otlp_grpc.auth: credentials are not sent over gRPC without TLS; expected TLS" in problem


def test_an_authenticator_that_is_wrong_itself_is_told_of_once(problems: Problems) -> None:
    text = gateway("{grpc: {auth: {authenticator: bearertokenauth}}}").replace("token: x", "tokn: x")
    (problem,) = problems(text)
    assert "unknown key `tokn`" in problem


def test_what_no_pipeline_uses_is_not_looked_at(read: Read) -> None:
    text = gateway("{grpc: }").replace("otlp: {", "otlp/unused: {protocols: {grpc: {endpoint: ':1'}}}, otlp: {", 1)
    assert warnings_of(read, text) == []


SECRET = "hunter2"


@pytest.mark.parametrize(
    "text",
    [
        "exporters: {otlp_http: {endpoint: 'http://x', headers: 'authorization: hunter2'}}",
        "exporters: {otlp_http: {endpoint: 'http://x', headers: [hunter2]}}",
        "exporters: {otlp_http: {endpoint: 'http://x', headers: {a b: hunter2}}}",
        "exporters: {otlp_http: {endpoint: 'http://x', headers: {a: {b: hunter2}}}}",
        "exporters: {otlp_http: {endpoint: 'http://u:hunter2@x:abc'}}",
        "exporters: {otlp_http: {endpoint: 'http://u:hunter2@<x>'}}",
        "exporters: {otlp_http: 'http://u:hunter2@x'}",
        'exporters: {otlp_grpc: {endpoint: "x:1", headers: {a: "hunter2\\n"}}}',
        'exporters: {otlp_grpc: {endpoint: "x:1", headers: {a: "hunter2ü"}}}',
        "exporters: {otlp_grpc: {endpoint: 'x:1', tls: {cert_file: a, key_pem: [hunter2]}}}",
        "exporters: {otlp_grpc: {endpoint: 'x:1', tls: {key_file: a, key_pem: hunter2}}}",
        "extensions: {bearertokenauth: hunter2}",
        "extensions: {bearertokenauth: [hunter2]}",
        "extensions: {bearertokenauth: {token: [hunter2]}}",
        "extensions: {bearertokenauth: {token: ' hunter2'}}",
        "extensions: {bearertokenauth: {token: x, tokens: [hunter2]}}",
        "extensions: {bearertokenauth: {tokens: hunter2}}",
        "extensions: {bearertokenauth: {tokens: [a, {b: hunter2}]}}",
        "extensions: {bearertokenauth: {tokens: [a, hunter2ü]}}",
        "extensions: {bearertokenauth: {named_tokens: hunter2}}",
        "extensions: {bearertokenauth: {named_tokens: {a: hunter2, b: hunter2}}}",
        "extensions: {bearertokenauth: {named_tokens: {a a: hunter2}}}",
        "extensions: {bearertokenauth: {named_tokens: {a: [hunter2]}}}",
        "extensions: {bearertokenauth: {token: x, header: a b, tokn: hunter2}}",
        "extensions: {basicauth: 'u:hunter2'}",
        "extensions: {basicauth: {htpasswd: 'u:hunter2'}}",
        "extensions: {basicauth: {htpasswd: {inline: [hunter2]}}}",
        "extensions: {basicauth: {htpasswd: {inline: 'u:$apr1$hunter2'}}}",
        "extensions: {basicauth: {htpasswd: {inline: hunter2}}}",
        "extensions: {basicauth: {htpasswd: {inline: 'u:$2y$hunter2'}}}",
        "extensions: {basicauth: {htpasswd: {inline: 'u:p'}, client_auth: {username: u, password: hunter2}}}",
        "extensions: {basicauth: {client_auth: {password: hunter2}}}",
        "extensions: {basicauth: {client_auth: {username: 'a:b', password: hunter2}}}",
        "extensions: {basicauth: {client_auth: 'u:hunter2'}}",
        "extensions: {basicauth: {client_auth: {username: u, password: !hunter2 x}}}",
        "extensions: {basicauth: {client_auth: {username: u, password: *hunter2 }}}",
        "extensions: {basicauth: {client_auth: {username: u, password: abc$hunter2, x: y}}}",
    ],
)
def test_a_secret_does_not_show_in_what_is_wrong_with_it(problems: Problems, text: str) -> None:
    told = problems(text, environ={})
    assert told
    assert SECRET not in "\n".join(told)
