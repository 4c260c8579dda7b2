"""What share of each kind has to be found, and where less is: the figures that the tests hold and the page states."""

_CHECKED_OR_PREFIXED = frozenset(
    {
        "card",
        "iban",
        "kr_rrn",
        "kr_brn",
        "jp_my_number",
        "openai_key",
        "anthropic_key",
        "aws_key",
        "google_key",
        "github_token",
        "slack_token",
        "stripe_key",
        "jwt",
        "private_key",
        "bearer_token",
        "url_credentials",
    }
)
_RECALL_CHECKED_OR_PREFIXED = 0.99
_RECALL_OTHERS = 0.97
PRECISION = 0.98
"""Of all findings together."""

REACHED: dict[str, float] = {}
"""Recall of detectors that do not reach their aim: what they reach is held all the same."""


def recall_aim(detector: str) -> float:
    return _RECALL_CHECKED_OR_PREFIXED if detector in _CHECKED_OR_PREFIXED else _RECALL_OTHERS


def recall_floor(detector: str) -> float:
    return REACHED.get(detector, recall_aim(detector))
