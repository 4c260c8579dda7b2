"""The ways to mask, in words that the configuration shares with `replacing`. Importing this loads nothing else."""

from typing import Final, Literal

Mode = Literal["replace", "partial", "hmac", "drop"]
MIN_KEY_BYTES: Final = 16
"""A key of the mode `hmac` that is shorter is refused."""
