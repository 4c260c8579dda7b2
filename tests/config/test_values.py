"""Durations, endpoints and secrets as the Collector's YAML writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from spanmill.config.values import Endpoint, Secret, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("200ms", 0.2),
        ("1h30m", 5400.0),
        ("1.5h", 5400.0),
        ("1m30s", 90.0),
        ("10us", 1e-5),
        ("10µs", 1e-5),
        ("5ns", 5e-9),
        ("0", 0.0),
        (0, 0.0),
        ("+5s", 5.0),
        (".5s", 0.5),
        (" 5s ", 5.0),
    ],
)
def test_go_durations_are_read_as_seconds(text: object, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "5", "s", "5 s", "five", "1d", "-5s", "5s5", 5, 5.5, True, None, "1h-5m", "\u0665s", "9" * 30 + "h"]
)
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(PydanticCustomError):
        parse_duration(text)


def test_a_bare_number_is_told_its_unit() -> None:
    with pytest.raises(PydanticCustomError) as caught:
        parse_duration(5)
    assert caught.value.context is not None
    assert caught.value.context["hint"] == "For 5 seconds write 5s."


@given(st.integers(0, 2**62))
def test_a_written_duration_reads_back_as_the_same_number(nanoseconds: int) -> None:
    seconds = parse_duration(f"{nanoseconds}ns")
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.text())
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    try:
        assert parse_duration(text) >= 0
    except PydanticCustomError:
        return


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("localhost:4317", Endpoint("localhost", 4317)),
        (":4317", Endpoint("", 4317)),
        ("0.0.0.0:0", Endpoint("0.0.0.0", 0)),
        ("[::1]:4317", Endpoint("::1", 4317)),
        ("unix:///run/otlp.sock", Endpoint(socket="/run/otlp.sock")),
    ],
)
def test_endpoints_are_read_and_written_alike(text: str, endpoint: Endpoint) -> None:
    assert Endpoint.parse(text) == endpoint
    assert str(endpoint) == text


@pytest.mark.parametrize(
    "text",
    ["localhost", "::1:4317", "localhost:http", "localhost:70000", "http://x:1", "<HOST>:1", "a b:1", 4317, "unix://"],
)
def test_what_is_no_endpoint_is_refused(text: object) -> None:
    with pytest.raises(PydanticCustomError):
        Endpoint.parse(text)


def test_a_secret_does_not_show() -> None:
    secret = Secret("hunter2")
    assert "hunter2" not in f"{secret} {secret!r} {[secret]}"
    assert secret.reveal() == "hunter2"
