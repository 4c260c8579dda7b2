"""Where pieces go: an exporter for a server named on the command line, or exporters of a configuration."""

import os
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import ValidationError

from spanmill.admission import Admission
from spanmill.component import Exporter, Settings, Status
from spanmill.config import read_configuration
from spanmill.config.base import Model
from spanmill.config.models import Configuration
from spanmill.generate.options import Protocol
from spanmill.names import ComponentId, Kind
from spanmill.registry import built_type
from spanmill.replay.options import Configured, ReplayError, Target
from spanmill.signal import Signal
from spanmill.telemetry.logs import component_log
from spanmill.telemetry.metrics import Metrics
from spanmill.telemetry.pages import Pages

_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_GRPC_PORT: Final = 4317
_NOT_SENDING: Final = "prometheus"
"""Exporters of this type keep what they are given in memory, for somebody to come and get."""


class Destination:
    """Started exporters, each started when a piece goes to it."""

    def __init__(self, where: Target | Configured) -> None:
        self._where = where
        self._configuration = _read(where) if isinstance(where, Configured) else None
        self._started: dict[str, Exporter] = {}
        self._components: list[Any] = []

    async def exporter(self, of_letter: str) -> Exporter:
        """The exporter for a piece. `of_letter`: the one that gave it up. Raises `ReplayError`, `StartError`."""
        name = self._name(of_letter)
        if name not in self._started:
            identity, config = self._config(name)
            self._started[name] = await self._start(Kind.EXPORTERS, identity, config)
        return self._started[name]

    def check(self, of_letter: str) -> None:
        """Raise what `exporter` would, as far as it can be known before. Raises `ReplayError`."""
        self._config(self._name(of_letter))

    async def stop(self) -> None:
        """Stop what was started. Safe twice."""
        while self._components:
            await self._components.pop().stop()

    def _name(self, of_letter: str) -> str:
        if isinstance(self._where, Target):
            return ""
        if name := self._where.exporter or of_letter:
            return name
        raise ReplayError("--exporter: missing; only dead letters know which exporter they were for")

    def _config(self, name: str) -> tuple[ComponentId, Model]:
        if isinstance(self._where, Target):
            return target_config(self._where)
        assert self._configuration is not None
        exporters = self._configuration.components(Kind.EXPORTERS)
        for identity, config in exporters.items():
            if str(identity) == name and identity.type != _NOT_SENDING:
                return identity, config
        known = ", ".join(str(identity) for identity in exporters if identity.type != _NOT_SENDING)
        raise ReplayError(f"the configuration has no exporter {name} that sends; expected one of {known}")

    async def _start(self, kind: Kind, identity: ComponentId, config: Model) -> Any:
        extensions = {}
        if (auth := getattr(config, "auth", None)) is not None:
            assert self._configuration is not None
            needed = self._configuration.components(Kind.EXTENSIONS)[auth.extension]
            extensions[auth.extension] = await self._start(Kind.EXTENSIONS, auth.extension, needed)
        settings = Settings(kind, identity, component_log(kind.singular, str(identity)), Metrics())
        component = built_type(kind, identity.type).load_factory()(config, settings)
        self._components.append(component)
        await component.start(_Host(extensions))
        return component


class _Host:
    """What an exporter needs of the engine when there is none. Implements `component.Host`."""

    def __init__(self, extensions: dict[ComponentId, Any]) -> None:
        self._extensions = extensions
        self.admission = Admission(0)
        self.pages = Pages()

    def intake(self, signal: Signal) -> None:
        return None

    def report_fatal(self, error: BaseException) -> None:
        raise error

    def status(self) -> Status:
        return Status(True)

    def extension(self, component: ComponentId) -> Any:
        return self._extensions[component]


def target_config(target: Target) -> tuple[ComponentId, Model]:
    """The exporter for a server, and its configuration. Raises `ReplayError`."""
    protocol = target.protocol or _likely_protocol(target.endpoint)
    kind = "otlp_grpc" if protocol is Protocol.GRPC else "otlp_http"
    scheme, separator, address = target.endpoint.rpartition("://")
    plain = target.insecure or scheme == "http" or (not separator and _host(address) in _LOCAL)
    tls = {"insecure": plain} | {
        f"{name}_file": str(path)
        for name, path in (("ca", target.ca_file), ("cert", target.cert_file), ("key", target.key_file))
        if path is not None
    }
    given: dict[str, Any] = {"tls": tls, "headers": dict(_header(header) for header in target.headers)}
    if kind == "otlp_grpc":
        given["endpoint"] = target.endpoint if scheme in {"", "http", "https"} else address
    else:
        given["endpoint"] = target.endpoint if separator else f"{'http' if plain else 'https'}://{address}"
        given["encoding"] = "json" if protocol is Protocol.HTTP_JSON else "proto"
    try:
        return ComponentId(kind, ""), built_type(Kind.EXPORTERS, kind).load_config().model_validate(given)
    except ValidationError as error:
        raise ReplayError(f"--to {target.endpoint}: {_words(error)}") from None


def _likely_protocol(endpoint: str) -> Protocol:
    """gRPC unless the endpoint is a URL. SDKs write `http://host:4317` for gRPC, so that one is gRPC too."""
    if "://" not in endpoint or endpoint.rstrip("/").endswith(f":{_GRPC_PORT}"):
        return Protocol.GRPC
    return Protocol.HTTP_PROTOBUF


def _host(address: str) -> str | None:
    try:
        return urlsplit(f"//{address}").hostname
    except ValueError:
        return None


def _header(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name.strip() and equals):
        raise ReplayError("--header: expected name=value, such as 'authorization=Bearer ...'")
    return name.strip(), value.strip()


def _words(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    context = first.get("ctx", {})
    text = first["msg"]
    if context.get("expected"):
        text += f"; expected {context['expected']}"
    if context.get("hint"):
        text += f". {context['hint']}"
    return text


def _read(where: Configured) -> Configuration:
    return read_configuration(list(where.sources), (), os.environ)
