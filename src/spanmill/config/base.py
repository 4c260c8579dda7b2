"""What every configuration model has in common: frozen, no unknown keys, null means the default."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationInfo, model_validator
from pydantic.fields import FieldInfo

from spanmill.signal import Signal


class Misfit(NamedTuple):
    """Something in a component's body that cannot work in a pipeline of some signal."""

    path: tuple[str | int, ...]
    """From the component's body."""
    problem: str
    expected: str = ""
    hint: str = ""
    warning: bool = False
    """Whether it works all the same, only not as one may think."""


class Model(BaseModel):
    """A block of the configuration. A field's docstring is its entry in the manual."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)

    on_when_null: ClassVar[frozenset[str]] = frozenset()
    """Optional blocks that a bare `key:` turns on at their defaults. Everywhere else null is as if not written."""
    also_accepted: ClassVar[Mapping[str, str]] = {}
    """Other spellings that are read, retired ones above all, with what becomes of them."""
    file_keys: ClassVar[tuple[str, ...]] = ()
    """Keys that name a file to be read at the start, such as a certificate."""
    unsupported: ClassVar[Mapping[str, str]] = {}
    """Keys that the Collector has and Spanmill has not, with what to do instead; they are errors."""

    @classmethod
    def yaml_fields(cls) -> dict[str, FieldInfo]:
        """Its fields by the names that they have in YAML, where those are words of Python (`and`, `not`) too."""
        return {field.alias or name: field for name, field in cls.model_fields.items()}

    def misfits(self, signal: Signal) -> Iterator[Misfit]:
        """What cannot work in a pipeline of this signal: SQL and patterns, which only their engines can check."""
        yield from ()

    def files(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """The files that it and its blocks read at the start, each with the path of the key that names it."""
        for name, value in self:
            if isinstance(value, Model):
                for path, file in value.files():
                    yield (name, *path), file
            elif name in self.file_keys and value is not None:
                yield (name,), value

    @model_validator(mode="before")
    @classmethod
    def null_means_default(cls, data: Any) -> Any:
        if data is None:
            return {}
        if not isinstance(data, dict):
            return data
        return {
            key: {} if value is None else value
            for key, value in data.items()
            if value is not None or key in cls.on_when_null or key not in cls.yaml_fields()
        }


@dataclass(slots=True)
class Notes:
    """Collects what a model accepts but wants the user to know. Passed to pydantic as the validation context."""

    warnings: list[tuple[str, str]] = field(default_factory=list)
    """Pairs of a path within the component and a sentence."""


def warn(info: ValidationInfo, key: str, message: str) -> None:
    """Note a warning about `key` (dotted, from the component's body). Without `Notes` as context it does nothing."""
    if isinstance(info.context, Notes):
        info.context.warnings.append((key, message))


def rename(data: dict[str, Any], old: str, new: str, translate: Callable[[Any], Any] = lambda value: value) -> bool:
    """Move a retired key to its present name, unless that is written too. True if the old key was there."""
    if old not in data:
        return False
    value = data.pop(old)
    if value is not None:
        data.setdefault(new, translate(value))
    return True
