"""The host of exporters that ask nothing of it."""

from typing import Any

NO_HOST: Any = None
