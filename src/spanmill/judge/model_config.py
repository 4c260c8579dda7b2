"""Configuration of a judge's model: where it is, how it is asked, what it costs."""

from collections.abc import Iterator
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from spanmill.config.authentication import is_header_name
from spanmill.config.base import Misfit, Model
from spanmill.config.blocks import TlsClient
from spanmill.config.problems import describe
from spanmill.config.values import Duration, Positive, Secret, invalid
from spanmill.processors.llm_cost.price_config import TokenPrices

Api = Literal["openai", "anthropic"]

_BASE_URLS: Final[dict[str, str]] = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com/v1",
}
_URL: Final = "a URL such as http://localhost:8000/v1"


class ModelConfig(Model):
    """A model behind an OpenAI-compatible or Anthropic-style endpoint."""

    model: Annotated[str, Field(min_length=1)]
    """The model's name, as the server knows it."""
    api: Api = "openai"
    """How the server is spoken to: `openai` posts to `/chat/completions`, `anthropic` to `/messages`."""
    base_url: str | None = None
    """What stands before these paths, such as `http://localhost:8000/v1`. None: that of the API's own provider."""
    api_key: Secret | None = None
    """The key, such as `${env:OPENAI_API_KEY}`. It is not shown in logs. None: none is sent."""
    headers: dict[str, Secret] = Field(default_factory=dict)
    """Further header fields of every request. Their values are not shown in logs."""
    tls: TlsClient = TlsClient()
    """TLS of the connection."""
    proxy_url: str | None = None
    """An HTTP proxy to go through. None: none, whatever the environment says."""
    timeout: Duration = 60.0
    """How long one request may take."""
    max_output_tokens: Positive = 1024
    """Most tokens of an answer. One that is cut off cannot be read: rather too many than too few."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = 0.0
    """How freely the model answers; it is left out for models that refuse it. None: as the server likes."""
    provider: Annotated[str, Field(min_length=1)] | None = None
    """Whose model it is, for the price and for what is told of it: openai, anthropic, mistral, ... None: the API's."""
    prices: TokenPrices | None = None
    """What the model costs, USD per million tokens. None: what the built-in price list says."""

    @field_validator("model")
    @classmethod
    def named(cls, name: str) -> str:
        if not name.strip():
            raise invalid("no model is named", "a model's name such as gpt-4o-mini")
        return name.strip()

    @field_validator("base_url", "proxy_url")
    @classmethod
    def is_url(cls, url: str | None) -> str | None:
        if url is None:
            return None
        if not url.startswith(("http://", "https://")):
            raise invalid("the URL has no scheme", _URL, f"Write http://{url} or https://{url}.")
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise invalid("not a URL", _URL) from None
        if not host or any(character.isspace() or character in "<>{}" for character in url):
            raise invalid("not a URL", _URL)
        for path in ("/chat/completions", "/messages"):
            if parts.path.rstrip("/").endswith(path):
                raise invalid(f"`{path}` is added to the URL", _URL, f"Leave {path} out.")
        return url

    @field_validator("headers")
    @classmethod
    def sendable(cls, headers: dict[str, Secret]) -> dict[str, Secret]:
        for name, value in headers.items():
            if not is_header_name(name):
                raise invalid(f"{describe(name)} is not the name of a header field", "a name such as X-Tenant")
            _check_text(f"the header field {name}", value)
        return headers

    @model_validator(mode="after")
    def has_key_for_provider(self) -> Self:
        if self.api_key is not None:
            _check_text("the key", self.api_key, "api_key")
            if not self.api_key.reveal().strip():
                raise invalid("the key is empty", "a key", "Is the environment variable set?", key="api_key")
        authenticated = self.api_key is not None or any(
            name.lower() in ("authorization", "x-api-key") for name in self.headers
        )
        if self.base_url is None and not authenticated:
            hint = "For a server of your own, which needs none, write its `base_url`."
            raise invalid(f"{_BASE_URLS[self.api]} wants a key", "`api_key`", hint)
        return self

    @model_validator(mode="after")
    def both_prices(self) -> Self:
        if self.prices is not None and (self.prices.input is None or self.prices.output is None):
            raise invalid("a price is missing", "`input` and `output`", key="prices")
        return self

    @property
    def url(self) -> str:
        """What stands before the API's paths, without a slash at its end."""
        return (self.base_url or _BASE_URLS[self.api]).rstrip("/")

    @property
    def seller(self) -> str:
        """Whose model it is."""
        return self.provider or self.api


def price_misfits(config: ModelConfig) -> Iterator[Misfit]:
    """That a budget in USD cannot be kept, because nobody knows what the model costs. The path is that of `prices`."""
    from spanmill.judge.pricing import tariff_of

    if tariff_of(config) is None:
        problem = f"the price of {config.model} is not known, and a budget in USD cannot be kept"
        yield Misfit(("prices",), problem, "`prices`, USD per million tokens", "Or limit tokens only.")


def _check_text(what: str, value: Secret, key: str = "") -> None:
    if any(ord(character) < 32 or ord(character) == 127 for character in value.reveal()):
        raise invalid(f"{what} holds a line break or another control character", "text", key=key)
