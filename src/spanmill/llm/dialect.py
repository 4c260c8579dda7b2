"""What a mapping file says: how one dialect's attributes become the LLM columns.

The files are in `dialects/`, one for each dialect, and hold every attribute name that Spanmill knows. Rules for values
that all dialects share (`claude` and `anthropic` are one provider) are in `canonical.yaml`.
"""

from collections.abc import Mapping
from fnmatch import translate
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from spanmill.data_files import read_yaml
from spanmill.schema.llm import LLM_COLUMNS

COLUMN_TYPES = {column.name: column.type for column in LLM_COLUMNS}
CONTENT_COLUMNS = ("input", "output", "system_instructions", "documents")
COMMON = "common"
"""The mapping file that is asked last on every row, whatever its dialect."""

Scalar = str | bool | int | float


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class When(_Part):
    """On which rows a source counts."""

    operation: tuple[str, ...]
    """Only on rows with one of these operations."""


_PLACES = ("attribute", "resource", "event", "scope", "name")


class Source(_Part):
    """Where a column's value may be found, and what to make of it. A bare text is the name of an attribute."""

    attribute: str | None = None
    """Name of an attribute of the row; with `event`, of the event."""
    resource: str | None = None
    """Name of an attribute of the resource."""
    event: str | None = None
    """Name of a span event; the first of that name counts."""
    scope: str | None = None
    """A regular expression that is searched in the scope's name: its first group, or all that it matches."""
    name: str | None = None
    """The same in the span's own name."""
    path: tuple[str, ...] = ()
    """Into arrays, maps and JSON text: keys and indices with dots between; of several the first that is there."""
    sum: tuple[str, ...] = ()
    """As `path`, but the numbers at all of them together; those that are not there count nothing."""
    match: str | None = None
    """A regular expression that is searched in the text: its first group, or all that it matches, is the value."""
    values: Mapping[str, Scalar] = Field(default_factory=dict)
    """What each value means. One that is not named has no meaning, unless `otherwise` gives it one."""
    otherwise: str | None = None
    """What any other value means; `keep`: itself."""
    times: float | None = None
    """A number is multiplied by this."""
    as_: Annotated[Literal["ms_since_start"] | None, Field(alias="as")] = None
    """The value is a time (ISO 8601, or seconds to nanoseconds since 1970): milliseconds from the row's start to it."""
    split: str | None = None
    """A text is several, with this between them."""
    when: When | None = None

    @model_validator(mode="before")
    @classmethod
    def shorthand(cls, data: Any) -> Any:
        if isinstance(data, str):
            return {"attribute": data}
        if isinstance(data, dict) and isinstance(data.get("path"), str):
            return data | {"path": (data["path"],)}
        return data

    @model_validator(mode="after")
    def one_place(self) -> "Source":
        places = [place for place in _PLACES if getattr(self, place) is not None]
        if len(places) != 1 and places != ["attribute", "event"]:
            raise ValueError(f"a source is in one place ({', '.join(_PLACES)}); this one names {places or 'none'}")
        if self.path and self.sum:
            raise ValueError("a source has a path or a sum of paths")
        return self

    def reads_part(self) -> bool:
        """Whether the value is only a part of the attribute."""
        return bool(self.path or self.sum) or self.match is not None


class ContentSource(_Part):
    """Where messages or documents may be found, and in which form (`spanmill.llm.messages`)."""

    form: str
    attribute: str | None = None
    prefix: str | None = None
    """Every attribute whose name begins so; the form gets the rest of the names."""
    events: tuple[str, ...] = ()
    """Span events of these names, in their order; a log record whose own name is one of these."""
    when: When | None = None

    @model_validator(mode="after")
    def one_place(self) -> "ContentSource":
        if sum([self.attribute is not None, self.prefix is not None, bool(self.events)]) != 1:
            raise ValueError("content is in one place: attribute, prefix or events")
        return self


class Detect(_Part):
    """How to know the dialect: by the scope's name, or by what attributes there are."""

    scopes: tuple[str, ...] = ()
    """Names of instrumentation scopes; `*` stands for any text."""
    attributes: tuple[str, ...] = ()
    """Names of attributes; a `*` at the end stands for any text."""

    def scope_pattern(self) -> str:
        """One regular expression for all scopes; matches nothing when there are none."""
        return "|".join(translate(scope) for scope in self.scopes) or r"(?!)"

    def has_attribute(self, key: str) -> bool:
        """Whether an attribute of this name tells the dialect."""
        return any(key == a or (a.endswith("*") and key.startswith(a[:-1])) for a in self.attributes)


class Usage(_Part):
    """What the token counts mean where the total does not tell."""

    cached_input: Literal["included", "excluded"] = "included"
    reasoning_output: Literal["included", "excluded"] = "included"


class Written(_Part):
    """An attribute that `write_attributes` writes."""

    attribute: str
    times: float | None = None
    as_list: bool = False


class Dialect(_Part):
    """One mapping file."""

    dialect: str
    version: int
    title: str
    covers: str
    priority: int = 100
    """Lower is asked first where several dialects fit a row."""
    detect: Detect = Detect()
    inherits: tuple[str, ...] = ()
    """Dialects whose sources are asked after this one's own."""
    usage: Usage = Usage()
    columns: Mapping[str, tuple[Source, ...]] = Field(default_factory=dict)
    content: Mapping[str, tuple[ContentSource, ...]] = Field(default_factory=dict)
    write: Mapping[str, Written] = Field(default_factory=dict)

    @model_validator(mode="after")
    def columns_exist(self) -> "Dialect":
        for name in (*self.columns, *self.write):
            if name not in COLUMN_TYPES:
                raise ValueError(f"there is no column {name!r}")
        for name in self.content:
            if name not in CONTENT_COLUMNS:
                raise ValueError(f"there is no content column {name!r}; there are {', '.join(CONTENT_COLUMNS)}")
        return self


class Canonical(_Part):
    """`canonical.yaml`: values that mean the same, whoever wrote them; compared in lower case."""

    calls: frozenset[str]
    """Operations that are calls of a model."""
    values: Mapping[str, Mapping[str, tuple[str, ...]]]
    """Column -> canonical value -> its other names."""
    event_name: str
    """The attribute that names a log record's event where the record itself has no name."""
    closed: frozenset[str]
    """Columns in which any other value means nothing."""

    def table(self, column: str) -> dict[str, str]:
        """From each name, in lower case, to the canonical one."""
        values = self.values[column]
        return {name.lower(): value for value, others in values.items() for name in (value, *others)}


@cache
def load_dialects() -> dict[str, Dialect]:
    """All mapping files by name, in the order in which they are asked."""
    found = []
    for file in files("spanmill.llm").joinpath("dialects").iterdir():
        if file.name.endswith(".yaml"):
            dialect = Dialect.model_validate(read_yaml(file))
            if f"{dialect.dialect}.yaml" != file.name:
                raise ValueError(f"{file.name} says that it is the dialect {dialect.dialect}")
            found.append(dialect)
    return {d.dialect: d for d in sorted(found, key=lambda d: (d.priority, d.dialect))}


@cache
def load_canonical() -> Canonical:
    """What `canonical.yaml` says."""
    return Canonical.model_validate(read_yaml(files("spanmill.llm").joinpath("canonical.yaml")))
