"""The text formats, read back by prometheus_client's own parsers."""

import math
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open_metrics
from prometheus_client.parser import text_string_to_metric_families as parse_classic

from spanmill.telemetry.exposition import (
    Exemplar,
    Family,
    Format,
    LabelSet,
    Sample,
    go_number,
    merge,
    number,
    open_metrics_number,
    render,
)

NAMES = st.from_regex(r"[a-z_:][a-z0-9_:]{0,8}", fullmatch=True).map(lambda name: f"m_{name}_x")
LABEL_NAMES = st.from_regex(r"[a-zA-Z][a-zA-Z0-9_]{0,5}", fullmatch=True)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ['"', "\\", "\\n", "\n", '",a="b', "}"]
)
VALUES = st.floats() | st.integers(-(2**53), 2**53)
SERIES = st.dictionaries(
    st.dictionaries(LABEL_NAMES, TEXT, max_size=3).map(lambda labels: tuple(sorted(labels.items()))), VALUES, max_size=4
)
PAGES = st.dictionaries(NAMES, st.tuples(SERIES, TEXT), max_size=4)
OPEN_METRICS = Format(open_metrics=True, version="1.0.0")


def text_of(value: float) -> str:
    """NaN equal to itself, and without the sign of zero, which the parser does not keep."""
    return repr(float(value) + 0.0)


def gauges(page: dict[str, tuple[dict[tuple[tuple[str, str], ...], float], str]]) -> list[Family]:
    return [
        Family(name, "gauge", text, [Sample("", LabelSet(labels), value) for labels, value in series.items()])
        for name, (series, text) in page.items()
    ]


def samples(families: Iterable[object]) -> dict[tuple[str, tuple[tuple[str, str], ...]], str]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): text_of(sample.value)
        for family in families
        for sample in family.samples  # type: ignore[attr-defined]
    }


@given(PAGES)
def test_what_is_written_is_read_back_equal_from_the_classic_format(page: dict) -> None:  # type: ignore[type-arg]
    expected = {(n, labels): text_of(v) for n, (series, _) in page.items() for labels, v in series.items()}
    assert samples(parse_classic(render(gauges(page), Format()))) == expected


@given(PAGES)
def test_what_is_written_is_read_back_equal_from_open_metrics(page: dict) -> None:  # type: ignore[type-arg]
    expected = {(n, labels): text_of(v) for n, (series, _) in page.items() for labels, v in series.items()}
    assert (
        samples(
            parse_open_metrics(  # type: ignore[no-untyped-call]
                render(gauges(page), OPEN_METRICS)
            )
        )
        == expected
    )


def test_help_keeps_backslashes_and_newlines() -> None:
    family = Family("x", "gauge", 'a\\b\nc "d"', [Sample("", LabelSet(), 1)])
    pages: list[tuple[Any, str]] = [
        (parse_classic, render([family], Format())),
        (parse_open_metrics, render([family], OPEN_METRICS)),
    ]
    for parse, text in pages:
        assert next(iter(parse(text))).documentation == 'a\\b\nc "d"'


def test_integers_beyond_doubles_keep_every_digit() -> None:
    assert number(2**63 - 1) == "9223372036854775807"
    assert number(3.0) == "3"
    assert [number(value) for value in (math.nan, math.inf, -math.inf)] == ["NaN", "+Inf", "-Inf"]


@pytest.mark.parametrize(
    ("bound", "text"),
    [(5.0, "5"), (0.005, "0.005"), (1e6, "1e+06"), (2000000.5, "2.0000005e+06"), (0.00001, "1e-05"), (0.0, "0")],
)
def test_bounds_are_written_as_go_writes_them_so_that_series_keep_their_identity(bound: float, text: str) -> None:
    assert go_number(bound) == text


@given(st.floats(allow_nan=False))
def test_a_bound_reads_back_equal(bound: float) -> None:
    assert float(go_number(bound)) == bound
    assert float(open_metrics_number(bound)) == bound


def test_open_metrics_knows_no_counter_without_total() -> None:
    family = Family("requests", "counter", "help", [Sample("", LabelSet(), 1)])
    assert "# TYPE requests counter" in render([family], Format())
    assert "# TYPE requests unknown" in render([family], OPEN_METRICS)


def test_exemplars_are_written_in_open_metrics_only() -> None:
    exemplar = Exemplar(LabelSet((("trace_id", "ab"),)), 0.5, 1_500_000_000)
    family = Family("x_total", "counter", "help", [Sample("", LabelSet(), 1, exemplar=exemplar)])
    assert render([family], OPEN_METRICS).splitlines()[-2] == 'x_total 1 # {trace_id="ab"} 0.5 1.500'
    assert "#" not in render([family], Format()).splitlines()[-1]


def test_timestamps_are_milliseconds_in_one_format_and_seconds_in_the_other() -> None:
    family = Family("x", "gauge", "", [Sample("", LabelSet(), 1, timestamp_ns=1_234_567_890)])
    assert render([family], Format()).splitlines()[-1] == "x 1 1234"
    assert render([family], OPEN_METRICS).splitlines()[-2] == "x 1 1.234"


def test_one_name_has_one_type_line_and_each_series_once() -> None:
    def family(value: float, help_text: str) -> Family:
        return Family("x", "gauge", help_text, [Sample("", LabelSet((("a", "b"),)), value)])

    merged = merge([family(1, "first"), family(2, "second")])
    assert render(merged.families, Format()) == '# HELP x first\n# TYPE x gauge\nx{a="b"} 1\n'
    assert merged.conflicts == []


def test_of_two_types_under_one_name_the_first_stays() -> None:
    merged = merge([Family("x", "gauge", "", []), Family("x", "counter", "", [])])
    assert [family.type for family in merged.families] == ["gauge"]
    assert merged.conflicts == ["x"]


def test_a_metric_that_has_the_name_of_a_histograms_line_is_left_out() -> None:
    assert merge([Family("x", "histogram", "", []), Family("x_count", "gauge", "", [])]).conflicts == ["x_count"]
    assert merge([Family("x_count", "gauge", "", []), Family("x", "histogram", "", [])]).conflicts == ["x"]


def test_names_outside_the_alphabet_are_quoted_or_escaped() -> None:
    family = Family("my.metric", "gauge", "h", [Sample("", LabelSet((("a.b", "1"), ("a_b", "2"))), 1)])
    quoted = render(merge([family], utf8=True).families, Format(utf8=True))
    assert quoted.splitlines()[-2:] == ['# TYPE "my.metric" gauge', '{"my.metric","a.b"="1",a_b="2"} 1']
    escaped = render(merge([family], utf8=False).families, Format())
    assert escaped.splitlines()[-2:] == ["# TYPE my_metric gauge", 'my_metric{a_b="1;2"} 1']
