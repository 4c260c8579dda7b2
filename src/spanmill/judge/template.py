"""Templates of questions: text with `{{variable}}`, and `{{#variable}}...{{/variable}}` around what is said only where
the variable has a value (`{{^variable}}` where it has none). That much of Mustache, and no more."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

from spanmill.errors import SpanmillError

_TAG: Final = re.compile(r"\{\{([#^/]?)\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
_ANY_TAG: Final = re.compile(r"\{\{[^\n]{0,40}")
_TAG_ON_ITS_OWN_LINE: Final = re.compile(r"^[ \t]*(\{\{[#^/]\s*[A-Za-z0-9_]+\s*\}\})[ \t]*\n", re.MULTILINE)


class InvalidTemplate(SpanmillError):  # noqa: N818 - a user's text, named for what it is
    """The text cannot be a template."""

    def __init__(self, problem: str, hint: str = "") -> None:
        self.problem = problem
        self.hint = hint
        super().__init__(f"{problem}. {hint}" if hint else problem)


class _Slot(NamedTuple):
    name: str


class _Section(NamedTuple):
    name: str
    when_there: bool
    parts: list["_Part"]


_Part = str | _Slot | _Section


@dataclass(frozen=True)
class Template:
    """A template's text; `check` it before use."""

    text: str

    def check(self) -> None:
        """Raises `InvalidTemplate`."""
        _ = self._parts

    @cached_property
    def variables(self) -> frozenset[str]:
        """Every variable that the text names."""
        return frozenset(_names(self._parts))

    @cached_property
    def required(self) -> frozenset[str]:
        """Those that stand outside of any section that asks for them: without them the text makes no sense."""
        return frozenset(_required(self._parts, frozenset()))

    def fill(self, values: Mapping[str, str]) -> str:
        """The text with values, which must hold at least the required ones. Values are not read as templates."""
        return "".join(_filled(self._parts, values))

    @cached_property
    def _parts(self) -> list[_Part]:
        return _parse(_TAG_ON_ITS_OWN_LINE.sub(r"\1", self.text))


def _parse(text: str) -> list[_Part]:
    outer: list[_Part] = []
    open_sections: list[_Section] = []
    parts, end = outer, 0
    for tag in _TAG.finditer(text):
        parts += _literal(text[end : tag.start()])
        end = tag.end()
        mark, name = tag.groups()
        if mark == "":
            parts.append(_Slot(name))
        elif mark in "#^":
            section = _Section(name, mark == "#", [])
            parts.append(section)
            open_sections.append(section)
            parts = section.parts
        else:
            if not open_sections or open_sections[-1].name != name:
                wanted = f"{{{{/{open_sections[-1].name}}}}}" if open_sections else "no section is open there"
                raise InvalidTemplate(f"{tag[0]} closes a section that is not open", f"Expected: {wanted}.")
            open_sections.pop()
            parts = open_sections[-1].parts if open_sections else outer
    parts += _literal(text[end:])
    if open_sections:
        name = open_sections[-1].name
        raise InvalidTemplate(f"the section of {name} is not closed", f"Write {{{{/{name}}}}} where it ends.")
    return outer


def _literal(text: str) -> list[_Part]:
    if (strange := _ANY_TAG.search(text)) is not None:
        shown = strange[0].partition("}}")[0]
        raise InvalidTemplate(f"`{shown}` begins no variable", "A variable is written {{name}}, a section {{#name}}.")
    return [text] if text else []


def _names(parts: list[_Part]) -> Iterator[str]:
    for part in parts:
        if not isinstance(part, str):
            yield part.name
        if isinstance(part, _Section):
            yield from _names(part.parts)


def _required(parts: list[_Part], known: frozenset[str]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, _Slot) and part.name not in known:
            yield part.name
        elif isinstance(part, _Section):
            yield from _required(part.parts, known | {part.name} if part.when_there else known)


def _filled(parts: list[_Part], values: Mapping[str, str]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, str):
            yield part
        elif isinstance(part, _Slot):
            yield values[part.name]
        elif (part.name in values) == part.when_there:
            yield from _filled(part.parts, values)
