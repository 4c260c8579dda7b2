"""The finder: the same as a slow one, whatever the text, the column and the detectors."""
# ruff: noqa: RUF001 - full-width text is what this is about

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spanmill.pii.detector import Detector, custom_detector
from spanmill.pii.detectors import CATALOGUE
from spanmill.pii.finder import Finder
from tests.pii import slow_finder

OWN = (
    custom_detector("employee", r"EMP-[0-9]{4}"),
    custom_detector("staff_number", r"사번 ?([0-9]{5})", context=("직원", "staff")),
    custom_detector("member", r"[0-9]{4}-[0-9]{4}-[0-9]{8}", checksum="luhn"),
)
EVERYTHING = (*CATALOGUE, *OWN)
FINDER = Finder(EVERYTHING)
THINGS = (
    "john.doe@example.com", "a@b.co", "josé@example.com", "icon@2x.png", "user%40example.com", "pkg@1.2.3-beta.next",
    "010-1234-5678", "01012345678", "02)123-4567", "+82 10-1234-5678", "+1 (415) 555-2671", "415-555-2671x12",
    "03-1234-5678", "090-1234-5678", "4155552671", "0２-１２３-４５６７",
    "010–1234–5678", "０９０ー１２３４ー５６７８",
    "4111 1111 1111 1111", "4111111111111111", "378282246310005", "4111111111111112", "6221261111113245",
    "GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "10.1.2.3", "1.2.3.4.5", "v1.2.3.4", "fe80::1ff:fe23:1",
    "2001:db8:0:0:0:0:2:1", "00:1A:2b:3c:4d:5e", "12:34:56", "123-45-6789", "912-70-1234", "123456789", "ssn", "SSN:",
    "900101-1234567", "9001011234567", "주민번호", "120-81-47521", "1208147521", "사업자", "11-22-333333-44",
    "서울 12-345678-90",
    "M12345678", "여권", "1234 5678 9018", "123456789018", "マイナンバー",
    "https://bob:s3cret@host/", "sk-ant-" + "a1B2" * 6,
    "sk-proj-" + "a1B2" * 6, "AKIAIOSFODNN7EXAMPLE", "aws", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "ghp_" + "a1" * 18, "xoxb-1234567890-abc", "sk_live_" + "a1" * 9, "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig-_",
    "Bearer abcdef0123456789", "Basic dXNlcjpwYXNz", "-----BEGIN RSA PRIVATE KEY-----", "MIIEowIBAAKCAQEA1234",
    "-----END RSA PRIVATE KEY-----", "EMP-1234", "사번 12345", "직원", "4111-1111-11111111", "phone", "card", "hotel",
    "f47ac10b-58cc-4372-a567-0e02b2c3d479", "1700000000123", "2026-02-11T10:22:33Z", "37.5665,126.9780", "$1,299.00",
    r"\n", r"\t", r"\u0040", r"\uff10\uff11", r"\ud55c", r"\ud83d", r"\u0000", r"\u0041", "\\", "\\u12",
)  # fmt: skip
GLUE = (
    "",
    "",
    " ",
    " ",
    "-",
    ".",
    ",",
    ":",
    '"',
    "\n",
    "\x00",
    "_",
    "/",
    "=",
    "@",
    "은",
    "です",
    "：",
    "　",
    "é",
    "x",
    "1",
    "ー",
    "０",
    "Ａ",
)
texts = st.lists(st.one_of(st.sampled_from(THINGS), st.sampled_from(GLUE), st.text(max_size=4)), max_size=12).map(
    "".join
)
columns = st.lists(st.none() | texts, max_size=4)


def found(finder: Finder, column: pa.StringArray) -> list[tuple[int, ...]]:
    return list(zip(*(part.tolist() for part in finder.find(column)), strict=True))


@given(columns)
@settings(max_examples=150, deadline=None)
def test_it_finds_exactly_what_a_slow_and_plain_finder_finds(values: list[str | None]) -> None:
    assert found(FINDER, pa.array(values, pa.string())) == slow_finder.find(EVERYTHING, values)


@given(columns, st.integers(0, 5), st.integers(0, 5))
@settings(max_examples=50, deadline=None)
def test_a_slice_of_a_column_is_a_column(values: list[str | None], start: int, length: int) -> None:
    column = pa.array(values, pa.string()).slice(min(start, len(values)), length)
    assert found(FINDER, column) == slow_finder.find(EVERYTHING, column.to_pylist())


@given(st.lists(st.sampled_from(CATALOGUE), unique=True, max_size=4), columns)
@settings(max_examples=50, deadline=None)
def test_any_choice_of_detectors_finds_its_own(chosen: list[Detector], values: list[str | None]) -> None:
    assert found(Finder(chosen), pa.array(values, pa.string())) == slow_finder.find(chosen, values)


@given(columns)
@settings(max_examples=50, deadline=None)
def test_findings_are_in_order_and_never_overlap(values: list[str | None]) -> None:
    all_found = found(FINDER, pa.array(values, pa.string()))
    for (row, _, end, _), (next_row, next_start, _, _) in pairwise(all_found):
        assert (row, end) <= (next_row, next_start)


def test_a_value_is_never_found_across_two_texts() -> None:
    assert not found(FINDER, pa.array(["john.doe@exam", "ple.com", "010-1234-", "5678", "\\", "n", "1", "ー1"]))


def test_columns_of_nothing_have_no_findings() -> None:
    for column in (pa.array([], pa.string()), pa.nulls(3, pa.string()), pa.array([""])):
        assert not found(FINDER, column)
    assert not found(Finder(()), pa.array(["john@example.com"]))


def test_offsets_are_bytes_of_the_original_text() -> None:
    values = ["가" * number + "０１０－１２３４－５６７８" for number in range(200)]
    assert [span[1] for span in found(FINDER, pa.array(values))] == [3 * number for number in range(200)]


def test_the_longest_stays_whole_and_the_rest_of_others_is_still_found() -> None:
    long, short = custom_detector("long", "bcdef"), custom_detector("short", "abc")
    assert found(Finder([short, long]), pa.array(["abcdef"])) == [(0, 0, 1, 0), (0, 1, 6, 1)]
    assert found(Finder([custom_detector("first", "abc"), short]), pa.array(["abc"])) == [(0, 0, 3, 0)]


def test_two_threads_find_the_same() -> None:
    column = pa.array(list(THINGS) * 20)
    with ThreadPoolExecutor(2) as threads:
        assert len({tuple(one) for one in threads.map(lambda _: tuple(found(FINDER, column)), range(6))}) == 1


@pytest.mark.torture
@pytest.mark.timeout(1200)
@given(columns)
@settings(max_examples=4_000, deadline=None)
def test_it_finds_what_the_slow_finder_finds_in_very_many_texts(values: list[str | None]) -> None:
    assert found(FINDER, pa.array(values, pa.string())) == slow_finder.find(EVERYTHING, values)
