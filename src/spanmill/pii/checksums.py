"""Check digits of numbers about people and accounts. All take digits as ASCII text without separators.

One number in ten has a valid check digit by chance (one in 97 for IBAN), so none is evidence by itself.
"""

from collections.abc import Callable, Sequence

_NOT_DIGITS = bytes(set(range(256)) - set(b"0123456789"))
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_VALUES = {ord(sign): str(value) for value, sign in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")}
_BRN_WEIGHTS = (1, 3, 7, 1, 3, 7, 1, 3, 5)
_RRN_WEIGHTS = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)
_MY_NUMBER_WEIGHTS = (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)


def digits_of(written: bytes) -> bytes:
    """Without anything else."""
    return written.translate(None, _NOT_DIGITS)


def luhn(digits: bytes) -> bool:
    """Payment cards (ISO/IEC 7812-1)."""
    values = [byte - 48 for byte in digits]
    return len(values) > 1 and (sum(values[-1::-2]) + sum([_DOUBLED[value] for value in values[-2::-2]])) % 10 == 0


def mod_97(account: bytes) -> bool:
    """IBAN (ISO 13616): capital letters count 10 to 35, country and check digits move to the end, the rest is 1."""
    if len(account) < 5:
        return False
    return int("".join([_VALUES[byte] for byte in account[4:] + account[:4]])) % 97 == 1


def kr_business_number(digits: bytes) -> bool:
    """Ten digits. The ninth's weight, 5, also adds its tens."""
    if len(digits) != 10:
        return False
    total = _weighted(digits, _BRN_WEIGHTS) + (digits[8] - 48) * 5 // 10
    return (10 - total % 10) % 10 == digits[9] - 48


def kr_resident_number(digits: bytes) -> bool:
    """Thirteen digits. Numbers given out since October 2020 have a random last digit: a failure proves nothing."""
    return len(digits) == 13 and (11 - _weighted(digits, _RRN_WEIGHTS) % 11) % 10 == digits[12] - 48


def jp_my_number(digits: bytes) -> bool:
    """Twelve digits; a remainder of 0 or 1 gives the check digit 0."""
    if len(digits) != 12:
        return False
    remainder = _weighted(digits, _MY_NUMBER_WEIGHTS) % 11
    return (0 if remainder <= 1 else 11 - remainder) == digits[11] - 48


def _weighted(digits: bytes, weights: Sequence[int]) -> int:
    return sum([(byte - 48) * weight for byte, weight in zip(digits, weights, strict=False)])


def _of_digits(holds: Callable[[bytes], bool]) -> Callable[[bytes], int]:
    def check(found: bytes) -> int:
        return len(found) if holds(digits_of(found)) else 0

    return check


def _iban(found: bytes) -> int:
    letters = bytes(byte for byte in found.upper() if chr(byte).isalnum() and byte < 128)
    return len(found) if mod_97(letters) else 0


CHECKSUMS: dict[str, Callable[[bytes], int]] = {
    "luhn": _of_digits(luhn),
    "mod_97": _iban,
    "kr_business_number": _of_digits(kr_business_number),
    "kr_resident_number": _of_digits(kr_resident_number),
    "jp_my_number": _of_digits(jp_my_number),
}
"""What a custom detector may name. What is between the digits is no part of the sum."""
