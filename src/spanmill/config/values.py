"""The values that the Collector's YAML writes its own way: durations, endpoints, secrets, whole numbers.

Every parser raises `invalid(...)`, which carries what was expected; `problems.py` turns it into the message.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, SerializationInfo, WithJsonSchema
from pydantic.functional_serializers import PlainSerializer
from pydantic.functional_validators import AfterValidator, PlainValidator
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from spanmill.periods import time_zone

REDACTED: Final = "[REDACTED]"
_USER_INFO: Final = re.compile(r"(?<=://)[^/\s]+(?=@)")


def without_user_info(text: str) -> str:
    """The text with the users and passwords of URLs in it replaced."""
    return _USER_INFO.sub(REDACTED, text)


def invalid(problem: str, expected: str = "", hint: str = "", key: str = "") -> PydanticCustomError:
    """An error in our own words. `key` names the offending field, dotted, when a whole block is checked."""
    return PydanticCustomError(
        "spanmill", "{problem}", {"problem": problem, "expected": expected, "hint": hint, "key": key}
    )


_UNIT_NANOSECONDS: Final = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_DURATION_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_LONGEST_NANOSECONDS: Final = 2**63 - 1
"""Go's own limit, about 292 years."""
_EXPECTED_DURATION: Final = "a duration such as 200ms, 5s, 1m30s or 2h"


def parse_duration(value: object) -> float:
    """Go's notation to seconds: `1h30m` -> 5400.0. Only `0` may stand without a unit. Raises PydanticCustomError."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value == 0:
            return 0.0
        raise invalid("the duration has no unit", _EXPECTED_DURATION, f"For {value:g} seconds write {value:g}s.")
    if not isinstance(value, str):
        raise invalid("not a duration", _EXPECTED_DURATION)
    text = value.strip()
    if text.startswith("-") and text != "-0":
        raise invalid("the duration is negative", _EXPECTED_DURATION)
    text = text.lstrip("+-")
    if text == "0":
        return 0.0
    end, nanoseconds = 0, Decimal(0)
    while match := _DURATION_PART.match(text, end):
        nanoseconds += Decimal(match[1]) * _UNIT_NANOSECONDS[match[2]]
        end = match.end()
    if end == 0 or end != len(text):
        hint = f"For {text} seconds write {text}s." if re.fullmatch(r"[0-9.]+", text) else ""
        raise invalid("not a duration", _EXPECTED_DURATION, hint)
    if nanoseconds > _LONGEST_NANOSECONDS:
        raise invalid("the duration is too long", "at most 292 years")
    return float(Fraction(int(nanoseconds), 10**9))


def format_duration(seconds: float) -> str:
    """Seconds to Go's notation, the shortest that `parse_duration` reads back as the same number."""
    nanoseconds = round(Fraction(seconds) * 10**9)
    if nanoseconds == 0:
        return "0s"
    parts = []
    for unit in ("h", "m", "s", "ms", "us", "ns"):
        count, nanoseconds = divmod(nanoseconds, _UNIT_NANOSECONDS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


Duration = Annotated[
    float,
    PlainValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": r"^\+?([0-9.]+(ns|us|µs|μs|ms|s|m|h))+$|^0$"}, {"const": 0}]}
    ),
]
"""Seconds in the program, Go's notation in YAML."""

Flag = Annotated[bool, Field(strict=True)]
Whole = Annotated[int, Field(strict=True, ge=0)]
Positive = Annotated[int, Field(strict=True, gt=0)]


def _share(share: float) -> float:
    if not 0 < share <= 1:
        hint = f"For {share:g} % write {share / 100:g}." if 1 < share <= 100 else ""
        raise invalid("not a share", "more than 0, at most 1", hint)
    return share


Share = Annotated[float, AfterValidator(_share)]


def _time_zone(name: str) -> str:
    try:
        time_zone(name)
    except (KeyError, ValueError, OSError):
        raise invalid("this machine knows no such time zone", "a name such as UTC or Europe/Berlin") from None
    return name


TimeZone = Annotated[str, AfterValidator(_time_zone)]


class Secret:
    """Text that does not show in logs, errors or printed configuration; `reveal()` is the only way to it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return REDACTED

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    @classmethod
    def _parse(cls, value: object) -> "Secret":
        if isinstance(value, Secret):
            return value
        if not isinstance(value, str):
            raise invalid("not text", "text", "Put it in quotes.")
        return cls(value)

    @staticmethod
    def _serialize(value: "Secret", info: SerializationInfo) -> str:
        unredacted = isinstance(info.context, dict) and info.context.get("unredacted")
        return value.reveal() if unredacted else REDACTED

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        serialization = core_schema.plain_serializer_function_ser_schema(cls._serialize, info_arg=True)
        return core_schema.no_info_plain_validator_function(cls._parse, serialization=serialization)

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string"}


_EXPECTED_ENDPOINT: Final = "host:port, :port or unix:///path"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a component listens: a host and a port, or the path of a Unix socket."""

    host: str = ""
    """Empty with a port means every interface."""
    port: int = 0
    """0 lets the operating system choose."""
    socket: str = ""
    """The path of a Unix socket; then `host` and `port` mean nothing."""

    def __str__(self) -> str:
        if self.socket:
            return f"unix://{self.socket}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, value: object) -> "Endpoint":
        """Read `host:port`, `:port`, `[ipv6]:port` or `unix:///path`. Raises PydanticCustomError."""
        if isinstance(value, Endpoint):
            return value
        if not isinstance(value, str) or not value.strip():
            raise invalid("not an endpoint", _EXPECTED_ENDPOINT)
        text = value.strip()
        if text.startswith("unix:"):
            socket = text.removeprefix("unix:").removeprefix("//")
            if not socket:
                raise invalid("the Unix socket has no path", "unix:///path")
            return cls(socket=socket)
        if "://" in text:
            host = urlsplit(text).netloc or "localhost:4317"
            raise invalid("a listening address has no scheme", _EXPECTED_ENDPOINT, f"Write {host}.")
        return cls(*_split_host_port(text))

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        serialization = core_schema.plain_serializer_function_ser_schema(str)
        return core_schema.no_info_plain_validator_function(cls.parse, serialization=serialization)

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string"}


def _split_host_port(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise invalid("an IPv6 address needs brackets", "[address]:port")
    if not colon or not port:
        raise invalid("the endpoint has no port", _EXPECTED_ENDPOINT)
    if not (port.isascii() and port.isdigit() and int(port) <= 65535):
        raise invalid("the port is not a number from 0 to 65535", _EXPECTED_ENDPOINT)
    if any(character.isspace() or character in "/<>{}" for character in host):
        raise invalid("the host holds characters that no host name has", _EXPECTED_ENDPOINT)
    return host, int(port)
