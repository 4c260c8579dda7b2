"""Configuration of a webhook, whoever has something to tell."""

from typing import Final
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from spanmill.config.authentication import is_header_name
from spanmill.config.base import Model
from spanmill.config.blocks import RetryOnFailure
from spanmill.config.problems import describe
from spanmill.config.values import Duration, Secret, invalid

GIVE_UP_SECONDS: Final = 3600.0
"""How long a notification that fails is tried where `max_elapsed_time` says nothing."""


class Webhook(Model):
    """Where somebody is told of something: a POST of `{"text": "..."}`, as Slack takes it."""

    url: Secret
    """The URL, such as `${env:SLACK_WEBHOOK_URL}`. It is not shown in logs."""
    headers: dict[str, Secret] = Field(default_factory=dict)
    """Header fields of every request. Their values are not shown in logs."""
    timeout: Duration = 10.0
    """How long one request may take."""
    retry_on_failure: RetryOnFailure = RetryOnFailure()
    """How a notification that failed for now is tried again; for an hour unless `max_elapsed_time` says otherwise."""

    @field_validator("headers")
    @classmethod
    def sendable(cls, headers: dict[str, Secret]) -> dict[str, Secret]:
        for name, value in headers.items():
            if not is_header_name(name):
                raise invalid(f"{describe(name)} is not the name of a header field", "a name such as Authorization")
            if any(ord(character) < 32 or ord(character) == 127 for character in value.reveal()):
                raise invalid(f"the header field {name} holds a line break or another control character", "text")
        return headers

    @field_validator("url")
    @classmethod
    def is_url(cls, url: Secret) -> Secret:
        expected = "a URL such as https://hooks.slack.com/services/..."
        try:
            parts = urlsplit(url.reveal())
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise invalid("not a URL", expected) from None
        if parts.scheme not in ("http", "https") or not host or any(c.isspace() for c in url.reveal()):
            raise invalid("not a URL", expected)
        return url
