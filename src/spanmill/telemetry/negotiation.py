"""Which exposition format a scraper gets, from its `Accept` and `Accept-Encoding` headers (RFC 9110, 12.5)."""

from typing import NamedTuple

from spanmill.telemetry.exposition import Format

_CLASSIC_VERSIONS = ("0.0.4", "1.0.0")
_OPEN_METRICS_VERSIONS = ("1.0.0", "0.0.1")


class _Wish(NamedTuple):
    value: str
    parameters: dict[str, str]
    quality: float


def negotiate(accept: str, open_metrics: bool) -> Format:
    """The format that the scraper likes best of those there are; the classic one when it says nothing we know."""
    best, best_quality = Format(), 0.0
    for wish in _wishes(accept):
        offer = _offer(wish, open_metrics)
        if offer is not None and wish.quality > best_quality:
            best, best_quality = offer, wish.quality
    return best


def wants_gzip(accept_encoding: str) -> bool:
    """Whether the answer may be compressed."""
    return any(wish.value in ("gzip", "*") and wish.quality > 0 for wish in _wishes(accept_encoding))


def _offer(wish: _Wish, open_metrics: bool) -> Format | None:
    version = wish.parameters.get("version", "")
    utf8 = wish.parameters.get("escaping") == "allow-utf-8"
    if wish.value == "application/openmetrics-text" and open_metrics:
        if version and version not in _OPEN_METRICS_VERSIONS:
            return None
        return Format(open_metrics=True, utf8=utf8, version=version or "1.0.0")
    if wish.value in ("text/plain", "text/*", "*/*") and (not version or version in _CLASSIC_VERSIONS):
        return Format(utf8=utf8, version="1.0.0" if utf8 else "0.0.4")
    return None


def _wishes(header: str) -> list[_Wish]:
    wishes = []
    for item in header.split(","):
        value, *rest = (part.strip() for part in item.split(";"))
        parameters = {
            key.strip().lower(): text.strip().strip('"') for key, _, text in (part.partition("=") for part in rest)
        }
        try:
            quality = float(parameters.pop("q", "1"))
        except ValueError:
            quality = 0.0
        wishes.append(_Wish(value.lower(), parameters, quality))
    return wishes
