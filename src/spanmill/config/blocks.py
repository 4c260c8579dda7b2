"""Blocks that several components share: TLS, keepalive, CORS, retry, queue. Keys and defaults are the Collector's."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from spanmill.config.base import Model
from spanmill.config.values import Duration, Flag, Positive, Secret, Whole, invalid

TlsVersion = Literal["1.2", "1.3"]
Compression = Literal["none", "gzip", "deflate", "zstd"]

NO_AUTH = "not supported: whoever asks comes without credentials; listen on localhost, or use `tls.client_ca_file`"
NO_CIPHERS = "not supported: the TLS library's own choice of ciphers and curves is used"


class Tls(Model):
    """A certificate, its key, and whom to trust. Either the `_file` or the `_pem` form of each."""

    unsupported: ClassVar = {"cipher_suites": NO_CIPHERS, "curve_preferences": NO_CIPHERS, "tpm": "not supported"}
    file_keys: ClassVar = ("cert_file", "key_file", "ca_file", "client_ca_file")

    cert_file: str | None = None
    """Path of the certificate chain, PEM."""
    cert_pem: str | None = None
    """The certificate chain itself, PEM."""
    key_file: str | None = None
    """Path of the private key, PEM."""
    key_pem: Secret | None = None
    """The private key itself, PEM."""
    ca_file: str | None = None
    """Path of the certificates that sign the other side, PEM. None: the system's."""
    ca_pem: str | None = None
    """The certificates that sign the other side, PEM."""
    include_system_ca_certs_pool: Flag = False
    """Trust the system's certificates beside `ca_file`."""
    min_version: TlsVersion = "1.2"
    """The oldest TLS version that is spoken."""
    max_version: TlsVersion | None = None
    """The newest TLS version that is spoken. None: the newest there is."""
    reload_interval: Duration = 60.0
    """How often the files are looked at for renewed certificates; 0: never. (The Collector's default is never.)"""

    @model_validator(mode="after")
    def one_form_of_each(self) -> Self:
        for name in ("cert", "key", "ca"):
            if getattr(self, f"{name}_file") is not None and getattr(self, f"{name}_pem") is not None:
                raise invalid(f"`{name}_file` and `{name}_pem` are both given", "one of them", key=f"{name}_pem")
        if (self.cert_file or self.cert_pem) and not (self.key_file or self.key_pem):
            raise invalid("a certificate without its key", "`key_file` or `key_pem` as well")
        if (self.key_file or self.key_pem) and not (self.cert_file or self.cert_pem):
            raise invalid("a key without its certificate", "`cert_file` or `cert_pem` as well")
        if self.max_version is not None and self.max_version < self.min_version:
            raise invalid("`max_version` is below `min_version`", f"{self.min_version} or newer", key="max_version")
        return self


class TlsServer(Tls):
    """TLS of a listener. With `client_ca_file` every client must present a certificate that it signs (mTLS)."""

    client_ca_file: str | None = None
    """Path of the certificates that sign the clients', PEM. Setting it makes client certificates compulsory."""
    client_ca_file_reload: Flag = False
    """Accepted for the Collector's sake: `reload_interval` covers this file too."""

    @model_validator(mode="after")
    def has_certificate(self) -> Self:
        if not (self.cert_file or self.cert_pem):
            raise invalid("a listener with TLS has no certificate", "`cert_file` and `key_file`")
        return self


class TlsClient(Tls):
    """TLS of a connection that Spanmill opens."""

    insecure: Flag = False
    """Speak plain text, without TLS."""
    insecure_skip_verify: Flag = False
    """Speak TLS, but do not check who answers."""
    server_name_override: str | None = None
    """The name that the server's certificate must carry, when it differs from the endpoint's host."""


class KeepaliveParameters(Model):
    """How the server keeps connections alive and lets them go."""

    max_connection_idle: Duration = 0.0
    """Close a connection that has had no request for so long; 0: never."""
    max_connection_age: Duration = 0.0
    """Close a connection of this age, so that clients spread over new replicas; 0: never."""
    max_connection_age_grace: Duration = 0.0
    """How long requests may finish after `max_connection_age`; 0: as long as they need."""
    time: Duration = 7200.0
    """Ping a client that has been silent for so long."""
    timeout: Duration = 20.0
    """Close the connection when the ping has no answer for so long."""


class KeepaliveEnforcement(Model):
    """How often clients may ping."""

    min_time: Duration = 300.0
    """A client that pings more often than this is disconnected."""
    permit_without_stream: Flag = False
    """Let clients ping while no request is under way."""


class KeepaliveServer(Model):
    """gRPC keepalive of a listener."""

    server_parameters: KeepaliveParameters = KeepaliveParameters()
    """How connections are kept alive and let go."""
    enforcement_policy: KeepaliveEnforcement = KeepaliveEnforcement()
    """How often clients may ping."""


class KeepaliveClient(Model):
    """gRPC keepalive of a connection that Spanmill opens."""

    time: Duration = 10.0
    """Ping the server after so long without traffic."""
    timeout: Duration = 10.0
    """Give the connection up when the ping has no answer for so long."""
    permit_without_stream: Flag = False
    """Ping also while no request is under way."""


class Cors(Model):
    """Which web pages may send telemetry straight from a browser."""

    allowed_origins: tuple[str, ...] = ()
    """Origins such as `https://app.example.com`; `*` stands for any text. Empty: CORS is off."""
    allowed_headers: tuple[str, ...] = ()
    """Request headers that pages may send beside those always allowed; `*` for any."""
    exposed_headers: tuple[str, ...] = ()
    """Response headers that pages may read."""
    max_age: Whole = 0
    """Seconds that a browser may remember the answer; 0: the browser's own default."""


class RetryOnFailure(Model):
    """How an export that failed for now is tried again. `journal.max_size_mib` bounds what waits meanwhile."""

    enabled: Flag = True
    """Off: what cannot be delivered at once is given up: a dead letter, see `service.journal`."""
    initial_interval: Duration = 5.0
    """Wait before the second attempt. No wait is shorter than the server asks for."""
    randomization_factor: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Each wait is varied by up to this share of itself."""
    multiplier: Annotated[float, Field(ge=1)] = 1.5
    """Each wait is so many times the one before."""
    max_interval: Duration = 30.0
    """No wait is longer."""
    max_elapsed_time: Duration | None = None
    """Give up after so long; 0: never. By default never when the journal is on disk, and after 300 s when it is in
    memory."""

    def gives_up_after(self, *, durable: bool) -> float:
        """Seconds, 0 is never. `durable`: what waits is in a journal on disk."""
        if self.max_elapsed_time is not None:
            return self.max_elapsed_time
        return 0.0 if durable else 300.0


class QueueBatch(Model):
    """How queued items are gathered before they are sent."""

    unsupported: ClassVar = {"partition": "not supported: batches are not split by client metadata"}

    flush_timeout: Duration = 0.2
    """Send what there is after so long."""
    min_size: Whole = 8192
    """Send as soon as this much is there, in units of `sizer`."""
    max_size: Whole = 0
    """Never send more at once, in units of `sizer`; 0: no limit."""
    sizer: Literal["items", "bytes"] = "items"
    """What `min_size` and `max_size` count."""

    @model_validator(mode="after")
    def bounds_in_order(self) -> Self:
        if self.max_size and self.max_size < self.min_size:
            raise invalid("`max_size` is below `min_size`", f"{self.min_size} or more, or 0", key="max_size")
        return self


class SendingQueue(Model):
    """What waits for the exporter. In Spanmill it waits in the pipeline's journal, shared by its exporters."""

    on_when_null: ClassVar = frozenset({"batch"})

    enabled: Flag = True
    """Accepted for the Collector's sake: the journal is always there."""
    num_consumers: Positive = 10
    """Accepted for the Collector's sake: each exporter sends one batch at a time for each signal, in order."""
    queue_size: Positive = 1000
    """Accepted for the Collector's sake: `service.journal.max_size_mib` bounds what waits, in bytes. A full journal
    tells senders to try again; nothing is dropped."""
    storage: str | None = None
    """Accepted for the Collector's sake: what waits is on disk unless `service.journal.enabled` is false."""
    sizer: Literal["requests", "items", "bytes"] = "requests"
    """Accepted for the Collector's sake: what `queue_size` counts."""
    wait_for_result: Flag = False
    """Accepted for the Collector's sake."""
    block_on_overflow: Flag = False
    """Accepted for the Collector's sake: when the journal is full, senders are told to retry and nothing is lost."""
    batch: QueueBatch | None = None
    """Gather items before sending. A bare `batch:` turns it on at its defaults."""
