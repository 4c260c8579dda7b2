"""Configuration of the redaction processor."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, ValidationInfo, model_validator

from spanmill.config.base import Misfit, Model, warn
from spanmill.config.patterns import refused_pattern
from spanmill.config.values import Flag, Secret, invalid
from spanmill.signal import Signal

HashFunction = Literal["md5", "sha1", "sha3", "hmac-sha256", "hmac-sha512"]
_KEY_BYTES = {"hmac-sha256": 32, "hmac-sha512": 64}
_PATTERNS = ("ignored_key_patterns", "blocked_key_patterns", "blocked_values", "allowed_values")


def _lower(value: object) -> object:
    return (value.lower() or None) if isinstance(value, str) else value


def _silent_if_empty(value: object) -> object:
    return value or "silent"


class RedactionProcessorConfig(Model):
    """The Collector's `redaction`: removes attributes whose key is not on a list, and masks what patterns find in the
    values of the others and in log bodies. For personal data in every text there is `pii_masking`."""

    also_accepted: ClassVar = {"hash_function": "in upper case too"}
    unsupported: ClassVar = {
        "url_sanitizer": "not supported: have the instrumentation send `http.route`, and delete or hash the attribute"
        " with the URL by the attributes processor; pii_masking masks credentials and personal data in URLs",
        "db_sanitizer": "not supported: have the instrumentation send statements without values (most do by default),"
        " or delete or hash `db.statement` and `db.query.text` by the attributes processor",
    }

    allow_all_keys: Flag = False
    """Remove no attribute because of its key; `allowed_keys` means nothing then."""
    allowed_keys: tuple[str, ...] = ()
    """The attributes to keep, all others are removed: with an empty list every one, unless `allow_all_keys` is on."""
    ignored_keys: tuple[str, ...] = ()
    """Attributes to keep and not to look into, whatever the other keys say."""
    ignored_key_patterns: tuple[str, ...] = ()
    """The same by regular expressions (RE2) that are found anywhere in the attribute's key."""
    blocked_key_patterns: tuple[str, ...] = ()
    """Regular expressions (RE2): where one is found in the key, the whole value is masked."""
    blocked_values: tuple[str, ...] = ()
    """Regular expressions (RE2), one after the other: what they match in values is masked, the rest stays."""
    allowed_values: tuple[str, ...] = ()
    """Regular expressions (RE2): where one is found anywhere in a value, nothing in the value is masked."""
    redact_all_types: Flag = False
    """Mask what is found in attributes that are not text too: numbers, and arrays and maps as JSON. What is masked
    becomes text."""
    hash_function: Annotated[HashFunction | None, BeforeValidator(_lower)] = None
    """Put the hash of what is masked in its place, in hexadecimal digits, instead of `****`. None: `****`. All but the
    `hmac` ones can be undone by trying."""
    hmac_key: Secret | None = None
    """The key of `hmac-sha256` (at least 32 bytes) and `hmac-sha512` (64), such as `${env:REDACTION_KEY}`."""
    summary: Annotated[Literal["debug", "info", "silent"], BeforeValidator(_silent_if_empty)] = "silent"
    """What is added to whatever was redacted, as attributes `redaction.*`: how many attributes were removed, masked,
    allowed or ignored (`info`), also their keys (`debug`), or nothing (`silent`)."""

    @model_validator(mode="after")
    def has_a_long_key(self) -> Self:
        least = _KEY_BYTES.get(self.hash_function or "")
        if least is None:
            return self
        length = len(self.hmac_key.reveal().encode()) if self.hmac_key else 0
        if length < least:
            problem = f"the key is too short for {self.hash_function}, it has {length} bytes" if length else "no key"
            hint = "`openssl rand -hex 32` makes a good one." if length else "Is the variable that it is from set?"
            raise invalid(problem, f"at least {least} bytes", hint, key="hmac_key")
        return self

    @model_validator(mode="after")
    def says_what_surprises(self, info: ValidationInfo) -> Self:
        if self.hash_function is not None and self.hash_function not in _KEY_BYTES:
            message = (
                f"{self.hash_function} needs no key, so that anyone can undo it for e-mail addresses, numbers and names"
                " by trying them; use hmac-sha256 with `hmac_key`, or pii_masking with `mode: hmac`"
            )
            warn(info, "hash_function", message)
        if not (self.allow_all_keys or self.allowed_keys or self.ignored_keys or self.ignored_key_patterns):
            warn(info, "allowed_keys", "no key is allowed, so that every attribute is removed; see `allow_all_keys`")
        return self

    def misfits(self, signal: Signal) -> Iterator[Misfit]:
        for key in _PATTERNS:
            for index, pattern in enumerate(getattr(self, key)):
                yield from refused_pattern(pattern, (key, index))
