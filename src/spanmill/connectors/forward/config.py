"""Configuration of the forward connector."""

from spanmill.config.base import Model


class ForwardConnectorConfig(Model):
    """The forward connector has no keys."""
