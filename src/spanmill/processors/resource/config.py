"""Configuration of the resource processor."""

from typing import Annotated

from pydantic import Field

from spanmill.config.actions import Action
from spanmill.config.base import Model


class ResourceProcessorConfig(Model):
    """Changes attributes of the resource, in the order of `attributes`."""

    attributes: Annotated[tuple[Action, ...], Field(min_length=1)]
    """What to do, in order."""
