"""The entries of `prices`: what a user writes about what a model costs."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import Field, model_validator
from pydantic.functional_serializers import PlainSerializer
from pydantic.functional_validators import PlainValidator
from pydantic.json_schema import WithJsonSchema

from spanmill.config.base import Model
from spanmill.config.values import Positive, invalid

_LEAST_PER_MILLION: Final = Decimal("0.0001")
"""Nobody sells a million tokens for less; whoever writes less means one token."""
_MOST: Final = Decimal(1_000_000)
_MOST_TIMES: Final = 1000
_PER_MILLION: Final = "USD per million tokens"


def _number(value: object, expected: str) -> Decimal:
    """Raises PydanticCustomError."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise invalid("not a price", expected)
    text = str(value).strip()
    try:
        number = Decimal(text)
    except InvalidOperation:
        digits = re.search(r"[0-9]+(\.[0-9]+)?", text)
        raise invalid("not a price", expected, f"Write {digits[0]}." if digits else "") from None
    if not number.is_finite() or number < 0:
        raise invalid("a price is a number from 0", expected)
    if number > _MOST:
        raise invalid("the price is too high", expected)
    return number


def parse_per_million(value: object) -> Decimal:
    """USD per million tokens. A price that can only be one token's is an error. Raises PydanticCustomError."""
    number = _number(value, _PER_MILLION)
    if 0 < number < _LEAST_PER_MILLION:
        hint = f"Write {(number * 10**6).normalize():f}."
        raise invalid("this looks like the price of one token", _PER_MILLION, hint)
    return number


def _parse_plain(value: object) -> Decimal:
    return _number(value, "USD")


def _parse_multiplier(value: object) -> Decimal:
    number = _number(value, "a number, such as 0.85 for 15 % off")
    if number > _MOST_TIMES:
        raise invalid("the multiplier is too high", f"at most {_MOST_TIMES}")
    return number


def parse_date(value: object) -> datetime:
    """A date (its first moment, UTC) or a time; without an offset it is UTC. Raises PydanticCustomError."""
    expected = "a date such as 2026-01-31, or a time such as 2026-01-31T08:00:00Z"
    if isinstance(value, datetime):
        return value
    try:
        moment = datetime.fromisoformat(str(value).strip())
    except ValueError:
        raise invalid("not a date", expected) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if not 1971 <= moment.year <= 2200:
        raise invalid("not a date of any price", expected)
    return moment.astimezone(UTC)


_NUMBER_SCHEMA: Final = WithJsonSchema({"type": ["number", "string"], "minimum": 0})
_SERIALIZE: Final = PlainSerializer(float, return_type=float)
PerMillion = Annotated[Decimal, PlainValidator(parse_per_million), _SERIALIZE, _NUMBER_SCHEMA]
Usd = Annotated[Decimal, PlainValidator(_parse_plain), _SERIALIZE, _NUMBER_SCHEMA]
Multiplier = Annotated[Decimal, PlainValidator(_parse_multiplier), _SERIALIZE, _NUMBER_SCHEMA]
Moment = Annotated[
    datetime,
    PlainValidator(parse_date),
    PlainSerializer(lambda moment: moment.isoformat(), return_type=str),
    WithJsonSchema({"type": "string"}),
]

_OTHER_NAMES: Final = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cache_read",
    "cache_creation_input_token_cost": "cache_write",
    "output_cost_per_reasoning_token": "reasoning",
    "input_mtok": "input",
    "output_mtok": "output",
    "prompt": "input",
    "completion": "output",
}


class TokenPrices(Model):
    """Prices in USD per million tokens. A kind of token without a price costs what its side costs, `input` or
    `output`."""

    unsupported: ClassVar[Mapping[str, str]] = {
        other: f"write `{name}`, in {_PER_MILLION}" for other, name in _OTHER_NAMES.items()
    }

    input: PerMillion | None = None
    """USD per million tokens of the prompt. None: has no price."""
    output: PerMillion | None = None
    """USD per million tokens of the answer. None: has no price."""
    cache_read: PerMillion | None = None
    """USD per million tokens of the prompt read from the provider's cache. None: as `input`."""
    cache_write: PerMillion | None = None
    """USD per million tokens of the prompt written to the cache. None: as `input`."""
    cache_write_1h: PerMillion | None = None
    """USD per million tokens written to the cache for an hour. None: as `cache_write`."""
    reasoning: PerMillion | None = None
    """USD per million tokens of reasoning. None: as `output`."""
    audio_input: PerMillion | None = None
    """USD per million tokens of sound in the prompt. None: as `input`."""
    audio_output: PerMillion | None = None
    """USD per million tokens of sound in the answer. None: as `output`."""

    def by_kind(self) -> dict[str, Decimal]:
        """The prices that are written, by name."""
        prices = {name: getattr(self, name) for name in TokenPrices.model_fields}
        return {name: price for name, price in prices.items() if price is not None}


class ContextTier(TokenPrices):
    """Prices for all the tokens of a call whose prompt is longer than a bound; what is not written stays."""

    above_input_tokens: Positive
    """The bound: these prices hold for prompts of more tokens."""


class ServiceTier(TokenPrices):
    """Prices in one of the provider's service tiers; a plain number multiplies all prices."""

    multiplier: Multiplier | None = None
    """All prices times this."""

    @model_validator(mode="before")
    @classmethod
    def plain_number(cls, data: Any) -> Any:
        is_number = isinstance(data, int | float | str) and not isinstance(data, bool)
        return {"multiplier": data} if is_number else data


class Alias(Model):
    """A model in the built-in price list."""

    provider: str
    """The provider whose price it is: openai, anthropic, ..."""
    model: str
    """The model's name there."""


class PriceConfig(TokenPrices):
    """What a model costs. Exactly one of `model`, `model_glob` and `model_regex` says which; case does not matter, and
    either the model asked for or the model that answered may match."""

    model: str | None = None
    """The model's or the deployment's whole name."""
    model_glob: str | None = None
    """A pattern for the whole name: `*` is any text, `?` one character, `[ab]` one of these."""
    model_regex: str | None = None
    """A regular expression for the whole name."""
    provider: str | None = None
    """Only calls of this provider, such as `azure.ai.openai`. None: of any."""
    name: str = ""
    """Stands in `price_source` as `override: <name>`."""
    alias_of: Alias | None = None
    """Takes the built-in prices of another model: for a deployment that is a known model under a name of its own."""
    multiplier: Multiplier = Decimal(1)
    """All prices times this; an entry that has a multiplier and no prices changes the built-in ones (a discount)."""
    request: Usd | None = None
    """USD for each call, beside its tokens."""
    per_second: Usd | None = None
    """USD for each second of the call: for a GPU of your own. The span's duration counts."""
    tiers: tuple[ContextTier, ...] = ()
    """Other prices for long prompts."""
    service_tiers: Mapping[str, ServiceTier] = Field(default_factory=dict)
    """Other prices by service tier (`batch`, `flex`, `priority`): a number that multiplies, or prices."""
    valid_from: Moment | None = None
    """From when on, by the span's start; of several entries for the same name the newest valid one counts. None:
    since ever."""

    @model_validator(mode="after")
    def names_a_model(self) -> Self:
        written = [key for key in ("model", "model_glob", "model_regex") if getattr(self, key) is not None]
        if len(written) != 1:
            problem = f"both `{written[0]}` and `{written[1]}` are written" if written else "no model is named"
            raise invalid(problem, "exactly one of `model`, `model_glob` and `model_regex`")
        if self.model is not None and any(character in self.model for character in "*?"):
            hint = f"Write model_glob: '{self.model}'."
            raise invalid("no model has such a name; it looks like a pattern", "a name", hint, key="model")
        if not getattr(self, written[0]).strip():
            raise invalid("the name is empty", "a model's name", key=written[0])
        return self

    @model_validator(mode="after")
    def pattern_compiles(self) -> Self:
        try:
            re.compile(self.model_regex or "")
        except re.error as error:
            raise invalid(f"not a regular expression: {error}", "a regular expression", key="model_regex") from None
        return self

    @model_validator(mode="after")
    def has_a_price(self) -> Self:
        own = self.by_kind() or self.request is not None or self.per_second is not None
        if own and self.alias_of is not None:
            raise invalid("an entry has either prices or `alias_of`", "one of them", key="alias_of")
        if not own and self.alias_of is None and self.multiplier == 1 and not self.service_tiers:
            hint = "For a model that costs nothing write `input: 0` and `output: 0`."
            raise invalid("the entry has no price", "`input` and `output`, `per_second`, or `alias_of`", hint)
        if self.tiers and not self.by_kind():
            raise invalid("`tiers` needs prices for short prompts", "`input` and `output`", key="tiers")
        return self

    @property
    def has_own_prices(self) -> bool:
        """Whether the entry stands for itself; if not, it changes what the built-in price list says."""
        return bool(self.by_kind()) or self.request is not None or self.per_second is not None
