"""Configuration of the resource processor."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from spanmill.config.actions import Action
from spanmill.config.base import Misfit, Model
from spanmill.signal import Signal


class ResourceProcessorConfig(Model):
    """Changes attributes of the resource, in the order of `attributes`."""

    attributes: Annotated[tuple[Action, ...], Field(min_length=1)]
    """What to do, in order."""

    def misfits(self, signal: Signal) -> Iterator[Misfit]:
        from spanmill.processors.attributes.patterns import action_misfits

        yield from action_misfits(self.attributes, "attributes")
