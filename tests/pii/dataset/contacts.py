"""E-mail, telephone numbers, addresses of machines, and credentials in URLs."""

import ipaddress
from random import Random

from tests.pii.dataset.labelled import Pieces, Value
from tests.pii.dataset.people import digits, foreign_phones, people, word

_SMALL = "abcdefghijklmnopqrstuvwxyz"
_DOMAINS = {
    "en": ("gmail.com", "outlook.com", "mail.example.co.uk", "acme-corp.io", "dept.university.edu", "startup.ai"),
    "ko": ("naver.com", "hanmail.net", "daum.net", "kakao.com", "company.co.kr", "mail.go.kr", "korea.ac.kr"),
    "ja": ("docomo.ne.jp", "ezweb.ne.jp", "softbank.ne.jp", "yahoo.co.jp", "example.or.jp", "kaisha.co.jp"),
}
_PHONE_COUNTRIES = {"en": (6, 1, 1, 3), "ko": (1, 8, 1, 1), "ja": (1, 1, 8, 1)}
"""How often numbers of the United States, Korea, Japan and others stand in texts of a language."""
_JP_AREAS = ("3", "6", "11", "22", "45", "52", "75", "78", "92", "467", "422", "1267", "9912")
_KR_AREAS = ("2", "31", "32", "33", "41", "42", "43", "44", "51", "52", "53", "54", "55", "61", "62", "63", "64")
_SCHEMES = (
    "postgres",
    "postgresql",
    "mysql",
    "redis",
    "amqp",
    "mongodb",
    "mongodb+srv",
    "https",
    "http",
    "ftp",
    "smtp",
)


def email(rng: Random, language: str) -> Value:
    """Half of them Faker's."""
    if rng.random() < 0.5:
        return Value("email", rng.choice(people(language).emails), "Faker")
    user, domain = rng.choice(people(language).user_names), rng.choice(_DOMAINS[language])
    first = word(rng, _SMALL, 2, 8)
    way, local = rng.choice(
        (
            ("plus", f"{user}+{word(rng, _SMALL, 3, 8)}"),
            ("points", f"{first}.{user}"),
            ("underscore", f"{first}_{user}"),
            ("hyphen", f"{first}-{user}"),
            ("digits", user + digits(rng, 4)),
            ("short", rng.choice(_SMALL)),
            ("capitals", f"{first.title()}.{user.title()}"),
            ("all capitals", user.upper()),
            ("accent", "josé." + first),
            ("begins with digits", digits(rng, 3) + user),
        )
    )
    domain = domain.upper() if way == "all capitals" else domain
    return Value("email", f"{local}@{domain}", way)


def phone(rng: Random, language: str) -> Value:
    make = rng.choices((_us, _kr, _jp, _foreign), _PHONE_COUNTRIES[language])[0]
    return make(rng)


def _us(rng: Random) -> Value:
    if rng.random() < 0.3:
        number = rng.choice(people("en").phones)
        return Value("phone", number, "US, Faker", bare=number.isdigit())
    area, exchange = (f"{rng.randint(2, 9)}{rng.choice([n for n in range(100) if n != 11]):02d}" for _ in range(2))
    line = digits(rng, 4)
    form = rng.choice(
        (
            "({}) {}-{}",
            "({}){}-{}",
            "{}-{}-{}",
            "{}-{}-{}",
            "{}.{}.{}",
            "+1 {}-{}-{}",
            "+1 ({}) {}-{}",
            "+1{}{}{}",
            "+1-{}-{}-{}",
            "1-{}-{}-{}",
            "+1 {} {} {}",
            "{} {}-{}",
            "({}) {}-{} ext. 12",
            "{}-{}-{} x4571",
            "{} {} {}",
            "{}{}{}",
            "+1.{}.{}.{}",
            "001-{}-{}-{}",
        )
    )
    return Value("phone", form.format(area, exchange, line), f"US, {form}", bare=form in ("{} {} {}", "{}{}{}"))


def _kr(rng: Random) -> Value:
    if rng.random() < 0.2:
        return Value("phone", rng.choice(people("ko").phones), "KR, Faker")
    first, line = str(rng.randint(2000, 9999)), digits(rng, 4)
    if rng.random() < 0.7:
        form = rng.choice(
            (
                "010-{}-{}",
                "010-{}-{}",
                "010-{}-{}",
                "010 {} {}",
                "010.{}.{}",
                "010{}{}",
                "010{}{}",
                "+82 10-{}-{}",
                "+82-10-{}-{}",
                "+8210{}{}",
                "+82 10 {} {}",
                "010 - {} - {}",
                "010) {}-{}",
                "(010) {}-{}",
                "82-10-{}-{}",
                "+82(0)10-{}-{}",
                "010-{}{}",
                "0505-{}-{}",
                "070-{}-{}",
            )
        )
        return Value("phone", form.format(first, line), f"KR, {form}")
    area, first = rng.choice(_KR_AREAS), str(rng.randint(200, 9999))
    form = rng.choice(
        (
            "0{}-{}-{}",
            "0{}-{}-{}",
            "0{}){}-{}",
            "(0{}) {}-{}",
            "0{}.{}.{}",
            "+82-{}-{}-{}",
            "+82 {} {} {}",
            "0{} {} {}",
            "0{}{}{}",
        )
    )
    return Value("phone", form.format(area, first, line), f"KR, {form}", bare=form in ("0{} {} {}", "0{}{}{}"))


def _jp(rng: Random) -> Value:
    if rng.random() < 0.2:
        number = rng.choice([one for one in rng.choices(people("ja").phones, k=9) if one.startswith("0")])
        return Value("phone", number, "JP, Faker")
    if rng.random() < 0.6:
        form = rng.choice(
            (
                "{}-{}-{}",
                "{}-{}-{}",
                "{}-{}-{}",
                "{}{}{}",
                "{} {} {}",
                "({}){}-{}",
                "{}({}){}",
                "+81-{2}-{0}-{1}",
                "+81 {2} {0} {1}",
                "+81{2}{0}{1}",
                "+81 (0){2}-{0}-{1}",
            )
        )
        code, first, line = rng.choice(("90", "80", "70", "50")), str(rng.randint(1000, 9999)), digits(rng, 4)
        if "{2}" in form:
            return Value("phone", form.format(first, line, code), f"JP, {form}")
        return Value("phone", form.format("0" + code, first, line), f"JP, {form}")
    if rng.random() < 0.1:
        code, last = rng.choice((("0120", 3), ("0800", 4)))
        return Value("phone", f"{code}-{digits(rng, 3)}-{digits(rng, last)}", "JP, free of charge")
    area = rng.choice(_JP_AREAS)
    rest, line = f"{rng.randint(2, 9)}{digits(rng, 4 - len(area))}", digits(rng, 4)
    form = rng.choice(
        ("0{}-{}-{}", "0{}-{}-{}", "0{}({}){}", "(0{}){}-{}", "+81-{}-{}-{}", "+81 {} {} {}", "0{}{}{}", "0{} {} {}")
    )
    return Value("phone", form.format(area, rest, line), f"JP, {form}", bare=form in ("0{}{}{}", "0{} {} {}"))


def _foreign(rng: Random) -> Value:
    if rng.random() < 0.3:
        return Value("phone", rng.choice(foreign_phones()), "international, Faker")
    form = rng.choice(
        (
            "+44 7911 ######",
            "+447911######",
            "+44 20 7946 ####",
            "+44 (0)20 7946 ####",
            "+49 151 ########",
            "+49-30-#######",
            "+33 6 ## ## ## ##",
            "+336########",
            "+86 138 #### ####",
            "+8613#########",
            "+91 98### #####",
            "+61 4## ### ###",
            "+65 9### ####",
            "+55 11 9####-####",
            "+7 (916) ###-##-##",
            "+34 6## ### ###",
            "+39 3## #######",
            "+52 55 #### ####",
            "0044 20 7946 ####",
            "+852 9### ####",
            "+886 9## ### ###",
            "+84 9# ### ## ##",
            "+971 50 ### ####",
        )
    )
    number = "".join(digits(rng, 1) if sign == "#" else sign for sign in form)
    return Value("phone", number, f"international, {form}")


def ipv4(rng: Random) -> Value:
    first = rng.choice([10, 172, 192, *(number for number in range(11, 224) if number != 127)])
    host = f"{first}.{rng.randint(0, 255)}.{rng.randint(0, 255)}.{rng.randint(1, 254)}"
    return Value("ipv4", host, "dotted")


def ipv6(rng: Random) -> Value:
    prefix = rng.choice((0x20010DB8, 0x2A001450, 0x24040068, 0x26064700, 0xFE800000))
    interface = rng.choice((rng.getrandbits(64), rng.randrange(1, 4096), rng.getrandbits(96)))
    address = ipaddress.IPv6Address((prefix << 96) | interface)
    way = rng.choices(("short", "whole", "capitals", "IPv4 within"), (70, 15, 10, 5))[0]
    if way == "IPv4 within":
        return Value("ipv6", f"::ffff:{ipv4(rng).text}", way)
    text = address.exploded if way == "whole" else str(address)
    return Value("ipv6", text.upper() if way == "capitals" else text, way)


def mac(rng: Random) -> Value:
    """With a letter among its digits, as nearly all have."""
    number = f"{rng.getrandbits(47) | 0xA000000000:012x}"
    way = rng.choices(("colons", "hyphens", "points"), (62, 30, 8))[0]
    if way == "points":
        return Value("mac", ".".join((number[:4], number[4:8], number[8:])), way)
    text = (":" if way == "colons" else "-").join(number[at : at + 2] for at in range(0, 12, 2))
    return Value("mac", text.upper() if rng.random() < 0.4 else text, way)


def url_with_credentials(rng: Random, language: str) -> tuple[Value, Pieces]:
    """`user:password`, and the URL around it."""
    user = rng.choice((rng.choice(people(language).user_names), "admin", "root", "svc-api", "app_rw", ""))
    password = word(rng, _SMALL + _SMALL.upper() + "0123456789", 6, 20) + rng.choice(
        ("", "", "!", "%21", "-x", "$", "_9")
    )
    scheme = "redis" if not user else rng.choice(_SCHEMES)
    host = rng.choice(
        ("db.internal", "db-1.eu-west-1.rds.amazonaws.com", "cache-01.prod.example.com", "localhost", "queue")
    )
    after = rng.choice(("", f":{rng.choice((5432, 6379, 3306, 8080))}")) + rng.choice(
        ("", "/app", "/0", "/v1?ssl=true")
    )
    credentials = Value("url_credentials", f"{user}:{password}", "user and password" if user else "password alone")
    return credentials, (f"{scheme}://", credentials, f"@{host}{after}")
