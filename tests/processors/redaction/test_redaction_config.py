"""What is said of the redaction processor's configuration."""

from pathlib import Path

import pytest

from spanmill.config import read_configuration
from spanmill.errors import ConfigError

_FILE = """\
receivers: {{otlp: }}
processors:
  redaction:
{body}
exporters: {{debug: }}
service: {{pipelines: {{logs: {{receivers: [otlp], processors: [redaction], exporters: [debug]}}}}}}
"""


def said(tmp_path: Path, *lines: str) -> str:
    """Everything that is wrong, or else the warnings."""
    path = tmp_path / "config.yaml"
    path.write_text(_FILE.format(body="\n".join(f"    {line}" for line in lines)), encoding="utf-8")
    try:
        configuration = read_configuration([str(path)], (), {})
    except ConfigError as error:
        return str(error)
    return "\n".join(warning.render() for warning in configuration.warnings)


def test_every_key_of_the_collector_is_taken(tmp_path: Path) -> None:
    lines = """\
allow_all_keys: false
allowed_keys: [description, group]
ignored_keys: [safe_attribute]
ignored_key_patterns: ["^safe_.*", ".*_trusted$"]
redact_all_types: true
blocked_key_patterns: [".*token.*"]
blocked_values: ["4[0-9]{12}(?:[0-9]{3})?"]
allowed_values: [".+@mycompany.com"]
hash_function: HMAC-SHA512
hmac_key: 0123456789012345678901234567890123456789012345678901234567890123
summary: debug""".splitlines()
    assert said(tmp_path, *lines) == ""


@pytest.mark.parametrize("name", ["md5", "sha1", "sha3"])
def test_a_hash_without_a_key_is_warned_about_and_pii_masking_named(tmp_path: Path, name: str) -> None:
    text = said(tmp_path, "allow_all_keys: true", f"hash_function: {name}")
    assert "config.yaml:5" in text
    assert f"{name} needs no key, so that anyone can undo it" in text
    assert "pii_masking with `mode: hmac`" in text


def test_a_list_without_keys_is_warned_about(tmp_path: Path) -> None:
    assert "every attribute is removed" in said(tmp_path, "summary: info")


@pytest.mark.parametrize(
    ("function", "key", "problem"),
    [
        ("hmac-sha256", "", "no key; expected at least 32 bytes"),
        ("hmac-sha256", "hmac_key: short", "it has 5 bytes; expected at least 32 bytes"),
        ("hmac-sha512", f"hmac_key: {'k' * 32}", "it has 32 bytes; expected at least 64 bytes"),
    ],
)
def test_a_key_that_is_too_short_is_refused(tmp_path: Path, function: str, key: str, problem: str) -> None:
    text = said(tmp_path, "allow_all_keys: true", f"hash_function: {function}", key)
    assert problem in text
    assert "hmac_key" in text


@pytest.mark.parametrize("key", ["url_sanitizer", "db_sanitizer"])
def test_what_is_not_supported_is_refused_with_what_to_do_instead(tmp_path: Path, key: str) -> None:
    assert f"`{key}` is not supported: have the instrumentation send" in said(tmp_path, f"{key}: {{enabled: true}}")


@pytest.mark.parametrize("key", ["ignored_key_patterns", "blocked_key_patterns", "blocked_values", "allowed_values"])
def test_a_pattern_that_cannot_be_used_is_refused_at_its_place(tmp_path: Path, key: str) -> None:
    text = said(tmp_path, "allow_all_keys: true", f'{key}: ["fine", "(?<=look)behind"]')
    assert f"processors.redaction.{key}.1" in text.replace("[1]", ".1")
    assert "look-around" in text


def test_a_pattern_whose_program_is_huge_is_refused(tmp_path: Path) -> None:
    assert "too large" in said(tmp_path, "allow_all_keys: true", "blocked_values: ['\\p{L}{200}']")


def test_a_summary_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    assert "debug, info or silent" in said(tmp_path, "allow_all_keys: true", "summary: verbose")
