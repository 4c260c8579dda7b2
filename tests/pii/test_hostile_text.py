"""No text and no pattern makes the finder slow: ten times the text takes at most about ten times as long."""
# ruff: noqa: RUF001 - full-width text is what this is about

import time

import pyarrow as pa
import pytest

from spanmill.pii.budget import SECONDS_PER_BYTE, SECONDS_PER_TEXT
from spanmill.pii.detector import custom_detector
from spanmill.pii.detectors import CATALOGUE
from spanmill.pii.engine import PatternError
from spanmill.pii.finder import Finder

FINDER = Finder(CATALOGUE)
SMALL, FACTOR = 100_000, 10
SLACK = 2.5
"""Times by which the larger text may take longer than in proportion: caches, and other programs."""
FLOOR_SECONDS = 0.02
UNITS = (
    "@", "a@", "a@b.", "a@bb.cc", "a@bb.cc-", "a.", "1-1-1-", "1-", "1.", "1.1.1.1.", "1:", ":", "::", "a:",
    "aa:", "[", "(", "()", "+1 ", "+",
    "+1(", "0", "1", "00", "010", "010-", "02-", "4", "4111 ", "4111111111111112 ", "1 4111 1111 1111 1112",
    "415-555-", "900101-", "900101-1234567",
    "123-45-", "123-45-678", "120-81-47522 ", "GB82", "GB82 WEST ", "GB82WEST12345698765433 ", "A", "://",
    "a://", "a://b:", "a://b:c@", "sk-", "sk-ant-",
    "sk-proj-a", "eyJ", "eyJaaaaaaaa.", "eyJaaaaaaaa.eyJaaaaaaaa", "ghp_", "xoxb-", "AKIA", "Bearer ",
    "bearer aaaaaaaaaaaaaaaa ",
    "basic ", "-----BEGIN PRIVATE KEY-----", "-----BEGIN ", "-----BEGIN PRIVATE KEY-----a",
    "PRIVATE KEY-----", "-", "\\", "\\u", "\\u0040", "\\n",
    "０", "０９０－", "ー", "1ー", "：", "한", "ssn 123456780 ", "phone 4155552671 ", "call 2", "aws /",
    "a" * 40 + " aws ", "%40", "M12345678 ", "\n", "\x00",
)  # fmt: skip


def seconds(finder: Finder, text: str) -> float:
    column = pa.array([text])
    best = 1e9
    for _ in range(2):
        start = time.thread_time()
        finder.find(column)
        best = min(best, time.thread_time() - start)
    return best


def repeated(unit: str, length: int) -> str:
    return unit * (length // len(unit))


@pytest.mark.parametrize("unit", UNITS)
def test_time_grows_no_more_than_in_proportion_to_the_text(unit: str) -> None:
    short = seconds(FINDER, repeated(unit, SMALL // 10))
    assert seconds(FINDER, repeated(unit, SMALL)) <= max(short, FLOOR_SECONDS / 10) * 10 * SLACK


@pytest.mark.torture
@pytest.mark.parametrize("unit", UNITS)
def test_a_megabyte_takes_ten_times_as_long_as_a_tenth_of_one(unit: str) -> None:
    short = seconds(FINDER, repeated(unit, SMALL))
    assert seconds(FINDER, repeated(unit, SMALL * FACTOR)) <= max(short, FLOOR_SECONDS) * FACTOR * SLACK


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a|aa)+$", "(a*)*c", "((a{0,9}){0,9}){0,9}c", "(.*)(.*)(.*)x", "[ab]*a[ab]{20}x"]
)
@pytest.mark.parametrize("unit", ["a", "ab", "b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"])
def test_patterns_that_stop_other_engines_run_in_linear_time(pattern: str, unit: str) -> None:
    finder = Finder([custom_detector("own", pattern)])
    short = seconds(finder, repeated(unit, SMALL))
    assert seconds(finder, repeated(unit, SMALL * FACTOR)) <= max(short, FLOOR_SECONDS) * FACTOR * SLACK


def test_a_pattern_that_reads_on_to_the_end_at_every_byte_is_stopped_and_the_rest_counts_as_found() -> None:
    finder = Finder([custom_detector("own", "a(?:[^c]*b)?")])
    text = "a" * 50_000
    start = time.thread_time()
    rows, starts, ends, _ = finder.find(pa.array([text]))
    assert time.thread_time() - start < SECONDS_PER_TEXT + SECONDS_PER_BYTE * len(text) + 1
    covered = sum((ends - starts).tolist())
    assert covered == len(text)
    assert not rows.any()


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("(?=a)b", "look-around"),
        (r"(a)\1", "invalid escape sequence"),
        ("(a", "missing )"),
        ("(a{1000}){1000}", "invalid repetition size"),
        ("(?:[a-z0-9가-힣]{2,40}){1,20}x", "too large"),
        ("a*", "empty text"),
        ("|", "empty text"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_an_error_that_says_why(pattern: str, says: str) -> None:
    with pytest.raises(PatternError, match=r"^[^\n]+$") as raised:
        custom_detector("own", pattern)
    assert says in str(raised.value)


def test_a_checksum_that_does_not_exist_is_an_error_that_lists_those_that_do() -> None:
    with pytest.raises(PatternError, match=r"no checksum 'lun'; there are jp_my_number, .*luhn"):
        custom_detector("own", "[0-9]+", checksum="lun")
