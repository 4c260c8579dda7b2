"""What is said of the probabilistic sampler's configuration."""

from pathlib import Path

import pytest

from spanmill.config import read_configuration
from spanmill.errors import ConfigError

_FILE = """\
receivers: {{otlp: }}
processors:
  probabilistic_sampler:
{body}
exporters: {{debug: }}
service: {{pipelines: {{{signal}: {{receivers: [otlp], processors: [probabilistic_sampler], exporters: [debug]}}}}}}
"""


def said(tmp_path: Path, *lines: str, signal: str = "traces") -> str:
    """Everything that is wrong, or else the warnings."""
    path = tmp_path / "config.yaml"
    path.write_text(_FILE.format(body="\n".join(f"    {line}" for line in lines), signal=signal), encoding="utf-8")
    try:
        configuration = read_configuration([str(path)], (), {})
    except ConfigError as error:
        return "error: " + str(error)
    return "\n".join(warning.render() for warning in configuration.warnings)


def test_every_key_of_the_collector_is_taken(tmp_path: Path) -> None:
    lines = """\
sampling_percentage: 15.3
mode: hash_seed
hash_seed: 4294967295
fail_closed: false
sampling_precision: 14
attribute_source: record
from_attribute: request.id
sampling_priority: priority""".splitlines()
    assert said(tmp_path, *lines, signal="logs") == ""


@pytest.mark.parametrize("mode", ['""', "hash_seed", "proportional", "equalizing"])
def test_every_mode_of_the_collector_is_taken(tmp_path: Path, mode: str) -> None:
    assert said(tmp_path, "sampling_percentage: 10", f"mode: {mode}") == ""


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("sampling_percentage: -1", "the percentage is negative; expected 0 to 100, for example 15.3; found -1"),
        ("sampling_percentage: 1e-20", "too small to sample by; expected at least 1.4e-15"),
        ("sampling_percentage: 10%", 'expected a number; found "10%"'),
        ("sampling_percentage: .inf", "expected a number"),
        ("mode: proportional", "`sampling_percentage` is missing; expected how much to keep, in percent"),
        ("sampling_precision: 0", "no such precision; expected 1 to 14 hex digits; found 0"),
        ("sampling_precision: 15", "no such precision; expected 1 to 14 hex digits; found 15"),
        ("hash_seed: 4294967296", "the seed is too large; expected 0 to 4294967295"),
        ("hash_seed: -1", "hash_seed"),
        ("mode: proportionl", "proportional"),
        ("attribute_source: traceid", "traceID"),
        ("percentage: 10", "sampling_percentage"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_what_is_expected(tmp_path: Path, line: str, answer: str) -> None:
    lines = [line] if "percentage" in line or line == "mode: proportional" else [line, "sampling_percentage: 10"]
    text = said(tmp_path, *lines)
    assert text.startswith("error: ")
    assert answer in text, text


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("sampling_percentage: 0", "0 keeps nothing but what the attribute `sampling.priority` asks to keep"),
        ("sampling_percentage: 150", "it is taken as 100, which keeps everything"),
        ("sampling_percentage: 0.005", "mode hash_seed keeps nothing below 0.0062 percent; write `mode: proportional`"),
    ],
)
def test_a_percentage_that_keeps_nothing_or_everything_is_warned_about(tmp_path: Path, line: str, answer: str) -> None:
    text = said(tmp_path, line)
    assert "warning" in text
    assert answer in text


@pytest.mark.parametrize("line", ["attribute_source: record", "from_attribute: id", "sampling_priority: p"])
def test_a_key_for_logs_in_a_traces_pipeline_runs_and_is_warned_about(tmp_path: Path, line: str) -> None:
    text = said(tmp_path, "sampling_percentage: 10", line)
    assert "config.yaml:5" in text
    assert "warning: it is for logs, and has no effect on spans" in text


@pytest.mark.parametrize("line", ["hash_seed: 22", "from_attribute: id", "attribute_source: record"])
def test_a_key_of_the_mode_hash_seed_is_warned_about_in_other_modes(tmp_path: Path, line: str) -> None:
    text = said(tmp_path, "sampling_percentage: 10", "mode: equalizing", line, signal="logs")
    assert "it has no effect with mode equalizing, which samples by the trace id" in text


def test_sampling_by_an_attribute_without_a_name_is_refused(tmp_path: Path) -> None:
    text = said(tmp_path, "sampling_percentage: 10", "attribute_source: record", signal="logs")
    assert "no attribute is named, so that no log record can be decided; expected `from_attribute` beside it" in text


def test_metrics_cannot_be_sampled(tmp_path: Path) -> None:
    text = said(tmp_path, "sampling_percentage: 10", signal="metrics")
    assert text.startswith("error: ")
    assert "probabilistic_sampler" in text
