"""Actions on attributes and the choice of what they apply to, for the attributes and resource processors."""

import re
from typing import ClassVar, Literal, Self

from pydantic import model_validator

from spanmill.config.base import Model
from spanmill.config.values import Flag, Whole, invalid

Scalar = str | bool | int | float
MatchType = Literal["strict", "regexp"]
_NO_METADATA = "not supported: request headers are not passed on to processors"


class Action(Model):
    """One change to one attribute."""

    unsupported: ClassVar = {"from_context": _NO_METADATA}

    action: Literal["insert", "update", "upsert", "delete", "hash", "extract", "convert"]
    """`insert` only if absent, `update` only if present, `upsert` always; `delete`; `hash` (SHA-1 in hex);
    `extract` the named groups of `pattern` from the value; `convert` to `converted_type`."""
    key: str | None = None
    """The attribute to change."""
    value: Scalar | tuple[Scalar, ...] | None = None
    """The value to set, for insert, update and upsert."""
    from_attribute: str | None = None
    """Take the value of this attribute instead; without it nothing happens."""
    default_value: Scalar | None = None
    """Taken when `from_attribute` is absent."""
    pattern: str | None = None
    """A regular expression (RE2): for extract over the value, for delete and hash over attribute names."""
    converted_type: Literal["int", "double", "string"] | None = None
    """What convert turns the value into."""

    @model_validator(mode="after")
    def complete(self) -> Self:
        if self.pattern is not None:
            _compile(self.pattern)
        named = self.key is not None or (self.action in ("delete", "hash") and self.pattern is not None)
        if not named:
            raise invalid(f"the {self.action} action does not say which attribute", "`key`")
        if self.action in ("insert", "update", "upsert") and (self.value is None) == (self.from_attribute is None):
            found = "neither" if self.value is None else "both"
            raise invalid(f"{self.action} needs one source and has {found}", "`value` or `from_attribute`")
        if self.action == "extract" and "(?P<" not in (self.pattern or ""):
            raise invalid("extract needs named groups", "`pattern` with groups such as (?P<name>...)", key="pattern")
        if self.action == "convert" and self.converted_type is None:
            raise invalid("convert does not say to what", "`converted_type`: int, double or string")
        return self


def _compile(pattern: str, key: str = "pattern") -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise invalid(f"not a regular expression ({error})", "a regular expression", key=key) from None


class AttributeMatch(Model):
    """An attribute that must be there, and its value if one is given."""

    key: str
    """The attribute's name."""
    value: Scalar | None = None
    """Its value; a regular expression where `match_type` is regexp. None: any."""


class LibraryMatch(Model):
    """An instrumentation scope."""

    name: str
    """The scope's name."""
    version: str | None = None
    """Its version. None: any."""


class SeverityMatch(Model):
    """A least severity."""

    min: Whole
    """The least severity number, 1 to 24."""
    match_undefined: Flag = False
    """Match records without a severity too."""


class Match(Model):
    """What actions apply to: rows that match every list given, each list by any of its entries."""

    match_type: MatchType
    """`strict` compares whole texts, `regexp` searches with regular expressions (RE2)."""
    services: tuple[str, ...] = ()
    """Values of the resource attribute `service.name`."""
    span_names: tuple[str, ...] = ()
    """Names of spans."""
    span_kinds: tuple[str, ...] = ()
    """Kinds of spans, such as `server` or `SPAN_KIND_SERVER`."""
    log_bodies: tuple[str, ...] = ()
    """Bodies of log records."""
    log_severity_texts: tuple[str, ...] = ()
    """Severity texts of log records."""
    log_severity_number: SeverityMatch | None = None
    """The least severity of log records."""
    metric_names: tuple[str, ...] = ()
    """Names of metrics."""
    attributes: tuple[AttributeMatch, ...] = ()
    """Attributes of the row; every one must match."""
    resources: tuple[AttributeMatch, ...] = ()
    """Attributes of the resource; every one must match."""
    libraries: tuple[LibraryMatch, ...] = ()
    """Instrumentation scopes."""

    @model_validator(mode="after")
    def patterns_compile(self) -> Self:
        if self.match_type == "regexp":
            for field in ("services", "span_names", "span_kinds", "log_bodies", "log_severity_texts", "metric_names"):
                for pattern in getattr(self, field):
                    _compile(pattern, field)
        return self
