"""TLS from configuration blocks, for listeners and for connections that Spanmill opens.

Certificates are renewed while the daemon runs: `ServerTls` and `ClientTls` look at the files again, at most every
`reload_interval`, when a connection is made. Files that cannot be used then are logged and the ones before kept.
"""

import contextlib
import os
import ssl
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from spanmill.config.blocks import Tls, TlsClient, TlsServer
from spanmill.telemetry.logs import component_log

_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_log = component_log("service", "tls")


@dataclass(frozen=True, slots=True)
class Material:
    """Certificates and keys as PEM text; empty where there is none."""

    cert: bytes = b""
    key: bytes = b""
    ca: bytes = b""
    client_ca: bytes = b""


def read_material(config: Tls) -> Material:
    """Read what the block names. Raises `OSError` with the path and the reason."""
    key = config.key_pem.reveal() if config.key_pem else None
    return Material(
        cert=_read(config.cert_file, config.cert_pem),
        key=_read(config.key_file, key),
        ca=_read(config.ca_file, config.ca_pem),
        client_ca=_read(config.client_ca_file, None) if isinstance(config, TlsServer) else b"",
    )


def server_context(config: TlsServer, material: Material) -> ssl.SSLContext:
    """The context of a listener. Raises `OSError` when certificate and key cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _set_versions(context, config)
    _load_chain(context, material, config)
    if material.client_ca:
        _load_authorities(context, material.client_ca, config.client_ca_file)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(config: TlsClient, material: Material) -> ssl.SSLContext:
    """The context of a connection that Spanmill opens. Raises `OSError` when the certificates cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _set_versions(context, config)
    if not material.ca or config.include_system_ca_certs_pool:
        context.load_default_certs()
    if material.ca:
        _load_authorities(context, material.ca, config.ca_file)
    if material.cert:
        _load_chain(context, material, config)
    if config.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class _Reloading:
    """Reads files again when they have changed. Safe from any thread: the worst that a race does is a second read."""

    def __init__(self, config: Tls) -> None:
        self._config = config
        self._checked = time.monotonic()
        self._seen = _fingerprint(config)
        self.material = read_material(config)

    def renewed(self) -> bool:
        """Look at the files if it is time to. True when there is new material that can be used."""
        interval, now = self._config.reload_interval, time.monotonic()
        if not interval or now - self._checked < interval:
            return False
        self._checked = now
        seen = _fingerprint(self._config)
        if seen == self._seen:
            return False
        self._seen = seen
        try:
            material = read_material(self._config)
            self._use(material)
        except OSError as error:
            _log.error("renewed certificates cannot be used; the old ones stay in use", reason=str(error))
            return False
        self.material = material
        return True

    def _use(self, material: Material) -> None:
        raise NotImplementedError


class ServerTls(_Reloading):
    """TLS of one listener."""

    def __init__(self, config: TlsServer) -> None:
        super().__init__(config)
        self._server_config = config
        self._use(self.material)

    def _use(self, material: Material) -> None:
        self._context = server_context(self._server_config, material)

    def context(self) -> ssl.SSLContext:
        """The context for the next connection."""
        self.renewed()
        return self._context

    def grpc_credentials(self) -> Any:
        """`grpc.ServerCredentials` that follow the files."""
        import grpc

        def configuration() -> Any:
            pairs = [(self.material.key, self.material.cert)]
            return grpc.ssl_server_certificate_configuration(pairs, self.material.client_ca or None)

        def renewed_configuration() -> Any:
            return configuration() if self.renewed() else None

        required = bool(self.material.client_ca)
        return grpc.dynamic_ssl_server_credentials(configuration(), renewed_configuration, required)


class ClientTls(_Reloading):
    """TLS of the connections to one server."""

    def __init__(self, config: TlsClient) -> None:
        super().__init__(config)
        self._client_config = config
        self._use(self.material)

    def _use(self, material: Material) -> None:
        self._context = client_context(self._client_config, material)

    def context(self) -> ssl.SSLContext:
        """The context for the next connection; a new object when the files were renewed."""
        self.renewed()
        return self._context

    def grpc_credentials(self) -> Any:
        """`grpc.ChannelCredentials` of the present material; make a new channel when `renewed()` says so."""
        import grpc

        material = self.material
        return grpc.ssl_channel_credentials(material.ca or None, material.key or None, material.cert or None)


def _read(path: str | None, text: str | None) -> bytes:
    if path is None:
        return (text or "").encode()
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise OSError(f"cannot read {path}: {error.strerror}") from None


def _set_versions(context: ssl.SSLContext, config: Tls) -> None:
    context.minimum_version = _VERSIONS[config.min_version]
    if config.max_version:
        context.maximum_version = _VERSIONS[config.max_version]


def _load_chain(context: ssl.SSLContext, material: Material, config: Tls) -> None:
    names = f"certificate {config.cert_file or '(cert_pem)'} with key {config.key_file or '(key_pem)'}"
    try:
        # The same bytes that gRPC is given and that were just read: a file may be replaced between two looks at it.
        with _as_file(material.cert) as cert, _as_file(material.key) as key:
            context.load_cert_chain(cert, key, password=_no_password)
    except (ssl.SSLError, ValueError) as error:
        raise OSError(f"cannot use {names}: {error}") from None


def _load_authorities(context: ssl.SSLContext, pem: bytes, path: str | None) -> None:
    try:
        context.load_verify_locations(cadata=pem.decode("ascii", "replace"))
    except (ssl.SSLError, ValueError) as error:
        raise OSError(f"cannot use the certificates of {path or 'ca_pem'}: {error}") from None


def _no_password() -> str:
    raise ValueError("the key is encrypted; give an unencrypted one")


@contextlib.contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """OpenSSL reads chains from files only. The file is readable by nobody else and gone afterwards."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        yield file.name


def _fingerprint(config: Tls) -> tuple[tuple[int, int, int] | None, ...]:
    paths = [config.cert_file, config.key_file, config.ca_file, getattr(config, "client_ca_file", None)]
    return tuple(_stat(path) for path in paths if path is not None)


def _stat(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - on the way of every connection
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
