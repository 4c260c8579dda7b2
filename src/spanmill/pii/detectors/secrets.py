"""Keys, tokens and passwords that have a form of their own."""

import base64
import binascii
import re

from spanmill.pii.detector import Detector, Form

_PEM_END = r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_LOWER, _UPPER, _DIGIT = re.compile(rb"[a-z]"), re.compile(rb"[A-Z]"), re.compile(rb"[0-9]")


def _aws_secret(found: bytes) -> int:
    """Forty characters of every kind: not a hash, not a path."""
    return len(found) if all(kind.search(found) for kind in (_LOWER, _UPPER, _DIGIT)) else 0


def _bearer(found: bytes) -> int:
    return len(found) if _DIGIT.search(found) else 0


def _basic(found: bytes) -> int:
    """`user:password` in base64; most words after `basic` are not."""
    try:
        return len(found) if b":" in base64.b64decode(found + b"=" * (-len(found) % 4), validate=True) else 0
    except binascii.Error:
        return 0


def _key(name: str, *patterns: str) -> Detector:
    return Detector(name, tuple(Form(rf"(?:^|[^0-9A-Za-z])({pattern})") for pattern in patterns))


OPENAI_KEY = _key(
    "openai_key",
    r"sk-(?:(?:proj|svcacct|admin|service|None|or|lf)-[0-9A-Za-z_-]{20,}|[0-9A-Za-z]{32,})",
)
ANTHROPIC_KEY = _key("anthropic_key", r"sk-ant-[0-9A-Za-z_-]{16,}")
GOOGLE_KEY = _key("google_key", r"AIza[0-9A-Za-z_-]{35,}", r"ya29\.[0-9A-Za-z_-]{20,}", r"GOCSPX-[0-9A-Za-z_-]{20,}")
GITHUB_TOKEN = _key("github_token", r"gh[pousr]_[0-9A-Za-z]{36,}", r"github_pat_[0-9A-Za-z_]{22,}")
SLACK_TOKEN = _key("slack_token", r"xox[abeoprs]-[0-9A-Za-z-]{10,}", r"xapp-[0-9A-Za-z-]{10,}")
STRIPE_KEY = _key("stripe_key", r"[rs]k_(?:live|test)_[0-9A-Za-z]{16,}", r"whsec_[0-9A-Za-z+/]{16,}=*")
JWT = _key("jwt", r"eyJ[0-9A-Za-z_-]{8,}\.eyJ[0-9A-Za-z_-]{8,}(?:\.[0-9A-Za-z_-]*)?")
AWS_KEY = Detector(
    "aws_key",
    (
        Form(r"(?:^|[^0-9A-Za-z])((?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16})(?:[^0-9A-Za-z]|$)"),
        Form(
            r"(?:^|[^0-9A-Za-z/+])([0-9A-Za-z/+]{40})(?:[^0-9A-Za-z/+=]|$)", _aws_secret, needs_context=True
        ),
    ),
    ("aws", "secretaccesskey", "secret access key", "secret_access_key", "secret key"),
)  # fmt: skip
PRIVATE_KEY = Detector(
    "private_key",
    (
        Form(
            r"(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:(?:[^-]|-[^-])*"
            + _PEM_END
            + r"|(?:\\[nr]|[ \t\r\n]|[A-Za-z0-9+/=]{16,})*[A-Za-z0-9+/=]{0,15}))"
        ),
    ),
)
BEARER_TOKEN = Detector(
    "bearer_token",
    (
        Form(r"(?i:(?:^|[^0-9a-z])bearer)(?:[ \t\r\n]+|%20)([0-9A-Za-z._~+/-]{16,}=*)", _bearer),
        Form(r"(?i:(?:^|[^0-9a-z])basic)(?:[ \t\r\n]+|%20)([0-9A-Za-z+/]{8,}={0,2})", _basic),
    ),
)
URL_CREDENTIALS = Detector(
    "url_credentials",
    (Form(r"""[A-Za-z0-9+.-]://([^ \t\r\n/?#:@"'<>\\]*:[^ \t\r\n/?#"'<>\\]+)@"""),),
)
