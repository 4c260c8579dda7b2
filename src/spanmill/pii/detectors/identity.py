"""Numbers that a state gives a person or a business: United States, Korea, Japan."""

from datetime import date

from spanmill.pii.checksums import digits_of, jp_my_number, kr_business_number
from spanmill.pii.detector import Check, Detector, Form

_CENTURIES = {1: 1900, 2: 1900, 3: 2000, 4: 2000, 5: 1900, 6: 1900, 7: 2000, 8: 2000}
"""Of birth, by the digit after the hyphen; 5 to 8 are foreigners'."""


def _ssn(found: bytes) -> int:
    number = digits_of(found)
    area = int(number[:3])
    valid = 0 < area < 900 and area != 666 and number[3:5] != b"00" and number[5:] != b"0000"
    return len(found) if valid else 0


def _itin(found: bytes) -> int:
    number = digits_of(found)
    group = int(number[3:5])
    valid = 50 <= group <= 65 or 70 <= group <= 88 or 90 <= group <= 92 or 94 <= group <= 99
    return len(found) if valid and number[:1] == b"9" else 0


def _resident(found: bytes) -> int:
    number = digits_of(found)
    try:
        date(_CENTURIES[number[6] - 48] + int(number[:2]), int(number[2:4]), int(number[4:6]))
    except (ValueError, KeyError):
        return 0
    return len(found)


def _business(found: bytes) -> int:
    number = digits_of(found)
    return len(found) if kr_business_number(number) and number[:3] >= b"101" else 0


def _my_number(found: bytes) -> int:
    number = digits_of(found)
    return len(found) if jp_my_number(number) and len(set(number)) > 1 else 0


def _number(pattern: str, check: Check | None = None, *, needs_context: bool = False) -> Form:
    return Form(rf"(?:^|[^0-9])({pattern})(?:[^0-9]|$)", check, needs_context=needs_context, alone=True)


_US_TAX = (
    "ssn",
    "ssns",
    "social security",
    "socialsecurity",
    "itin",
    "tin",
    "taxpayer",
    "tax id",
    "사회보장번호",
    "社会保障番号",
    "납세자",
    "納税者",
    *(f"{whose} ssn" for whose in ("applicant", "customer", "employee", "member", "patient", "spouse", "user")),
)
_BARE_US = r"[0-9]{9}|[0-9]{3} [0-9]{2} [0-9]{4}"
_BIRTH = r"[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"

US_SSN = Detector(
    "us_ssn", (_number(r"[0-9]{3}-[0-9]{2}-[0-9]{4}", _ssn), _number(_BARE_US, _ssn, needs_context=True)), _US_TAX
)
US_ITIN = Detector(
    "us_itin",
    (_number(r"9[0-9]{2}-[0-9]{2}-[0-9]{4}", _itin), _number(_BARE_US, _itin, needs_context=True)),
    _US_TAX,
)
KR_RRN = Detector(
    "kr_rrn",
    (
        _number(_BIRTH + r" ?- ?[1-8][0-9]{6}", _resident),
        _number(_BIRTH + r" ?[1-8][0-9]{6}", _resident, needs_context=True),
    ),
    ("주민", "외국인등록", "외국인 등록", "등록번호", "rrn", "resident registration", "resident number",
     "alien registration", "foreigner registration", "住民登録", "外国人登録"),
)  # fmt: skip
KR_BRN = Detector(
    "kr_brn",
    (
        _number(r"[0-9]{3}-[0-9]{2}-[0-9]{5}", _business),
        _number(r"[0-9]{10}|[0-9]{3} [0-9]{2} [0-9]{5}", _business, needs_context=True),
    ),
    ("사업자", "business registration", "business number", "brn", "事業者"),
)
KR_DRIVER_LICENCE = Detector(
    "kr_driver_licence",
    (
        _number(r"(?:1[1-9]|2[0-8])-[0-9]{2}-[0-9]{6}-[0-9]{2}"),
        Form(
            r"((?:서울|부산|경기|강원|충북|충남|전북|전남|경북|경남|제주|대구|인천|광주|대전|울산|세종)"
            r"[ -]?[0-9]{2}-[0-9]{6}-[0-9]{2})(?:[^0-9]|$)",
            alone=True,
        ),
        _number(r"(?:1[1-9]|2[0-8]) ?[0-9]{2} ?[0-9]{6} ?[0-9]{2}", needs_context=True),
    ),
    ("면허", "driver", "drivers", "driving", "licence", "license", "licence number", "license number", "運転", "免許"),
)
KR_PASSPORT = Detector(
    "kr_passport",
    (Form(r"(?:^|[^0-9A-Za-z])([MSRODGmsrodg](?:[0-9]{8}|[0-9]{3}[A-Za-z][0-9]{4}))(?:[^0-9A-Za-z]|$)",
          needs_context=True, alone=True),),
    ("여권", "passport", "passports", "passportnumber", "旅券", "パスポ"),
)  # fmt: skip
JP_MY_NUMBER = Detector(
    "jp_my_number",
    (
        Form(
            r"(?:^|[^0-9])([0-9]{4}-[0-9]{4}-[0-9]{4}|[0-9]{4} [0-9]{4} [0-9]{4})(?:$|[^0-9 ]| [^0-9]| $)",
            _my_number,
            alone=True,
            refused_after=r"[0-9] $",
        ),
        _number(r"[0-9]{12}", _my_number, needs_context=True),
    ),
    (
        "マイナンバ",
        "マイナ",
        "個人番号",
        "my number",
        "mynumber",
        "my_number",
        "individual number",
        "마이넘버",
        "개인번호",
    ),
)
