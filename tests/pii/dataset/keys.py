"""API keys, tokens and private keys in the forms that their issuers write down."""

import base64
import json
from random import Random

from tests.pii.dataset.labelled import Pieces, Value
from tests.pii.dataset.people import digits, word

_SMALL = "abcdefghijklmnopqrstuvwxyz"
_LETTERS = _SMALL + _SMALL.upper()
_ALPHANUMERIC = _LETTERS + "0123456789"
_URL_SAFE = _ALPHANUMERIC + "-_"
_BASE64 = _ALPHANUMERIC + "+/"
_BASE32 = _SMALL.upper() + "234567"


def _of(rng: Random, letters: str, count: int) -> str:
    """Ends in a letter or digit, as a sign at the end is not told from the text that follows."""
    return word(rng, letters, count - 1, count - 1) + rng.choice(_ALPHANUMERIC)


def openai_key(rng: Random) -> Value:
    mark = "T3BlbkFJ"
    form, text = rng.choice(
        (
            ("legacy", f"sk-{_of(rng, _ALPHANUMERIC, 20)}{mark}{_of(rng, _ALPHANUMERIC, 20)}"),
            ("project", f"sk-proj-{_of(rng, _URL_SAFE, 74)}{mark}{_of(rng, _URL_SAFE, 74)}"),
            ("project, short", f"sk-proj-{_of(rng, _URL_SAFE, 58)}{mark}{_of(rng, _URL_SAFE, 58)}"),
            ("service account", f"sk-svcacct-{_of(rng, _URL_SAFE, 58)}{mark}{_of(rng, _URL_SAFE, 58)}"),
            ("administrator", f"sk-admin-{_of(rng, _URL_SAFE, 58)}{mark}{_of(rng, _URL_SAFE, 58)}"),
        )
    )
    return Value("openai_key", text, form)


def anthropic_key(rng: Random) -> Value:
    kind = rng.choice(("api03", "api03", "admin01", "oat01"))
    return Value("anthropic_key", f"sk-ant-{kind}-{_of(rng, _URL_SAFE, 93)}AA", kind)


def aws_key(rng: Random) -> Value:
    kind = rng.choices(("AKIA", "ASIA", "secret"), (50, 25, 25))[0]
    if kind == "secret":
        return Value("aws_key", f"{rng.choice(_LETTERS)}{rng.randint(0, 9)}{_of(rng, _BASE64, 38)}", kind, bare=True)
    return Value("aws_key", kind + word(rng, _BASE32, 16, 16), kind)


def google_key(rng: Random) -> Value:
    form, text = rng.choices(
        (
            ("API key", f"AIza{rng.choice(('Sy', ''))}{_of(rng, _URL_SAFE, 35)}"[:39]),
            ("OAuth token", f"ya29.a0{_of(rng, _URL_SAFE, rng.randint(60, 160))}"),
            ("client secret", f"GOCSPX-{_of(rng, _URL_SAFE, 28)}"),
        ),
        (72, 20, 8),
    )[0]
    return Value("google_key", text.ljust(39, "x") if form == "API key" else text, form)


def github_token(rng: Random) -> Value:
    kind = rng.choice(("ghp", "gho", "ghu", "ghs", "ghr", "github_pat"))
    if kind == "github_pat":
        text = f"github_pat_{_of(rng, _ALPHANUMERIC, 22)}_{_of(rng, _ALPHANUMERIC, 59)}"
    else:
        text = f"{kind}_{_of(rng, _ALPHANUMERIC, 36)}"
    return Value("github_token", text, kind)


def slack_token(rng: Random) -> Value:
    def id_() -> str:
        return digits(rng, rng.randint(10, 13))

    kind, text = rng.choice(
        (
            ("bot", f"xoxb-{id_()}-{id_()}-{_of(rng, _ALPHANUMERIC, 24)}"),
            ("bot", f"xoxb-{id_()}-{_of(rng, _ALPHANUMERIC, 24)}"),
            ("user", f"xoxp-{id_()}-{id_()}-{id_()}-{word(rng, '0123456789abcdef', 32, 32)}"),
            ("app", f"xapp-1-A{word(rng, _BASE32, 10, 10)}-{id_()}-{word(rng, '0123456789abcdef', 64, 64)}"),
            ("refresh", f"xoxe-1-{_of(rng, _ALPHANUMERIC, 140)}"),
        )
    )
    return Value("slack_token", text, kind)


def stripe_key(rng: Random) -> Value:
    kind = rng.choice(("sk_live", "sk_test", "rk_live", "rk_test", "whsec"))
    length = 32 if kind == "whsec" else rng.choice((24, 99))
    return Value("stripe_key", f"{kind}_{_of(rng, _ALPHANUMERIC, length)}", kind)


def jwt(rng: Random) -> Value:
    algorithm, signature = rng.choice((("HS256", 43), ("RS256", 342), ("ES256", 86)))
    header: dict[str, object] = {"alg": algorithm, "typ": "JWT"}
    if rng.random() < 0.4:
        header["kid"] = word(rng, _ALPHANUMERIC, 8, 24)
    claims = {
        "sub": digits(rng, 10),
        "iat": rng.randint(1_500_000_000, 1_800_000_000),
        "scope": word(rng, _SMALL, 3, 30),
    }
    parts = [_base64_url(header), _base64_url(claims), _of(rng, _URL_SAFE, signature)]
    return Value("jwt", ".".join(parts), algorithm, also=("bearer_token",))


def _base64_url(content: dict[str, object]) -> str:
    text = json.dumps(content, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def private_key(rng: Random) -> Value:
    kind = rng.choice(
        (
            "RSA PRIVATE KEY",
            "PRIVATE KEY",
            "EC PRIVATE KEY",
            "OPENSSH PRIVATE KEY",
            "ENCRYPTED PRIVATE KEY",
            "DSA PRIVATE KEY",
            "PGP PRIVATE KEY BLOCK",
        )
    )
    lines = [word(rng, _BASE64, 64, 64) for _ in range(rng.randint(2, 12))]
    lines.append(word(rng, _BASE64, 8, 40) + rng.choice(("", "=", "==")))
    if kind.startswith("PGP"):
        lines = ["", *lines, f"={word(rng, _BASE64, 4, 4)}"]
    end = rng.choice(("\n", "\n", "\n", "\\n", "\r\n"))
    text = end.join([f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----"])
    return Value("private_key", text, f"{kind}, {end!r}")


def bearer_token(rng: Random) -> tuple[Value, Pieces]:
    """The token, and the value of the header."""
    if rng.random() < 0.2:
        pair = f"{word(rng, _SMALL, 3, 10)}:{word(rng, _ALPHANUMERIC, 6, 20)}".encode()
        basic = Value("bearer_token", base64.b64encode(pair).decode(), "Basic")
        return basic, (rng.choice(("Basic ", "basic ")), basic)
    form, token = rng.choice(
        (
            ("alphanumeric", _of(rng, _ALPHANUMERIC, rng.randint(24, 64))),
            ("hexadecimal", word(rng, "0123456789abcdef", 32, 64)),
            ("base64", word(rng, _BASE64, 43, 43) + "="),
            ("with a prefix", f"{word(rng, _SMALL, 2, 5)}_{_of(rng, _URL_SAFE, 40)}"),
        )
    )
    value = Value("bearer_token", token, form)
    return value, (rng.choice(("Bearer ", "Bearer ", "Bearer ", "bearer ", "BEARER ")), value)
