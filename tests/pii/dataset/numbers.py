"""Payment cards, IBANs and the numbers that states give, made from their public definitions.

Written apart from what finds them, so that a mistake there is not repeated here. Sources: ISO/IEC 7812-1 annex B
(cards), ISO 13616 and the SWIFT registry (IBAN), the Social Security Administration's and the IRS's rules of areas and
groups, the Korean tax service's and interior ministry's weights, Japan's ordinance 85 of 2014, article 5.
"""

from datetime import date, timedelta
from random import Random

from tests.pii.dataset.labelled import Value
from tests.pii.dataset.people import digits, word
from tests.pii.dataset.writing import grouped

_CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# Name, first digits, length, groups.
_BRANDS = (
    ("Visa", ("4",), 16, (4, 4, 4, 4)),
    ("Visa", ("4",), 16, (4, 4, 4, 4)),
    ("Mastercard", ("51", "52", "53", "54", "55"), 16, (4, 4, 4, 4)),
    ("Mastercard 2", ("2221", "2350", "2499", "2600", "2720"), 16, (4, 4, 4, 4)),
    ("American Express", ("34", "37"), 15, (4, 6, 5)),
    ("Discover", ("6011", "644", "65"), 16, (4, 4, 4, 4)),
    ("JCB", ("3528", "3540", "3589"), 16, (4, 4, 4, 4)),
    ("Diners Club", ("36", "38", "300", "305"), 14, (4, 6, 4)),
    ("UnionPay", ("6212", "6226", "6250"), 16, (4, 4, 4, 4)),
)
# What the account part is made of: n digits, c capitals and digits, a capitals; by country.
_ACCOUNTS = {
    "DE": "n18",
    "GB": "a4n14",
    "FR": "n10c11n2",
    "NL": "a4n10",
    "ES": "n20",
    "IT": "a1n10c12",
    "BE": "n12",
    "CH": "n5c12",
    "NO": "n11",
    "AT": "n16",
    "SE": "n20",
    "PL": "n24",
    "PT": "n21",
    "IE": "a4n14",
    "SA": "n2c18",
    "AE": "n19",
    "TR": "n6c16",
    "MT": "a4n5c18",
    "DK": "n14",
    "FI": "n14",
}
_KR_REGIONS = ("서울", "부산", "경기", "강원", "충북", "충남", "전북", "전남", "경북", "경남", "제주", "대구", "인천")
_LAST_CHECKED_RRN = date(2020, 10, 1)


def luhn_digit(digits_before: str) -> int:
    total = 0
    for position, digit in enumerate(reversed(digits_before)):
        doubled = int(digit) * 2 if position % 2 == 0 else int(digit)
        total += doubled // 10 + doubled % 10
    return -total % 10


def card(rng: Random) -> Value:
    name, prefixes, length, groups = rng.choice(_BRANDS)
    prefix = rng.choice(prefixes)
    number = prefix + digits(rng, length - len(prefix) - 1)
    number += str(luhn_digit(number))
    separator = rng.choices(("", " ", "-", "."), (30, 40, 28, 2))[0]
    between = {"": "none", " ": "spaces", "-": "hyphens", ".": "points"}[separator]
    return Value("card", grouped(number, groups, separator), f"{name}, {between}")


def iban_check(country: str, account: str) -> str:
    remainder = 0
    for sign in account + country + "00":
        for digit in str(int(sign, 36)):
            remainder = (remainder * 10 + int(digit)) % 97
    return f"{98 - remainder:02d}"


def iban(rng: Random) -> Value:
    country = rng.choice(sorted(_ACCOUNTS))
    form, account = _ACCOUNTS[country], ""
    while form:
        kind, rest = form[0], form[1:]
        count = int("".join(sign for sign in rest[:2] if sign.isdigit()))
        form = rest[len(str(count)) :]
        letters = {"n": "0123456789", "a": _CAPITALS, "c": _CAPITALS + "0123456789" * 3}[kind]
        account += word(rng, letters, count, count)
    number = country + iban_check(country, account) + account
    way = rng.choices(("none", "spaces", "hyphens", "small letters"), (45, 42, 5, 8))[0]
    if way == "small letters":
        number = number.lower()
    elif way != "none":
        number = (" " if way == "spaces" else "-").join(number[at : at + 4] for at in range(0, len(number), 4))
    return Value("iban", number, f"{country}, {way}")


def us_ssn(rng: Random) -> Value:
    area = rng.choice([number for number in (rng.randint(1, 899) for _ in range(3)) if number != 666])
    return _us("us_ssn", rng, f"{area:03d}{rng.randint(1, 99):02d}{rng.randint(1, 9999):04d}")


def us_itin(rng: Random) -> Value:
    group = rng.choice([*range(50, 66), *range(70, 89), 90, 91, 92, *range(94, 100)])
    return _us("us_itin", rng, f"9{digits(rng, 2)}{group:02d}{rng.randint(1, 9999):04d}")


def _us(detector: str, rng: Random, number: str) -> Value:
    separator = rng.choices(("-", " ", ""), (70, 12, 18))[0]
    form = {"-": "hyphens", " ": "spaces", "": "none"}[separator]
    return Value(detector, grouped(number, (3, 2, 4), separator), form, bare=separator != "-")


def rrn_check(first_twelve: str) -> int:
    weights = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)
    return (11 - sum(int(digit) * weight for digit, weight in zip(first_twelve, weights, strict=True)) % 11) % 10


def kr_rrn(rng: Random) -> Value:
    """Of residents and of foreigners; a third of them, and all of those born since, without a valid check digit."""
    born = date(1930, 1, 1) + timedelta(days=rng.randrange((date(2025, 12, 31) - date(1930, 1, 1)).days))
    foreign = rng.random() < 0.25
    sex = rng.randint(1, 2) + (2 if born.year >= 2000 else 0) + (4 if foreign else 0)
    number = f"{born:%y%m%d}{sex}{digits(rng, 5)}"
    unchecked = born >= _LAST_CHECKED_RRN or rng.random() < 0.33
    check = rrn_check(number)
    number += str((check + rng.randint(1, 9)) % 10 if unchecked else check)
    separator = rng.choices(("-", "", " ", " - "), (68, 20, 6, 6))[0]
    owner, digit = ("foreigner" if foreign else "resident"), ("no check digit" if unchecked else "check digit")
    form = f"{owner}, {digit}, between {separator!r}"
    return Value("kr_rrn", grouped(number, (6, 7), separator), form, bare=separator in ("", " "))


def brn_check(first_nine: str) -> int:
    weights = (1, 3, 7, 1, 3, 7, 1, 3, 5)
    total = sum(int(digit) * weight for digit, weight in zip(first_nine, weights, strict=True))
    return (10 - (total + int(first_nine[8]) * 5 // 10) % 10) % 10


def kr_brn(rng: Random) -> Value:
    number = f"{rng.randint(101, 899)}{rng.randint(1, 99):02d}{digits(rng, 4)}"
    number += str(brn_check(number))
    separator = rng.choices(("-", "", " "), (75, 19, 6))[0]
    return Value("kr_brn", grouped(number, (3, 2, 5), separator), f"between {separator!r}", bare=separator != "-")


def kr_driver_licence(rng: Random) -> Value:
    rest = f"{rng.randint(0, 99):02d}{digits(rng, 6)}{digits(rng, 2)}"
    way = rng.choices(("hyphens", "none", "spaces", "region"), (66, 12, 7, 15))[0]
    if way == "region":
        region = rng.choice(_KR_REGIONS) + rng.choice((" ", "-", ""))
        return Value("kr_driver_licence", region + grouped(rest, (2, 6, 2), "-"), "name of the region")
    number = str(rng.choice([*range(11, 27), 28])) + rest
    separator = {"hyphens": "-", "none": "", "spaces": " "}[way]
    return Value("kr_driver_licence", grouped(number, (2, 2, 6, 2), separator), way, bare=way != "hyphens")


def kr_passport(rng: Random) -> Value:
    """Since 2021 a letter, three digits, a letter, four digits; before, a letter and eight digits."""
    new = rng.random() < 0.5
    kind = rng.choice("MMMMSRODG")
    middle = rng.choice(_CAPITALS) if new else digits(rng, 1)
    number = f"{kind}{digits(rng, 3)}{middle}{digits(rng, 4)}"
    small = rng.random() < 0.08
    form = ("since 2021" if new else "before 2021") + (", small letters" if small else "")
    return Value("kr_passport", number.lower() if small else number, form, bare=True)


def my_number_check(first_eleven: str) -> int:
    """The weight of the n-th digit from the right is n + 1 up to the sixth, n - 5 from the seventh."""
    total = sum(int(digit) * (n + 1 if n <= 6 else n - 5) for n, digit in enumerate(reversed(first_eleven), start=1))
    return 0 if total % 11 <= 1 else 11 - total % 11


def jp_my_number(rng: Random) -> Value:
    number = digits(rng, 11)
    number += str(my_number_check(number))
    separator = rng.choices((" ", "-", ""), (38, 27, 35))[0]
    return Value("jp_my_number", grouped(number, (4, 4, 4), separator), f"between {separator!r}", bare=not separator)
