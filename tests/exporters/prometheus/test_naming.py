"""Names and units: the table of the compatibility specification and the Collector's own examples."""

from typing import get_args

import pytest

from spanmill.exporters.prometheus.config import TranslationStrategy
from spanmill.exporters.prometheus.naming import Naming, unit_words
from spanmill.telemetry.exposition import FamilyType

ESCAPED: TranslationStrategy = "UnderscoreEscapingWithSuffixes"


@pytest.mark.parametrize(
    ("unit", "words"),
    [
        ("", ("", "")), ("s", ("seconds", "")), ("ms", ("milliseconds", "")), ("By", ("bytes", "")), ("1", ("", "")),
        ("%", ("percent", "")), ("By/s", ("bytes", "second")), ("m/s", ("meters", "second")), ("1/s", ("", "second")),
        ("{packet}", ("", "")), ("{packet}/s", ("", "second")), ("By/{query}", ("bytes", "")), ("Cel", ("celsius", "")),
        ("GiBy", ("gibibytes", "")), (" s ", ("seconds", "")), ("foo bar", ("foo_bar", "")), ("/s", ("", "second")),
        ("€", ("", "")),
    ],
)  # fmt: skip
def test_units_become_words(unit: str, words: tuple[str, str]) -> None:
    assert unit_words(unit) == words


@pytest.mark.parametrize(
    ("name", "unit", "kind", "is_gauge", "expected"),
    [
        ("http.server.duration", "s", "histogram", False, "http_server_duration_seconds"),
        ("requests", "{request}", "counter", False, "requests_total"),
        ("requests.total", "1", "counter", False, "requests_total"),
        ("total.requests", "", "counter", False, "requests_total"),
        ("network.io", "By", "counter", False, "network_io_bytes_total"),
        ("speed", "m/s", "gauge", True, "speed_meters_per_second"),
        ("cpu.utilization", "1", "gauge", True, "cpu_utilization_ratio"),
        ("queue.size", "1", "gauge", False, "queue_size"),
        ("memory.bytes", "By", "gauge", True, "memory_bytes"),
        ("already_seconds", "s", "gauge", True, "already_seconds"),
        ("a..b__c", "", "gauge", True, "a_b_c"),
        ("9lives", "", "gauge", True, "_9lives"),
        ("日本", "", "gauge", True, "_"),
        ("with:colon", "", "gauge", True, "with:colon"),
    ],
)
def test_names_are_escaped_and_get_unit_and_type(
    name: str, unit: str, kind: FamilyType, is_gauge: bool, expected: str
) -> None:
    assert Naming(ESCAPED).metric(name, unit, kind, is_gauge) == expected


@pytest.mark.parametrize(
    ("strategy", "expected", "label"),
    [
        ("UnderscoreEscapingWithSuffixes", "my_ns_net_io_bytes_total", "a_b"),
        ("UnderscoreEscapingWithoutSuffixes", "my_ns_net_io", "a_b"),
        ("NoUTF8EscapingWithSuffixes", "my.ns_net.io_bytes_total", "a.b"),
        ("NoTranslation", "my.ns_net.io", "a.b"),
    ],
)
def test_the_four_strategies(strategy: TranslationStrategy, expected: str, label: str) -> None:
    naming = Naming(strategy, "my.ns")
    assert naming.metric("net.io", "By", "counter", False) == expected
    assert naming.label("a.b") == label


def test_suffixes_a_verbatim_name_has_are_not_repeated() -> None:
    naming = Naming("NoUTF8EscapingWithSuffixes")
    assert naming.metric("net.bytes_total", "By", "counter", False) == "net.bytes_total"
    assert naming.metric("net.io", "By/s", "gauge", True) == "net.io_bytes_per_second"
    assert naming.metric("used", "1", "gauge", True) == "used_ratio"


@pytest.mark.parametrize("strategy", get_args(TranslationStrategy))
def test_a_metric_without_a_name_still_gets_one(strategy: TranslationStrategy) -> None:
    assert Naming(strategy).metric("", "", "gauge", True) == "_"
    assert Naming(strategy).metric("", "", "counter", False) in ("_", "__total")


def test_label_names_are_collapsed_and_never_reserved() -> None:
    naming = Naming(ESCAPED)
    labels = ["a.b", "a..b", "__name__", "1st", "_x", "日本"]
    assert [naming.label(name) for name in labels] == ["a_b", "a_b", "_name_", "key_1st", "_x", "_"]
    assert Naming("NoTranslation").label("__name__") == ""


def test_the_unit_line_repeats_what_the_name_ends_with() -> None:
    naming = Naming(ESCAPED)
    assert naming.unit("io_bytes_total", "By") == "bytes"
    assert naming.unit("io_bytes_per_second", "By/s") == "bytes_per_second"
    assert naming.unit("io", "By") == ""
