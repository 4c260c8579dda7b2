"""What each detector finds, and what it leaves: pairs of a text and what is found in it."""
# ruff: noqa: RUF001 - full-width text is what this is about

import pyarrow as pa
import pytest

from spanmill.pii.detectors import CATALOGUE
from spanmill.pii.finder import Finder

FINDER = Finder(CATALOGUE)
NAMES = {
    "email", "phone", "card", "iban", "ipv4", "ipv6", "mac", "us_ssn", "us_itin", "kr_rrn", "kr_brn",
    "kr_driver_licence", "kr_passport", "jp_my_number", "url_credentials", "openai_key", "anthropic_key", "aws_key",
    "google_key", "github_token", "slack_token", "stripe_key", "jwt", "private_key", "bearer_token",
}  # fmt: skip
KEY = "a1B2c3D4e5F6g7H8i9J0"
PEM = f"-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA{KEY}\n-----END RSA PRIVATE KEY-----"

# Between « and » is what the detector finds; without them it finds nothing.
FOUND = {
    "email": (
        "write to «john.doe+spam@mail.example.co.kr».", "메일은«kim@example.com»입니다", "<«a_b@x-y.io»>",
        "«josé@example.fr»",
        "«ｔａｎａｋａ＠ｅｘａｍｐｌｅ．ｃｏｍ»です", "?email=«bob%40example.com»&x=1", '"«bob@example.com»"',
        r"line\n«bob@example.com»", "«o'neil@example.com»",
        "«user@163.com»", "git@host", "a @ b.com", "icon@2x.png", "react@18.3.0-canary.next", "@app.route",
        "user@localhost",
    ),
    "phone": (
        "call «+14155552671»", "«+1 (415) 555-2671»", "«(415) 555-2671»", "«415-555-2671»", "«415.555.2671»",
        "«415-555-2671x123»", "«1-415-555-2671»",
        "«001-415-555-2671»", "phone «4155552671»", "tel: «415 555 2671»", "«+82 10-1234-5678»",
        "«+82-2-123-4567»", "«+821012345678»",
        "전화«010-1234-5678»로", "«01012345678»", "«010.1234.5678»", "«010 1234 5678»", "«02-123-4567»",
        "«02)123-4567»", "«(031) 123-4567»", "«070-1234-5678»",
        "«011-234-5678»", "«090-1234-5678»", "«09012345678»", "«03-1234-5678»", "«0467-12-3456»",
        "«(03)1234-5678»", "«+81 90 1234 5678»", "«+81-3-1234-5678»",
        "«+44 20 7946 0958»", "«+4915112345678»", "«０９０－１２３４－５６７８»",
        "ＴＥＬ«０９０ー１２３４ー５６７８»です",
        "«010–1234–5678»", "?to=«%2B821012345678»",
        r'"\n«010-1234-5678»', r"\uc804\ud654«010-1234-5678»", "«010-1234-5678»,«010-2345-6789»",
        "«+1 415 555 2671» 20 items",
        "4155552671", "order 20260211-7781", "1700000000123", "1700000000",
        "f47ac10b-0212-3456-7890-0e02b2c3d479", "2026-02-11", "10-1234-5678-9", "37.566535,126.977969",
        "+37.566535+126.977969", "512 768 1024", "1,234,567,890", "+0900", "+100", "010-1234-56789",
        "call me in 2026", "123-456-7890", "415-911-2671-8", "0.4155552671",
    ),
    "card": (
        "«4111 1111 1111 1111»", "«4111-1111-1111-1111»", "«4111111111111111»", "카드«4111111111111111»로",
        "«3782 822463 10005»", "«378282246310005»", "«5555555555554444»",
        "«2223003122003222»", "«30569309025904»", "«6011111111111117»", "«3530111333300000»",
        "card «4222222222222»", "«４１１１１１１１１１１１１１１１»",
        "1234 «4111 1111 1111 1111»", "4111 1111 1111 1112", "4222222222222", "1111111111111117",
        "4111-1111 1111-1111", "41111111111111111", "1763456789012345",
        "1763456789012345678", "a4111111111111111", "9111111111111111", "0.4111111111111111", "4111111111111111-12",
    ),
    "iban": (
        "«GB82 WEST 1234 5698 7654 32» and more", "«DE89370400440532013000»", "IBAN:«NO9386011117947».",
        "«FR14 2004 1010 0505 0001 3M02 606»", "«de89370400440532013000»",
        "GB82 WEST 1234 5698 7654 33", "DE8937040044053201300", "ZZ89370400440532013000",
        "XDE89370400440532013000", "US82 WEST 1234 5698 7654 32",
    ),
    "ipv4": (
        "from «10.1.2.3».", "http://«203.0.113.7»:8080/", "«192.168.0.1»/24", "주소는«8.8.8.8»입니다",
        "ip=«203.0.113.7»", "dev «203.0.113.7»",
        "version 1.2.3.4", "v1.2.3.4", "버전 1.2.3.4", "Chrome/120.0.0.0", "pkg==1.2.3.4", "1.2.3.4.5",
        "256.1.1.1", "1.2.3", "127.0.0.1", "0.0.0.0", "255.255.255.0", "01.2.3.4", "1.2.3.4-beta1",
    ),
    "ipv6": (
        "«2001:db8::1»", "[«2001:db8:0:0:8:800:200c:417a»]:80", "«fe80::1ff:fe23:4567:890a»",
        "«::ffff:192.0.2.1»", "«2001:db8::»/32",
        "10:22:33", "std::vector", "a::b", "::1", "::", "00:1A:2B:3C:4D:5E", "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9", "Foo::Bar1",
    ),
    "mac": (
        "«00:1A:2B:3C:4D:5E»", "«00-1a-2b-3c-4d-5e»", "mac «00:1a:2b:3c:4d:5e»: up",
        "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "03-11-24-30-35-41", "00:1A-2B:3C:4D:5E",
        "00:1A:2B:3C:4D:5E:6F", "001A2B3C4D5E",
    ),
    "us_ssn": (
        "«123-45-6789»", "ssn «123456789»", "SSN: «123 45 6789»", "123456789", "123 45 6789", "000-12-3456",
        "666-12-3456", "123-00-4567", "123-45-0000", "123-45-67890", "a123-45-6789",
        "x-1123-45-6789", "missn 123456789",
    ),
    "us_itin": ("«912-70-1234»", "ITIN «912701234»", "912-66-1234", "912-89-1234", "912701234"),
    "kr_rrn": (
        "주민번호는«900101-1234567»입니다", "«900101-1234567»", "«040229-3234567»", "외국인«900101-5234567»",
        "«900101 - 1234567»", "주민등록번호 «9001011234567»",
        "«９００１０１－１２３４５６７»", "900101-9234567", "901301-1234567", "900230-1234567", "9001011234567",
        "1900101-1234567", "900101-12345678", "1704010000000",
    ),
    "kr_brn": ("«120-81-47521»", "사업자번호 «1208147521»", "120-81-47522", "1208147521", "1-120-81-47521"),
    "kr_driver_licence": ("«11-22-333333-44»", "«서울 12-345678-90»", "운전면허 «112233333344»", "10-22-333333-44",
    "112233333344", "2011-22-333333-44"),
    "kr_passport": ("여권번호 «M12345678»", "passport: «M123A4567»", "여권은«Ｍ１２３４５６７８»", "M12345678",
    "passport X12345678", "passport M123456789"),
    "jp_my_number": (
        "«1234 5678 9018»", "«1234-5678-9018»", "マイナンバー«123456789018»",
        "マイナンバーは«１２３４５６７８９０１８»です",
        "1234 5678 9019", "123456789018", "1234-5678-9018-1",
    ),
    "url_credentials": (
        "postgres://«bob:s3cret»@db.example.com/x", "redis://«:s3cret»@host", "https://«bob:p@ss»@host/",
        "http://host:8080/a@b", "https://example.com/x:y@z", "ssh://git@github.com",
    ),
    "openai_key": (f"key «sk-proj-{KEY}-_x»", f"«sk-{KEY}{KEY}»", f"«sk-svcacct-{KEY}»",
    r"\n" + f"«sk-proj-{KEY}»", "sk-short", "task-" + "a" * 40, "sk-learn-is-a-library-of-python"),
    "anthropic_key": (f"«sk-ant-api03-{KEY}_-{KEY}»", "sk-ant-", f"task-ant-{KEY}"),
    "aws_key": (
        "«AKIAIOSFODNN7EXAMPLE»", "«ASIAIOSFODNN7EXAMPLE»",
        "aws_secret_access_key=«wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY»",
        "AKIAIOSFODNN7EXAMPLES", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "aws 2fd4e1c67a2d28fced849ee1bb76e7391b93eb12",
    ),
    "google_key": (f"«AIzaSyA{KEY}{KEY[:12]}»", f"«ya29.{KEY}»", "AIzaShort"),
    "github_token": (f"«ghp_{KEY}{KEY[:16]}»", f"«github_pat_{KEY}_{KEY}»", "ghp_short", f"xghp_{KEY}{KEY}"),
    "slack_token": ("«xoxb-1234567890-abcdef»", "«xapp-1-A123-456-abc»", "xoxb-"),
    "stripe_key": (f"«sk_live_{KEY}»", f"«rk_live_{KEY}»", f"«whsec_{KEY}»", f"«sk_test_{KEY}»", "sk_live_",
    f"task_live_{KEY}"),
    "jwt": ("«eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-_»",
    "«eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0», truncated", "eyJhbGciOiJIUzI1NiJ9", "eyJ.eyJ.x"),
    "private_key": (
        f"key «{PEM}» end",
        f"«-----BEGIN PRIVATE KEY-----\\nMIIEowIBAAKCAQEA{KEY}\\n-----END PRIVATE KEY-----»",
        f"«-----BEGIN EC PRIVATE KEY-----\nMIIEowIBAAKCAQEA{KEY}\nMIIE»",
        f"-----BEGIN CERTIFICATE-----\n{KEY}\n-----END CERTIFICATE-----", f"-----BEGIN PUBLIC KEY-----\n{KEY}",
    ),
    "bearer_token": (
        f"Authorization: Bearer «{KEY}»", f"bearer «{KEY}.x~y+z/==»", "Authorization: Basic «dXNlcjpwYXNz»",
        "basic understanding", "bearer authentication-is-used-here", "forbearer " + KEY,
    ),
}  # fmt: skip
CASES = [(name, text) for name, texts in FOUND.items() for text in texts if text]
HARD = (
    "f47ac10b-58cc-4372-a567-0e02b2c3d479",
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "1700000000", "1700000000123",
    "1700000000123456",
    "1700000000123456789", "2026-02-11T10:22:33.123456+09:00", "ORD-20260211-7781", "$1,299.00", "₩129,000",
    "1.24.3", "python 3.11.7", "37.5665, 126.9780",
    "aGVsbG8gd29ybGQgdGhpcyBpcyBiYXNlNjQ=", "0x7ffee4c0a1b2",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "chatcmpl-9abcDEFghiJKLmnoPQRstuVWX",
    "call_0_ecb3411d",
    "sha256:9f86d081884c7d65", "gpt-4o-2024-08-06", "claude-sonnet-4-5-20250929", "arr[1:2]", "x = a[::2]",
    "10:30-11:45", "ISBN 978-3-16-148410-0", "512x768", "room 101-202", "99.99%",
)  # fmt: skip


def marked(text: str) -> tuple[str, list[str]]:
    pieces = text.replace("»", "«").split("«")
    return "".join(pieces), pieces[1::2]


def found(text: str) -> list[tuple[str, str]]:
    data = text.encode()
    _, starts, ends, detectors = FINDER.find(pa.array([text]))
    return [
        (FINDER.detectors[which].name, data[start:end].decode())
        for start, end, which in zip(starts.tolist(), ends.tolist(), detectors.tolist(), strict=True)
    ]


def test_the_catalogue_has_every_name_once_and_examples_of_each() -> None:
    names = [detector.name for detector in CATALOGUE]
    assert set(names) == NAMES
    assert len(names) == len(NAMES)
    assert set(FOUND) == NAMES


@pytest.mark.parametrize(("name", "text"), CASES)
def test_a_detector_finds_what_is_marked_and_nothing_else(name: str, text: str) -> None:
    plain, expected = marked(text)
    assert [piece for which, piece in found(plain) if which == name] == expected
    if expected:
        assert {which for which, _ in found(plain)} == {name}


@pytest.mark.parametrize("text", HARD)
def test_what_telemetry_is_full_of_is_not_personal_data(text: str) -> None:
    assert found(text) == []
    assert found(f"call {text}, contact card") == [] or text.isdigit()


@pytest.mark.parametrize(
    "around", ["가{}나", "（{}）", "「{}」", "\n{}\n", "전화:{}번", "\u00a0{}\u00a0", "ＡＢ{}ＣＤ"]
)
@pytest.mark.parametrize("number", ["010-1234-5678", "900101-1234567", "4111 1111 1111 1111", "123-45-6789"])
def test_no_letter_of_another_script_beside_a_number_hides_it(around: str, number: str) -> None:
    wide = "".join(chr(ord(sign) + 0xFEE0) if sign.isdigit() or sign == "-" else sign for sign in number)
    for written in (number, wide):
        assert [piece for _, piece in found(around.format(written))] == [written]
