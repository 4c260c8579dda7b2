"""E-mail and network addresses."""

import ipaddress
import re

from spanmill.pii.detector import Detector, Form

_NOT_TLDS = frozenset(
    b"png jpg jpeg gif svg webp avif ico bmp pdf css scss less js mjs jsx ts tsx py json map html htm md txt".split()
)
"""Endings of file names such as `logo@2x.png`, none of which is a top-level domain that people have mail at."""
_BEFORE_VERSION = (
    r"(?i:(?:^|[^a-z])(?:versions?|ver|v|release|build|revision|firmware)|버전|릴리스|バージョン|リリース)"
    r"""(?:[ ._:=\t"'\\-]|是|は|은|는|이)*$|[A-Z][A-Za-z]*/$|rv:$|(?:[=<>~!]=|[~^]) ?$"""
    r"|(?i:grad(?:e|es|ed|ing) (?:from )?)(?:[0-9.]+ to )?$"
)
"""What stands before a version of four numbers: a word for it, a product's name and a slash, a comparison."""
_IN_URL = r"://[^ \t\r\n/?#@:]*:[^ \t\r\n/?#@]*$|[0-9A-Za-z]$"
"""The user and the password of a URL, which with its host look like an address; the rest of a refused one."""
_VERSION = re.compile(rb"[0-9]+\.[0-9]+[.-]")


def _email(found: bytes) -> int:
    local, _, domain = found.replace(b"%40", b"@").rpartition(b"@")
    if local == b"git" or len(local) > 128 or len(domain) > 253 or domain.rpartition(b".")[2].lower() in _NOT_TLDS:
        return 0
    return 0 if _VERSION.match(domain) else len(found)


def _ipv4(found: bytes) -> int:
    address = found.rstrip(b".")
    parts = address.split(b".")
    if len(parts) != 4 or any(len(part) > 3 or int(part or b"999") > 255 for part in parts):
        return 0
    if any(len(part) > 1 and part[:1] == b"0" for part in parts):
        return 0
    return 0 if address in (b"0.0.0.0", b"127.0.0.1") or address.startswith(b"255.255.") else len(address)


def _ipv6(found: bytes) -> int:
    address = found.rstrip(b".")
    if address.endswith(b":") and not address.endswith(b"::"):
        address = address[:-1]
    if len(address) > 45 or not any(48 <= byte <= 57 for byte in address):
        return 0
    try:
        parsed = ipaddress.IPv6Address(address.decode())
    except ValueError:
        return 0
    # Global, unique local, link local, and IPv4 within; what else parses is rather code, a hash or a fingerprint.
    first = int(parsed) >> 112
    real = 0x2000 <= first < 0x4000 or 0xFC00 <= first < 0xFE00 or 0xFE80 <= first < 0xFEC0
    return len(address) if real or parsed.ipv4_mapped is not None else 0


def _mac(found: bytes) -> int:
    digits = found.replace(b":", b"").replace(b"-", b"").replace(b".", b"").lower()
    if digits in (b"0" * 12, b"f" * 12) or len({found[2::3][i : i + 1] for i in range(5)} - {b"."}) > 1:
        return 0
    lettered = any(byte > 57 for byte in digits)
    return len(found) if lettered or b":" in found else 0


def _mac_with_points(found: bytes) -> int:
    """As Cisco's devices write it; four digits thrice may be anything."""
    return len(found) if any(byte > 57 for byte in found) else 0


EMAIL = Detector(
    "email",
    (
        Form(
            r"((?:[A-Za-z0-9_]|[\xc3-\xc9][\x80-\xbf])(?:[A-Za-z0-9._%+'-]|[\xc3-\xc9][\x80-\xbf])*(?:@|%40)"
            r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+(?:[A-Za-z]{2,24}|xn--[A-Za-z0-9-]{2,40}))",
            _email,
            refused_after=_IN_URL,
        ),
    ),
)
IPV4 = Detector(
    "ipv4",
    (
        Form(
            r"(?:^|[^0-9.])([0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9][0-9.]*)",
            _ipv4,
            alone=True,
            refused_after=_BEFORE_VERSION,
        ),
    ),
)
IPV6 = Detector(
    "ipv6",
    (
        Form(
            r"(?:^|[^0-9A-Za-z:.])((?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,6})?::[0-9A-Fa-f:.]*"
            r"|[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){5,6}:[0-9A-Fa-f:.]+)",
            _ipv6,
            alone=True,
        ),
    ),
)
MAC = Detector(
    "mac",
    (
        Form(
            r"(?:^|[^0-9A-Za-z:.-])([0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5})(?:$|[^0-9A-Za-z:-]|[:-](?:[^0-9A-Fa-f]|$))",
            _mac,
            alone=True,
        ),
        Form(
            r"(?:^|[^0-9A-Za-z.])([0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4})(?:$|[^0-9A-Za-z.]|\.(?:[^0-9A-Za-z]|$))",
            _mac_with_points,
            alone=True,
        ),
    ),
)
