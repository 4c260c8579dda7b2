"""Configuration of extensions that Spanmill accepts and ignores."""

from pydantic import ConfigDict

from spanmill.config.base import Model


class IgnoredExtensionConfig(Model):
    """Any keys; none has an effect."""

    model_config = ConfigDict(extra="allow")
