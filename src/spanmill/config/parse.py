"""YAML text to a `Tree`. Built from parser events, so that depth, aliases and duplicate keys are in our hands.

Plain scalars are read as the Collector's YAML library does (YAML 1.2): `yes`, `on` and `12:30` are text.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import yaml
from yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from spanmill.config.problems import Problem
from spanmill.config.tree import Location, Scalar, Tree

_MOST_VALUES: Final = 100_000
"""Values in one file, aliases counted at full size: far above any real file, far below what would hurt."""
_MOST_LEVELS: Final = 100
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_COLLECTION_TAGS: Final = (None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")
_BOOLEANS: Final = {text: text.lower() == "true" for text in ("true", "True", "TRUE", "false", "False", "FALSE")}
_INTEGER: Final = re.compile(r"[-+]?(0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[1-9][0-9_]*|0)", re.ASCII)
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)


class YamlError(Exception):
    """A source that cannot be read as configuration; stops at the first thing wrong, unlike later checks."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.render())


def parse_scalar(text: str) -> Scalar:
    """What a plain scalar means."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def _integer(text: str) -> int | str:
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-").replace("_", "").lower()
    base = {"0b": 2, "0o": 8, "0x": 16}.get(digits[:2], 8 if digits.startswith("0") and len(digits) > 1 else 10)
    try:
        return sign * int(digits, base)
    except ValueError:
        return text


def parse_yaml(text: str, source: str) -> Tree:
    """One YAML document as a tree; an empty one is null. Raises YamlError."""
    try:
        return _Builder(text, source).build()
    except yaml.MarkedYAMLError as error:
        raise YamlError(_syntax_problem(error, text, source)) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, max(error.position, 0)) + 1 if isinstance(error.position, int) else 0
        location = Location(source, line, 1) if line else Location(source)
        raise YamlError(Problem("a control character that YAML does not allow", location=location)) from None


def _syntax_problem(error: yaml.MarkedYAMLError, text: str, source: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return Problem(f"not YAML ({error.problem})", location=Location(source))
    location = Location(source, mark.line + 1, mark.column + 1)
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    indentation = line[: len(line) - len(line.lstrip())]
    if "\t" in indentation or line[mark.column : mark.column + 1] == "\t":
        return Problem("a tab is used for indentation", location=location, expected="spaces")
    context = f"{error.context}: " if error.context else ""
    return Problem(f"not YAML ({context}{error.problem})", location=location)


class _Builder:
    """Turns the events of one source into a tree."""

    def __init__(self, text: str, source: str) -> None:
        self._events: Iterator[Event] = yaml.parse(text, Loader=_LOADER)
        self._source = source
        self._anchors: dict[str, tuple[Tree, int]] = {}
        self._count = 0

    def build(self) -> Tree:
        tree: Tree | None = None
        for event in self._events:
            if not isinstance(event, DocumentStartEvent):
                continue
            if tree is not None:
                raise self._error("a second document begins", event, "one document in a file")
            tree = self._value(next(self._events), 0)
        return tree or Tree(None, Location(self._source))

    def _location(self, event: Event) -> Location:
        assert event.start_mark is not None
        return Location(self._source, event.start_mark.line + 1, event.start_mark.column + 1)

    def _error(self, message: str, event: Event, expected: str = "", hint: str = "") -> YamlError:
        return YamlError(Problem(message, location=self._location(event), expected=expected, hint=hint))

    def _meaningless_tag(self, event: Event) -> YamlError:
        # Not said: which. It may be a password that begins with an exclamation mark.
        return self._error("a tag that has no meaning here", event, hint="A text that begins with ! needs quotes.")

    def _value(self, event: Event, level: int) -> Tree:
        before = self._count
        self._add(1, event)
        if level > _MOST_LEVELS:
            raise self._error(f"nested more than {_MOST_LEVELS} levels deep", event)
        if isinstance(event, AliasEvent):
            return self._alias(event)
        if isinstance(event, CollectionStartEvent) and event.tag not in _COLLECTION_TAGS:
            raise self._meaningless_tag(event)
        if isinstance(event, MappingStartEvent):
            tree = self._mapping(event, level)
        elif isinstance(event, SequenceStartEvent):
            tree = self._sequence(event, level)
        else:
            assert isinstance(event, ScalarEvent)
            tree = self._scalar(event)
        if event.anchor:
            self._anchors[event.anchor] = (tree, self._count - before)
        return tree

    def _add(self, count: int, event: Event) -> None:
        self._count += count
        if self._count > _MOST_VALUES:
            raise self._error(f"more than {_MOST_VALUES} values, aliases counted at full size", event)

    def _alias(self, event: AliasEvent) -> Tree:
        if event.anchor not in self._anchors:
            hint = "A text that begins with * needs quotes."
            raise self._error("an alias without an anchor before it", event, "its anchor (&) above", hint)
        tree, count = self._anchors[event.anchor]
        self._add(count, event)
        return tree

    def _scalar(self, event: ScalarEvent) -> Tree:
        text, location = event.value, self._location(event)
        if event.tag in (None, "!") or event.tag == "tag:yaml.org,2002:str":
            plain = event.implicit[0] and event.tag is None
            return Tree(parse_scalar(text) if plain else text, location, text=text)
        if event.tag.startswith("tag:yaml.org,2002:") and event.tag.rpartition(":")[2] in (
            "int",
            "float",
            "bool",
            "null",
        ):
            return Tree(parse_scalar(text), location, text=text)
        raise self._meaningless_tag(event)

    def _sequence(self, start: CollectionStartEvent, level: int) -> Tree:
        children = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            children.append(self._value(event, level + 1))
        return Tree(children, self._location(start))

    def _mapping(self, start: CollectionStartEvent, level: int) -> Tree:
        own: dict[str, Tree] = {}
        merged: dict[str, Tree] = {}
        while not isinstance(event := next(self._events), MappingEndEvent):
            key = self._key(event)
            value = self._value(next(self._events), level + 1)
            if key == "<<" and isinstance(event, ScalarEvent) and event.implicit[0]:
                merged = self._merge_key(value, event) | merged
                continue
            if key in own:
                first = own[key].at_key()
                raise self._error(f"the key `{key}` is already on line {first.line}", event, "each key once")
            own[key] = value.with_key(self._location(event))
        return Tree(merged | own, self._location(start))

    def _key(self, event: Event) -> str:
        if isinstance(event, AliasEvent):
            anchored = self._alias(event)
            if isinstance(anchored.text, str):
                return anchored.text
        if not isinstance(event, ScalarEvent):
            raise self._error("a key that is not text", event, "text")
        if event.anchor:
            self._anchors[event.anchor] = (self._scalar(event), 1)
        return str(event.value)

    def _merge_key(self, value: Tree, event: Event) -> dict[str, Tree]:
        """`<<: *base` or `<<: [*a, *b]`, where the earlier wins."""
        maps = value.value if isinstance(value.value, list) else [value]
        merged: dict[str, Tree] = {}
        for tree in reversed(maps):
            if not isinstance(tree.value, dict):
                raise self._error("`<<` merges something that is not a map", event, "an alias of a map")
            merged |= tree.value
        return merged


def parse_bytes(data: bytes, source: str) -> Tree:
    """The same for the bytes of a file. Raises YamlError."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        problem = Problem("the file is not UTF-8", location=Location(source, line, column), expected="UTF-8 text")
        raise YamlError(replace(problem, found=f"the byte 0x{data[error.start]:02x}")) from None
    return parse_yaml(text, source)
