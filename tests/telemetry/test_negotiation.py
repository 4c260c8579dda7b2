"""Which format a scraper gets."""

import pytest

from spanmill.telemetry.exposition import Format
from spanmill.telemetry.negotiation import negotiate, wants_gzip

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


@pytest.mark.parametrize(
    ("accept", "offered", "expected"),
    [
        ("", True, Format()),
        ("*/*", True, Format()),
        ("text/html", True, Format()),
        (PROMETHEUS_2, True, Format(open_metrics=True, version="1.0.0")),
        (PROMETHEUS_2, False, Format()),
        (PROMETHEUS_3, True, Format(open_metrics=True, utf8=True, version="1.0.0")),
        (PROMETHEUS_3, False, Format(utf8=True, version="1.0.0")),
        ("application/openmetrics-text;version=9.9.9", True, Format()),
        ("application/openmetrics-text; q=0", True, Format()),
        ("application/openmetrics-text; q=nonsense", True, Format()),
        (";;;,,=;q", True, Format()),
    ],
)
def test_a_scraper_gets_the_best_format_it_knows(accept: str, offered: bool, expected: Format) -> None:
    assert negotiate(accept, offered) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [("", False), ("gzip", True), ("deflate, GZIP;q=0.5", True), ("gzip;q=0", False), ("*", True)],
)
def test_gzip_is_used_only_when_asked_for(header: str, expected: bool) -> None:
    assert wants_gzip(header) is expected
