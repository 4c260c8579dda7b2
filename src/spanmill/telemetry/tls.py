"""TLS for the pages' listeners, with reload of renewed certificates."""

import ssl
import tempfile
import time
from pathlib import Path
from typing import Final

from spanmill.config.blocks import TlsServer
from spanmill.errors import StartError

_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def server_tls(owner: str, tls: TlsServer | None) -> ssl.SSLContext | None:
    """The context of a listener; None without TLS. Raises `StartError` for files that cannot be used.

    Files are looked at again when a client connects and `reload_interval` has passed: no task, nothing to stop. What
    cannot be loaded then is tried again later, and the certificate in use stays.
    """
    if tls is None:
        return None
    try:
        context = _load(tls)
    except (OSError, ssl.SSLError) as error:
        raise StartError(owner, f"cannot use the TLS files: {error}") from None
    if tls.reload_interval:
        context.sni_callback = _Reload(tls, context)
    return context


def _load(tls: TlsServer) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[tls.min_version]
    if tls.max_version is not None:
        context.maximum_version = _VERSIONS[tls.max_version]
    if tls.cert_file and tls.key_file:
        context.load_cert_chain(tls.cert_file, tls.key_file)
    else:
        _load_text(context, tls)
    if tls.client_ca_file:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(tls.client_ca_file)
    return context


def _load_text(context: ssl.SSLContext, tls: TlsServer) -> None:
    """Certificates given as text. The library reads files only; this one lives for the moment of reading, mode 0600."""
    cert = tls.cert_pem if tls.cert_pem is not None else Path(tls.cert_file or "").read_text()
    key = tls.key_pem.reveal() if tls.key_pem is not None else Path(tls.key_file or "").read_text()
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as both:
        both.write(f"{cert}\n{key}\n")
        both.flush()
        context.load_cert_chain(both.name)


class _Reload:
    """Gives a handshake the newest context."""

    def __init__(self, tls: TlsServer, context: ssl.SSLContext) -> None:
        self._tls = tls
        self._newest = context
        self._seen = self._stamp()
        self._next = time.monotonic() + tls.reload_interval

    def __call__(self, handshake: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _context: ssl.SSLContext) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + self._tls.reload_interval
            stamp = self._stamp()
            if stamp != self._seen:
                try:
                    self._newest = _load(self._tls)
                    self._seen = stamp
                except (OSError, ssl.SSLError):
                    pass
        handshake.context = self._newest

    def _stamp(self) -> tuple[tuple[int, int] | None, ...]:
        """When the files were written, and which files they are."""
        names = (self._tls.cert_file, self._tls.key_file, self._tls.client_ca_file)
        return tuple(_file_stamp(Path(name)) for name in names if name)


def _file_stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino
