"""Payment cards and bank accounts."""

from spanmill.pii.checksums import digits_of, luhn, mod_97
from spanmill.pii.detector import Detector, Form

_IBAN_LENGTHS = {
    code.encode(): length
    for length, codes in {
        15: "NO", 16: "BE", 18: "DK FI FK FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK",
        21: "CH CR HR LI LV", 22: "BG BH DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST", 26: "IS TR", 27: "BI DJ FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HU LB NI PL SV",
        29: "BR EG PS QA UA", 30: "JO KW MU YE", 31: "MT SC", 32: "LC", 33: "RU",
    }.items()
    for code in codes.split()
}  # fmt: skip
"""Characters of an account number by country, from the SWIFT registry of IBANs."""


def _network(digits: bytes) -> bool:
    """Whether a network gives out numbers that begin so and are so long."""
    length, four = len(digits), int(digits[:4])
    two, three = four // 100, four // 10
    if digits[:1] == b"4":
        return length in (13, 16, 19)
    if two in (34, 37):
        return length == 15
    if 51 <= two <= 55 or 2221 <= four <= 2720:
        return length == 16
    if two in (36, 38, 39) or 300 <= three <= 305 or three == 309:
        return 14 <= length <= 19
    if 3528 <= four <= 3589 or four == 6011 or two in (62, 65) or 644 <= three <= 649:
        return 16 <= length <= 19
    return two in (50, 56, 57, 58, 60, 61, 63, 64, 66, 67, 68, 69) and 12 <= length <= 19


def _card(found: bytes) -> int:
    digits = digits_of(found)
    separators = set(found) & set(b" .-")
    if len(separators) > 1 or len(set(digits)) == 1 or not _network(digits):
        return 0
    return len(found) if luhn(digits) else 0


def _iban(found: bytes) -> int:
    length = _IBAN_LENGTHS.get(found[:2].upper(), 0)
    account = found.translate(None, b" -")[:length].upper()
    if not length or len(account) < length or not mod_97(account):
        return 0
    kept = length
    while len(found[:kept].translate(None, b" -")) < length:
        kept += 1
    return 0 if found[kept : kept + 1].isalnum() else kept


CARD = Detector(
    "card",
    (
        Form(
            r"(?:^|[^0-9])([2-6][0-9]{3}(?:[ .-][0-9]{4}){3}(?:[ .-][0-9]{3})?"
            r"|3[0-9]{3}[ .-][0-9]{6}[ .-][0-9]{4,5})(?:[^0-9]|$)",
            _card,
            alone=True,
        ),
        Form(r"(?:^|[^0-9])([2-6][0-9]{13,15})(?:[^0-9]|$)", _card, alone=True),
        Form(r"(?:^|[^0-9])([2-6][0-9]{11,12}|[2-6][0-9]{16,18})(?:[^0-9]|$)", _card, needs_context=True, alone=True),
    ),
    context=(
        "card", "cards", "credit", "debit", "visa", "mastercard", "amex", "pan", "cc", "ccnum", "cardnumber",
        "카드", "カード", "クレジット",
    ),
)  # fmt: skip
IBAN = Detector(
    "iban",
    (
        Form(
            r"(?:^|[^0-9A-Za-z])([A-Za-z]{2}[0-9]{2}(?:[ -]?[0-9A-Za-z]{4}){2,7}(?:[ -]?[0-9A-Za-z]{1,3})?)"
            r"(?:[^0-9A-Za-z]|$)",
            _iban,
            alone=True,
        ),
    ),
)
