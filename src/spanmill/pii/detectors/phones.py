"""Telephone numbers: international, and as they are written within the United States, Korea and Japan."""

import re

from spanmill.pii.detector import Detector, Form

_COUNTRY_CODES = frozenset(
    "1 7 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 86 90"
    " 91 92 93 94 95 98 211 212 213 216 218 220 221 222 223 224 225 226 227 228 229 230 231 232 233 234 235 236 237 238"
    " 239 240 241 242 243 244 245 246 247 248 249 250 251 252 253 254 255 256 257 258 260 261 262 263 264 265 266 267 268"
    " 269 290 291 297 298 299 350 351 352 353 354 355 356 357 358 359 370 371 372 373 374 375 376 377 378 380 381 382 383"
    " 385 386 387 389 420 421 423 500 501 502 503 504 505 506 507 508 509 590 591 592 593 594 595 596 597 598 599 670 672"
    " 673 674 675 676 677 678 679 680 681 682 683 685 686 687 688 689 690 691 692 850 852 853 855 856 880 886 960 961 962"
    " 963 964 965 966 967 968 970 971 972 973 974 975 976 977 992 993 994 995 996 998".split()
)
"""ITU-T E.164 country codes."""
_EXTENSION = r"(?: ?(?:x|ext\.? ?)[0-9]{1,6})?"
_NANP = re.compile(r"[2-9](?!11)[0-9]{2}[2-9](?!11)[0-9]{6}")
_KR_NATIONAL = re.compile(r"1[016789][0-9]{7,8}|(?:2|[3-6][1-5]|70|50[0-9]?|80)[0-9]{7,8}")
_JP_NATIONAL = re.compile(r"[5789]0[1-9][0-9]{7}|(?:120|800)[0-9]{6,7}|[1-9][0-9]{8}")
_GROUPS = re.compile(rb"[0-9]+")


def _international(found: bytes) -> int:
    """The longest run of whole groups that is a number of its country."""
    groups = [match.span() for match in _GROUPS.finditer(found)]
    first = 1 if found[:1] == b"%" else 0
    for last in range(len(groups), first, -1):
        kept = groups[last - 1][1]
        if found[kept : kept + 1] == b")":
            kept += 1
        if _is_international(
            "".join(found[start:end].decode() for start, end in groups[first:last]).removeprefix("00")
        ):
            return kept
    return 0


def _is_international(digits: str) -> bool:
    if digits[:1] == "1":
        return _NANP.fullmatch(digits[1:]) is not None
    if digits[:2] == "82":
        return _KR_NATIONAL.fullmatch(digits[2:].removeprefix("0")) is not None
    if digits[:2] == "81":
        return _JP_NATIONAL.fullmatch(digits[2:].removeprefix("0")) is not None
    known = digits[:2] in _COUNTRY_CODES or digits[:3] in _COUNTRY_CODES or digits[:1] == "7"
    return known and 9 <= len(digits) <= 15


def _digits(found: bytes) -> str:
    return "".join(chr(byte) for byte in found if 48 <= byte <= 57)


def _us(found: bytes) -> int:
    digits = _digits(re.split(rb"x|e", found)[0])
    number = digits.removeprefix("001") if digits[:3] == "001" else digits.removeprefix("1")
    return len(found) if _NANP.fullmatch(number) else 0


def _kr(found: bytes) -> int:
    digits = _digits(found)
    if _KR_NATIONAL.fullmatch(digits[1:]) is None:
        return 0
    return len(found) if len(digits) < len(found) or (digits[:3] == "010" and len(digits) == 11) else 0


def _jp(found: bytes) -> int:
    return len(found) if _JP_NATIONAL.fullmatch(_digits(found)[1:]) else 0


def _bare(found: bytes) -> int:
    digits = _digits(found)
    if digits[:1] == "0":
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
        Form(_number(r"01[016789][ .-]?[0-9]{3,4}[ .-]?[0-9]{4}"), _kr, alone=True),
        Form(
            _number(
                r"\(?0(?:2|[3-6][1-5]|70|50[0-9]?|80)(?:\)[ .-]?[0-9]{3,4}[ .-]?|[.-][0-9]{3,4}[ .-]|[ .-][0-9]{3,4}[.-])[0-9]{4}"
            ),
            _kr,
            alone=True,
        ),
        Form(_number(r"0[5789]0(?:[ -]?[0-9]{4}){2}"), _jp, alone=True),
        Form(
            _number(r"\(?0[1-9][0-9]{0,3}(?:-[0-9]{1,4}-|\) ?[0-9]{1,4}-|\([0-9]{1,4}\) ?)[0-9]{3,4}"), _jp, alone=True
        ),
        Form(_number(r"0[0-9]{8,10}|0[0-9]{1,4} [0-9]{2,4} [0-9]{4}|[2-9][0-9]{9}|[2-9][0-9]{2} [2-9][0-9]{2} [0-9]{4}"),
             _bare, needs_context=True, alone=True),
    ),
    ("phone", "phones", "phonenumber", "tel", "telephone", "mobile", "cell", "cellphone", "call", "fax", "contact",
     "sms", "whatsapp", "전화", "휴대폰", "핸드폰", "연락처", "팩스", "電話", "携帯", "連絡先", "ファックス"),
)  # fmt: skip
