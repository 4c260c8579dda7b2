"""Configuration of the attributes processor."""

from typing import Annotated

from pydantic import Field

from spanmill.config.actions import Action, Match
from spanmill.config.base import Model


class AttributesProcessorConfig(Model):
    """Changes attributes of spans, log records and metric points, in the order of `actions`."""

    actions: Annotated[tuple[Action, ...], Field(min_length=1)]
    """What to do, in order."""
    include: Match | None = None
    """Change only rows that match. None: all."""
    exclude: Match | None = None
    """Leave rows that match unchanged. None: none."""
