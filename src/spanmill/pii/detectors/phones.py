"""Telephone numbers: international, and as they are written within the United States, Korea and Japan."""

import re

from spanmill.pii.checksums import digits_of
from spanmill.pii.detector import Detector, Form

_COUNTRY_CODE = re.compile(
    rb"2[07]|3[0123469]|4[013456789]|5[12345678]|6[0123456]|8[1246]|9[0123458]|21[12368]|22[0123456789]"
    rb"|23[0123456789]|24[0123456789]|25[012345678]|26[0123456789]|29[01789]|35[0123456789]"
    rb"|37[012345678]|38[01235679]|42[013]|50[0123456789]|59[0123456789]|67[023456789]|68[012356789]"
    rb"|69[012]|85[02356]|88[06]|96[012345678]|97[01234567]|99[234568]"
)
"""ITU-T E.164 country codes of two and three digits."""
_EXTENSION = r"(?: ?(?:x|ext\.? ?)[0-9]{1,6})?"
_NANP = re.compile(rb"[2-9](?!11)[0-9]{2}[2-9](?!11)[0-9]{6}")
_KR_NATIONAL = re.compile(rb"1[016789][0-9]{7,8}|(?:2|[3-6][1-5]|70|50[0-9]?|80)[0-9]{7,8}")
_JP_NATIONAL = re.compile(rb"[5789]0[1-9][0-9]{7}|(?:120|800)[0-9]{6,7}|[1-9][0-9]{8}")
_GROUPS = re.compile(rb"[0-9]+")


def _international(found: bytes) -> int:
    """The longest run of whole groups that is a number of its country."""
    bare_00 = found.isdigit()
    groups = [match.span() for match in _GROUPS.finditer(found)]
    first = 1 if found[:1] == b"%" else 0
    for last in range(len(groups), first, -1):
        kept = groups[last - 1][1]
        if found[kept : kept + 1] == b")":
            kept += 1
        if not bare_00 and _is_international(digits_of(found[groups[first][0] : kept]).removeprefix(b"00")):
            return kept
    return 0


def _is_international(digits: bytes) -> bool:
    if digits[:1] == b"1":
        return _NANP.fullmatch(digits[1:]) is not None
    if digits[:2] == b"82":
        return _KR_NATIONAL.fullmatch(digits[2:].removeprefix(b"0")) is not None
    if digits[:2] == b"81":
        return _JP_NATIONAL.fullmatch(digits[2:].removeprefix(b"0")) is not None
    known = digits[:1] == b"7" or _COUNTRY_CODE.match(digits) is not None
    return known and 9 <= len(digits) <= 15


def _us(found: bytes) -> int:
    digits = digits_of(re.split(rb"x|e", found)[0])
    number = digits.removeprefix(b"001") if digits[:3] == b"001" else digits.removeprefix(b"1")
    return len(found) if _NANP.fullmatch(number) else 0


def _kr(found: bytes) -> int:
    digits = digits_of(found)
    if _KR_NATIONAL.fullmatch(digits[1:]) is None:
        return 0
    return len(found) if len(digits) < len(found) or (digits[:3] == b"010" and len(digits) == 11) else 0


def _jp(found: bytes) -> int:
    return len(found) if _JP_NATIONAL.fullmatch(digits_of(found)[1:]) else 0


def _bare(found: bytes) -> int:
    digits = digits_of(found)
    if digits[:1] == b"0":
        valid = _KR_NATIONAL.fullmatch(digits[1:]) or _JP_NATIONAL.fullmatch(digits[1:])
    else:
        valid = _NANP.fullmatch(digits)
    return len(found) if valid else 0


def _number(pattern: str) -> str:
    return rf"(?:^|[^0-9])({pattern})(?:[^0-9]|$)"


PHONE = Detector(
    "phone",
    (
        Form(
            r"(?:^|[^0-9A-Za-z+])((?:\+|%2[Bb]|00)[1-9][0-9]{0,14}(?:[ .-]?\(?[0-9]{1,14}\)?){0,6})(?:[^0-9]|$)",
            _international,
            alone=True,
        ),
        Form(
            _number(
                r"(?:(?:001|1)[ .-])?(?:\([2-9][0-9]{2}\)[ .-]?[2-9][0-9]{2}[ .-]|[2-9][0-9]{2}[.-][2-9][0-9]{2}[ .-]"
                r"|[2-9][0-9]{2} [2-9][0-9]{2}[.-])[0-9]{4}" + _EXTENSION
            ),
            _us,
            alone=True,
        ),
        Form(_number(r"(?:\(01[016789]\)|01[016789]\)?)(?: ?[.-] ?| )?"
            r"[0-9]{3,4}(?: ?[.-] ?| )?[0-9]{4}"), _kr, alone=True),
        Form(
            _number(
                r"\(?0(?:2|[3-6][1-5]|70|50[0-9]?|80)(?:\)[ .-]?[0-9]{3,4}[ .-]?"
                r"|[.-][0-9]{3,4}[ .-]|[ .-][0-9]{3,4}[.-])[0-9]{4}"
            ),
            _kr,
            alone=True,
        ),
        Form(_number(r"0[5789]0(?:[ -]?[0-9]{4}){2}"), _jp, alone=True),
        Form(
            _number(r"\(?0[1-9][0-9]{0,3}(?:-[0-9]{1,4}-|\) ?[0-9]{1,4}-|\([0-9]{1,4}\) ?)[0-9]{3,4}"), _jp, alone=True
        ),
        Form(_number(r"0[0-9]{8,10}|0[0-9]{1,4} [0-9]{2,4} [0-9]{4}"
                     r"|[2-9][0-9]{9}|[2-9][0-9]{2} [2-9][0-9]{2} [0-9]{4}"),
             _bare, needs_context=True, alone=True),
    ),
    ("phone", "phones", "phonenumber", "tel", "telephone", "mobile", "cell", "cellphone", "call", "fax", "contact",
     "sms", "whatsapp", "전화", "휴대폰", "핸드폰", "연락처", "팩스", "電話", "携帯", "連絡先", "ファックス"),
)  # fmt: skip
