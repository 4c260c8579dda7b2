"""What takes more than one component to see: whether authenticators fit where they are named, and what is left open."""

import ipaddress
from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from spanmill.config.authentication import Authenticator, AuthReference, ServerAuth
from spanmill.config.forwarding import ForwardingConfig
from spanmill.config.models import Configuration
from spanmill.config.problems import Problem, Severity, describe, did_you_mean, dotted, one_of
from spanmill.config.sections import Defined, parse_id
from spanmill.config.tree import Path, Tree
from spanmill.config.values import Endpoint
from spanmill.exporters.otlp_grpc.config import OtlpGrpcExporterConfig
from spanmill.exporters.otlp_http.config import OtlpHttpExporterConfig
from spanmill.names import ComponentId, Kind
from spanmill.receivers.otlp.config import GrpcListener, HttpListener, OtlpReceiverConfig
from spanmill.registry import component_type, component_types
from spanmill.signal import Signal

_MANUAL: Final = "See docs/security.md."


def security_problems(configuration: Configuration, defined: Defined, root: Tree) -> Iterator[Problem]:
    """Errors about authenticators, and warnings about what others on the network can read or send."""
    for path, listener in _listeners(configuration):
        if listener.auth is not None:
            yield from _authenticator_problems(_Use(path, listener.auth), configuration, defined, root)
        yield from _listener_warnings(path, listener, root)
    for component, config in configuration.used(Kind.EXPORTERS).items():
        if isinstance(config, ForwardingConfig) and config.auth is not None:
            path = (Kind.EXPORTERS.value, str(component))
            yield from _authenticator_problems(_Use(path, config.auth), configuration, defined, root)
            yield from _connection_problems(path, config, configuration, root)


class _Use(NamedTuple):
    """A place that names an authenticator."""

    path: Path
    """Of the block that has `auth`."""
    auth: AuthReference


def _listeners(configuration: Configuration) -> Iterator[tuple[Path, GrpcListener | HttpListener]]:
    for component, config in configuration.used(Kind.RECEIVERS).items():
        if isinstance(config, OtlpReceiverConfig):
            for name, listener in (("grpc", config.protocols.grpc), ("http", config.protocols.http)):
                if listener is not None:
                    yield (Kind.RECEIVERS.value, str(component), "protocols", name), listener


def _authenticator_problems(use: _Use, configuration: Configuration, defined: Defined, root: Tree) -> Iterator[Problem]:
    """Whether it is defined, runs, is an authenticator, and has the half that is wanted."""
    text, path = use.auth.authenticator, (*use.path, "auth", "authenticator")
    location = root.nearest(path).location
    component, known = parse_id(text), defined.ids[Kind.EXTENSIONS]
    if component is None or component not in known:
        hint = did_you_mean(text, map(str, known)) or f"Add `{text}:` under `extensions`."
        yield Problem(f"`{text}` is not defined under `extensions`", dotted(path), location, hint=hint)
        return
    if component not in configuration.service.extensions:
        hint = f"Add {text} to `service.extensions`."
        yield Problem(f"the authenticator {text} does not run", dotted(path), location, hint=hint)
    if component_type(Kind.EXTENSIONS, component.type) is None:
        return  # told where it is defined
    config = configuration.extensions.get(component)
    if not _is_authenticator(component):
        expected = f"an extension of type {one_of(_authenticator_types())}"
        yield Problem(f"{text} is not an authenticator", dotted(path), location, expected)
    elif isinstance(config, Authenticator):
        yield from _half_problems(use, config, root)


def _half_problems(use: _Use, config: Authenticator, root: Tree) -> Iterator[Problem]:
    text, path = use.auth.authenticator, (*use.path, "auth", "authenticator")
    location = root.nearest(path).location
    if isinstance(use.auth, ServerAuth):
        if not config.checks_senders:
            message = f"{text} sends credentials and cannot check those of others"
            yield Problem(message, dotted(path), location, "one with `htpasswd`")
        elif use.auth.sender_attribute is not None and not config.names_senders:
            path = (*use.path, "auth", "sender_attribute")
            message = "a token has no name, and its sender's address is taken instead"
            hint = "Give each sender a token of its own under `named_tokens`."
            yield Problem(message, dotted(path), root.nearest(path).at_key(), hint=hint, severity=Severity.WARNING)
    elif not config.sends_credentials:
        message = f"{text} checks the credentials of others and has none to send"
        yield Problem(message, dotted(path), location, "one with `client_auth`")


def _is_authenticator(component: ComponentId) -> bool:
    known = component_type(Kind.EXTENSIONS, component.type)
    return known is not None and issubclass(known.load_config(), Authenticator)


def _authenticator_types() -> list[str]:
    return [known.name for known in component_types(Kind.EXTENSIONS) if issubclass(known.load_config(), Authenticator)]


def _listener_warnings(path: Path, listener: GrpcListener | HttpListener, root: Tree) -> Iterator[Problem]:
    """A listener for other machines that does not encrypt. Pages that are only read are not told of."""
    if _is_local(listener.endpoint) or listener.tls is not None:
        return
    path = (*path, "endpoint")
    message, hint = "anyone who reaches this address can send data, and read what others send", "`tls` and `auth`"
    if listener.auth is not None:
        message, hint = "credentials and data come in as plain text, which others on the network can read", "`tls`"
    tree = root.nearest(path)
    yield Problem(
        message,
        dotted(path),
        tree.at_key(),
        f"{hint}, or an address of this machine alone",
        describe(tree.value) if tree.text else "",
        _MANUAL if listener.auth is None else "",
        Severity.WARNING,
    )


def _connection_problems(
    path: Path, config: ForwardingConfig, configuration: Configuration, root: Tree
) -> Iterator[Problem]:
    """Credentials that would be readable on their way, or sent twice."""
    assert config.auth is not None
    where, location = dotted((*path, "auth")), root.nearest((*path, "auth")).at_key()
    authenticator = configuration.extensions.get(config.auth.extension)
    if isinstance(authenticator, Authenticator):
        header = authenticator.header_name.lower()
        twice = next((f"`headers` has {name}" for name in config.headers if name.lower() == header), "")
        if header == "authorization" and isinstance(config, OtlpHttpExporterConfig) and config.user_in_url:
            twice = "the URL has a user"
        if twice:
            yield Problem(f"{twice} too", where, location, "credentials once", hint="Remove one of them.")
    if isinstance(config, OtlpGrpcExporterConfig):
        if config.plaintext and not config.endpoint.startswith("unix"):
            hint = "Remove `tls.insecure` and http://, or put the header into `headers` if it may be read on its way."
            yield Problem("credentials are not sent over gRPC without TLS", where, location, "TLS", hint=hint)
    elif isinstance(config, OtlpHttpExporterConfig):
        plain = next((url for signal in Signal if (url := config.url(signal)) and _is_plain_and_remote(url)), None)
        if plain is not None:
            message = "credentials go out as plain text, which others on the network can read"
            yield Problem(message, where, location, "an https:// endpoint", severity=Severity.WARNING)
    if config.tls.insecure_skip_verify:
        message = "credentials go to whoever answers: `tls.insecure_skip_verify` does not check who that is"
        yield Problem(message, where, location, "`tls.ca_file`", severity=Severity.WARNING)


def _is_plain_and_remote(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and not _is_loopback(parts.hostname or "")


def _is_local(endpoint: Endpoint) -> bool:
    return bool(endpoint.socket) or _is_loopback(endpoint.host)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
