"""Check digits, each against numbers that their issuers publish, or that were worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanmill.pii.checksums import CHECKSUMS, jp_my_number, kr_business_number, kr_resident_number, luhn, mod_97

HOLDS = {
    luhn: (b"4111111111111111", b"378282246310005", b"79927398713", b"6011111111111117", b"30569309025904"),
    mod_97: (
        b"GB82WEST12345698765432",
        b"DE89370400440532013000",
        b"NO9386011117947",
        b"MT84MALT011000012345MTLCAST001S",
    ),
    kr_business_number: (b"1208147521", b"2208162517", b"1248100998"),
    kr_resident_number: (b"9001011234568",),
    jp_my_number: (b"123456789018",),
}


@pytest.mark.parametrize(
    ("holds", "number"), [(holds, number) for holds, numbers in HOLDS.items() for number in numbers]
)
def test_real_numbers_hold_and_no_other_last_digit_does(holds: object, number: bytes) -> None:
    assert callable(holds)
    assert holds(number)
    if holds is not mod_97:
        others = [number[:-1] + str(digit).encode() for digit in range(10)]
        assert [other for other in others if holds(other)] == [number]


@given(st.integers(0, 15), st.integers(0, 9))
def test_luhn_and_mod_97_notice_any_single_wrong_digit(place: int, digit: int) -> None:
    for holds, number in ((luhn, b"4111111111111111"), (mod_97, b"DE89370400440532013000")):
        wrong = number[:place] + str(digit).encode() + number[place + 1 :]
        assert holds(wrong) == (wrong == number) or not chr(number[place]).isdigit()


@pytest.mark.parametrize("holds", list(HOLDS))
def test_too_few_digits_never_hold(holds: object) -> None:
    assert callable(holds)
    assert not holds(b"")
    assert not holds(b"0")


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("luhn", b"4111-1111-1111-1111"),
        ("mod_97", b"gb82 west 1234 5698 7654 32"),
        ("kr_business_number", b"120-81-47521"),
        ("jp_my_number", b"1234 5678 9018"),
    ],
)
def test_a_custom_detector_names_a_checksum_and_separators_do_not_count(name: str, written: bytes) -> None:
    assert CHECKSUMS[name](written) == len(written)
    assert CHECKSUMS[name](written[:-1] + b"9") == 0
