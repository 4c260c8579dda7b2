"""What `price_source` says where it does not name a price list or an entry of the user's."""

from typing import Final

UNPRICED: Final = "unpriced: "
"""Begins what it says of a call that should have a price."""
TEXTS: Final = (
    "restated",
    "duplicate",
    "reported",
    "free",
    # For a failed call that used nothing: it has no price, and lacks none.
    "no usage",
    UNPRICED + "no token counts",
    UNPRICED + "no input token count",
    UNPRICED + "no output token count",
    UNPRICED + "no price for all kinds of tokens",
    UNPRICED + "no duration",
    UNPRICED + "numbers out of range",
)
(
    RESTATED,
    DUPLICATE,
    REPORTED,
    FREE,
    NO_USAGE,
    NO_COUNTS,
    NO_INPUT,
    NO_OUTPUT,
    NO_KIND,
    NO_DURATION,
    OUT_OF_RANGE,
) = range(len(TEXTS))
"""Their codes: positions in `TEXTS`."""
