"""What looks like personal data and is none: ids, hashes, times, numbers of orders, prices, versions, code."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from uuid import UUID

from tests.pii.dataset.numbers import luhn_digit
from tests.pii.dataset.people import digits, people, word

_HEX = "0123456789abcdef"
_BASE64 = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/"
_ID = _BASE64[:-2]
_CAPITALS = _BASE64[26:52]
_MODELS = (
    "gpt-4o-2024-08-06",
    "claude-sonnet-4-5-20250929",
    "gemini-2.5-pro",
    "llama-3.1-70b-instruct",
    "text-embedding-3-small",
    "anthropic.claude-3-5-sonnet-20241022-v2:0",
    "mistral-large-2411",
    "o3-mini-2025-01-31",
    "gpt-3.5-turbo-0125",
    "qwen2.5-72b",
)


def hex_id(rng: Random, count: int) -> str:
    return f"{rng.getrandbits(4 * count):0{count}x}"


def uuid(rng: Random) -> str:
    return str(UUID(int=rng.getrandbits(128), version=4))


def _moment(rng: Random) -> datetime:
    return datetime.fromtimestamp(rng.randint(1_500_000_000, 1_800_000_000), UTC)


def timestamp(rng: Random) -> str:
    form = rng.choice(
        (
            "%Y-%m-%dT%H:%M:%SZ",
            "%Y-%m-%dT%H:%M:%S.123456+09:00",
            "%Y-%m-%d %H:%M:%S,042",
            "%d/%b/%Y:%H:%M:%S +0000",
            "%Y%m%dT%H%M%SZ",
            "%Y%m%d%H%M%S",
            "%Y/%m/%d %H:%M",
            "%Y.%m.%d",
            "%y%m%d",
            "%H:%M:%S",
            "%m-%d-%Y",
        )
    )
    return _moment(rng).strftime(form)


def epoch(rng: Random) -> str:
    seconds = rng.randint(1_500_000_000, 1_800_000_000)
    return rng.choice(
        (str(seconds), *(f"{seconds}{digits(rng, count)}" for count in (3, 6, 9)), f"{seconds}.{digits(rng, 6)}")
    )


def hash_(rng: Random) -> str:
    length = rng.choice((7, 8, 12, 32, 40, 64, 64, 128))
    text = hex_id(rng, length)
    return rng.choice((text, text, f"sha256:{text}", f"commit {text}", text.upper(), f"md5={text}", f"@sha256:{text}"))


def order(rng: Random) -> str:
    """Invoices, tracking, accounts of shops: 8 to 20 digits, with and without hyphens."""
    count = rng.randint(8, 20)
    number, cut = digits(rng, count), rng.randint(2, count - 3)
    return rng.choice(
        (
            number,
            number,
            f"{number[:cut]}-{number[cut:]}",
            f"ORD-{number}",
            f"INV{number}",
            f"{_moment(rng):%Y%m%d}-{digits(rng, rng.randint(4, 7))}",
            f"{_moment(rng):%Y%m%d}{digits(rng, rng.randint(4, 8))}",
            f"{digits(rng, 3)}-{digits(rng, 7)}-{digits(rng, 7)}",
            f"{_moment(rng):%y%m%d}-000{digits(rng, 4)}",
            f"1Z{word(rng, _CAPITALS + '0123456789', 16, 16)}",
            f"#{digits(rng, rng.randint(4, 9))}",
            f"PO-{digits(rng, 4)}-{digits(rng, 6)}",
            f"{digits(rng, 4)}-{digits(rng, 4)}",
            f"{digits(rng, 5)}-{digits(rng, 5)}-{digits(rng, 5)}",
        )
    )


def price(rng: Random) -> str:
    whole = rng.randint(1, 99_999_999)
    return rng.choice(
        (
            f"${whole:,}.{digits(rng, 2)}",
            f"₩{whole:,}",
            f"{whole:,}원",
            f"¥{whole:,}",
            f"{whole:,}円",
            f"€{whole / 100:.2f}",
            f"USD {whole / 1000:.3f}",
            f"£{whole}",
            f"{whole / 7:.8f} BTC",
            f"{whole}원",
            f"-{whole}.00",
            f"{rng.random():.17f}",
            f"{whole:,} won".replace(",", "."),
            f"CHF {whole:,}.–".replace(",", "'"),  # noqa: RUF001
        )
    )


def version(rng: Random) -> str:
    a, b, c, d = (rng.randint(0, 30) for _ in range(4))
    return rng.choice(
        (
            f"{a}.{b}.{c}",
            f"v{a}.{b}.{c}",
            f"version {a}.{b}.{c}.{d}",
            f"v{a}.{b}.{c}.{d}",
            f"Chrome/{100 + a}.0.{1000 + b}.{c}",
            f"pkg=={a}.{b}.{c}.{d}",
            f"{a}.{b}.{c}-rc.{d}+build.{digits(rng, 8)}",
            f"python {a}.{b}",
            f"버전 {a}.{b}.{c}.{d}",
            f"バージョン{a}.{b}.{c}.{d}",
            f"libfoo.so.{a}.{b}.{c}",
            f"Version={a}.{b}.{c}.{d}, Culture=neutral",
            f"foo-{a}.{b}.{c}.{d}.jar",
            f"OID 1.3.6.1.4.1.{1000 + a}.{b}",
            f"{a}.{b}.{c}.{d}.{a}",
            f"upgrade from {a}.{b}.{c}.{d} to {a}.{b}.{c + 1}.0",
            f'"version": "{a}.{b}.{c}.{d}"',
            f"section {a}.{b}.{c}",
        )
    )


def place(rng: Random) -> str:
    latitude, longitude = rng.uniform(-90, 90), rng.uniform(-180, 180)
    return rng.choice(
        (
            f"{latitude:.6f}, {longitude:.6f}",
            f"{latitude:.4f},{longitude:.4f}",
            f"POINT({longitude:.7f} {latitude:.7f})",
            f"lat={latitude:.8f}&lon={longitude:.8f}",
            f"37°33'{rng.randint(0, 59)}.2\"N",
            f"[{longitude:.5f}, {latitude:.5f}]",
            f"https://maps.example.com/@{latitude:.7f},{longitude:.7f},17z",
        )
    )


def telemetry_id(rng: Random) -> str:
    return rng.choice(
        (
            f"00-{hex_id(rng, 32)}-{hex_id(rng, 16)}-01",
            hex_id(rng, 16),
            hex_id(rng, 32),
            f"chatcmpl-{word(rng, _ID, 29, 29)}",
            f"msg_{word(rng, _ID, 24, 24)}",
            f"call_{word(rng, _ID, 24, 24)}",
            f"req_{hex_id(rng, 32)}",
            f"toolu_{word(rng, _ID, 24, 24)}",
            f"run-{uuid(rng)}",
            f"Root=1-{hex_id(rng, 8)}-{hex_id(rng, 24)}",
            f"resp_{hex_id(rng, 48)}",
            f"pk_live_{word(rng, _ID, 24, 24)}",
            f"arn:aws:iam::{digits(rng, 12)}:role/app",
            f"AKIA-{digits(rng, 4)}",
            f"projects/{digits(rng, 12)}/models/7",
        )
    )


def model(rng: Random) -> str:
    return rng.choice(_MODELS)


def usage(rng: Random) -> str:
    tokens = f'"prompt_tokens": {rng.randint(1, 10**5)}, "completion_tokens": {rng.randint(1, 10**4)}'
    return f'{{{tokens}, "cost": {rng.random():.10f}, "seed": {rng.getrandbits(63)}}}'


def encoded(rng: Random) -> str:
    raw = rng.randbytes(rng.randint(12, 200))
    return rng.choice(
        (
            base64.b64encode(raw).decode(),
            base64.urlsafe_b64encode(raw).decode(),
            f"data:image/png;base64,{base64.b64encode(raw).decode()}",
            raw.hex(),
            raw[:48].hex(" "),
            raw[:20].hex(":"),
            f"0x{raw[:20].hex()}",
            str(list(raw[:12])),
            f"ssh-rsa AAAAB3Nza{word(rng, _BASE64, 60, 200)}==",
        )
    )


def hex_dump(rng: Random) -> str:
    return "\n".join(
        f"{16 * line:08x}  {rng.randbytes(8).hex(' ')}  {rng.randbytes(8).hex(' ')}  |..@.......@.k..|"
        for line in range(rng.randint(1, 4))
    )


def code(rng: Random) -> str:
    a, b, c = (rng.randint(0, 9999) for _ in range(3))
    return rng.choice(
        (
            f"x = arr[{a}:{b}] + y[::{c}]",
            f"std::vector<int>::iterator it{a}",
            f"for i in range({a}, {b}): total += {c}",
            "import a.b as c; @app.route('/users')",
            f"git@github.com:org/repo{a}.git",
            f"assert f({a}) - g({b}) == {c}",
            f"#define MASK 0x{hex_id(rng, 8)}",
            f"Foo::Bar::baz({a})",
            f"logo@2x.png icon-{a}x{b}@3x.webp",
            f"react@18.{a}.{b}",
            f"color: #{hex_id(rng, 6)}; margin: {a % 99}px {b % 99}px",
            f"SELECT * FROM t WHERE id IN ({a}, {b}, {c});",
            f"127.0.0.1:{a}",
            f"0.0.0.0:{b}",
            f"matrix = [[{a}, {b}], [{b}, {c}]]",
            f"re.compile(r'^[0-9]{{3}}-[0-9]{{4}}$')  # {a}",
            f'File "app.py", line {a}, in main',
            "user@localhost ~ % ls -la",
            f"sk-learn v{a}",
            f"password = os.environ['DB_PASSWORD']  # {a}",
            "Authorization: Bearer <token>",
            "postgres://user:password_here_without_host",
            "https://example.com:8443/a:b@c",
            f"ns::item{b}",
            "a::b",
            "basic authentication is used here",
            "eyJhbGciOiJIUzI1NiJ9",
            f"-----BEGIN CERTIFICATE-----\n{word(rng, _BASE64, 64, 64)}\n-----END CERTIFICATE-----",
            "ghp_ and sk- are prefixes",
        )
    )


def phone_like(rng: Random) -> str:
    a, b, c = rng.randint(100, 999), rng.randint(100, 999), rng.randint(1000, 9999)
    return rng.choice(
        (
            f"{a}/{b}",
            f"{c}-{c + b}",
            f"{a % 30}-{b % 30}",
            f"{a}:{b}",
            f"{a} x {b} x {c}",
            f"pp. {a}-{a + 40}",
            f"{a}-{b}",
            f"{a}, {b}, {c}",
            f"{a} {b}",
            f"{c} {c}",
            f"+{a}",
            f"{a}.{b}",
            f"({a}) {b}",
            f"{a}-{b % 100:02d}",
            f"{a}±{b % 10}",
            f"{a % 10}-{b % 10}-{c % 10}",
            f"{digits(rng, 3)}-{digits(rng, 4)}",
            f"{a},{b},{c}",
            f"+{a % 100}.{b}%",
            f"{c}x{a}",
            f"room {a}-{b}",
            f"{1900 + a % 120}-{2000 + b % 30}",
            f"{a}~{b}",
            f"win {a % 9}-{b % 9}, {c % 9}-{a % 7}",
            f"{b:,}.{c}",
            f"{a}-{b}-{a}",
            f"{digits(rng, 5)}-{digits(rng, 4)}",
        )
    )


def card_like(rng: Random) -> str:
    """With a prefix of a card and a wrong check digit."""
    number = rng.choice(("4", "51", "5555", "6011", "3528", "37")) + digits(rng, 14)
    number = number[:14] if number.startswith("37") else number[:15]
    number += str((luhn_digit(number) + rng.randint(1, 9)) % 10)
    between = rng.choice(("", " ", "-"))
    return between.join(number[at : at + 4] for at in range(0, len(number), 4))


def plate(rng: Random) -> str:
    return rng.choice(
        (
            f"{rng.randint(10, 999)}가{digits(rng, 4)}",
            f"서울{rng.randint(10, 99)}바{digits(rng, 4)}",
            f"品川 {rng.randint(100, 599)} あ {digits(rng, 2)}-{digits(rng, 2)}",
            f"{word(rng, _CAPITALS, 3, 3)}-{digits(rng, 4)}",
            f"{word(rng, _CAPITALS, 2, 2)}{digits(rng, 2)} {word(rng, _CAPITALS, 3, 3)}",
        )
    )


def isbn(rng: Random) -> str:
    number = rng.choice(("978", "979")) + digits(rng, 9)
    number += str(-sum(int(digit) * (3 if index % 2 else 1) for index, digit in enumerate(number)) % 10)
    return rng.choice(
        (
            f"ISBN {number}",
            f"ISBN {number[:3]}-{number[3]}-{number[4:6]}-{number[6:12]}-{number[12]}",
            f"ISBN-13: {number}",
            number,
            f"EAN {number}",
            f"ISBN {digits(rng, 9)}X",
            f"ISSN {digits(rng, 4)}-{digits(rng, 4)}",
            f"doi:10.{digits(rng, 4)}/{digits(rng, 8)}",
        )
    )


def product(rng: Random) -> str:
    capitals = word(rng, _CAPITALS, 2, 4)
    return rng.choice(
        (
            f"{capitals}-{digits(rng, 5)}-{digits(rng, 3)}",
            f"SKU {digits(rng, 4)}-{digits(rng, 3)}-{digits(rng, 2)}",
            f"{capitals}{digits(rng, 8)}",
            f"M{digits(rng, 8)}",
            f"S/N {word(rng, _CAPITALS + '0123456789', 12, 12)}",
            f"{digits(rng, 3)}-{digits(rng, 2)}-{digits(rng, 4)}X",
            f"{capitals}{digits(rng, 2)} {digits(rng, 4)} {digits(rng, 4)}",
            f"{digits(rng, 2)}-{digits(rng, 2)}-{digits(rng, 6)}",
            f"part {digits(rng, 3)}-{digits(rng, 5)}",
        )
    )


def log_line(rng: Random) -> str:
    return (
        f"{timestamp(rng)} WARN [worker-{rng.randint(1, 64)}] c.a.Foo${rng.randint(1, 9)}:{rng.randint(1, 999)} "
        f"span={hex_id(rng, 16)} took {rng.randint(1, 10**7)}us bytes={rng.randint(1, 10**10)} "
        f"retry={rng.randint(0, 5)} pid={rng.randint(1, 99999)} thread={rng.getrandbits(47)}"
    )


def user_agent(rng: Random) -> str:
    return rng.choice(people("en").user_agents)


FAMILIES: dict[str, Callable[[Random], str]] = {
    "UUID": uuid,
    "hash": hash_,
    "epoch": epoch,
    "date or time": timestamp,
    "order or invoice number": order,
    "price": price,
    "version": version,
    "coordinates": place,
    "telemetry id": telemetry_id,
    "model": model,
    "token usage": usage,
    "base64 or hexadecimal": encoded,
    "hex dump": hex_dump,
    "code": code,
    "ratio, range or score": phone_like,
    "card failing Luhn": card_like,
    "number plate": plate,
    "ISBN": isbn,
    "product code": product,
    "log line": log_line,
    "user agent": user_agent,
}
