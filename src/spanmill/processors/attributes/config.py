"""Configuration of the attributes processor."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from spanmill.config.actions import Action, Match
from spanmill.config.base import Misfit, Model
from spanmill.signal import Signal


class AttributesProcessorConfig(Model):
    """Changes attributes of spans, log records and metric points, in the order of `actions`."""

    actions: Annotated[tuple[Action, ...], Field(min_length=1)]
    """What to do, in order."""
    include: Match | None = None
    """Change only rows that match. None: all."""
    exclude: Match | None = None
    """Leave rows that match unchanged. None: none."""

    def misfits(self, signal: Signal) -> Iterator[Misfit]:
        from spanmill.processors.attributes.patterns import action_misfits, match_misfits

        yield from action_misfits(self.actions, "actions")
        yield from match_misfits(self.include, "include")
        yield from match_misfits(self.exclude, "exclude")
