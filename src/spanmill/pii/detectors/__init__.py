"""The catalogue: every detector that comes with Spanmill."""

from spanmill.pii.detector import Detector
from spanmill.pii.detectors.accounts import CARD, IBAN
from spanmill.pii.detectors.addresses import EMAIL, IPV4, IPV6, MAC
from spanmill.pii.detectors.identity import (
    JP_MY_NUMBER,
    KR_BRN,
    KR_DRIVER_LICENCE,
    KR_PASSPORT,
    KR_RRN,
    US_ITIN,
    US_SSN,
)
from spanmill.pii.detectors.phones import PHONE
from spanmill.pii.detectors.secrets import (
    ANTHROPIC_KEY,
    AWS_KEY,
    BEARER_TOKEN,
    GITHUB_TOKEN,
    GOOGLE_KEY,
    JWT,
    OPENAI_KEY,
    PRIVATE_KEY,
    SLACK_TOKEN,
    STRIPE_KEY,
    URL_CREDENTIALS,
)

CATALOGUE: tuple[Detector, ...] = (
    PRIVATE_KEY,
    JWT,
    ANTHROPIC_KEY,
    OPENAI_KEY,
    AWS_KEY,
    GOOGLE_KEY,
    GITHUB_TOKEN,
    SLACK_TOKEN,
    STRIPE_KEY,
    BEARER_TOKEN,
    URL_CREDENTIALS,
    EMAIL,
    IBAN,
    CARD,
    KR_RRN,
    KR_BRN,
    KR_DRIVER_LICENCE,
    KR_PASSPORT,
    JP_MY_NUMBER,
    US_SSN,
    US_ITIN,
    IPV4,
    IPV6,
    MAC,
    PHONE,
)
"""In order of priority: of two that find the same text, the first has it."""
