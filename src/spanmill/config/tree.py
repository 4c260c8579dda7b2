"""The configuration as it was written: plain values that remember where they stand."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

Scalar = str | int | float | bool | None
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a source: a file, `--set[1]`, `env:NAME`. Line and column count from 1; 0 means the whole source."""

    source: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


@dataclass(frozen=True, slots=True)
class Tree:
    """One value with its place. Never changed; `merge` and `expand` build new ones."""

    value: "Scalar | dict[str, Tree] | list[Tree]"
    location: Location
    key: Location | None = None
    """Where the key stands that leads here."""
    text: str | None = None
    """A scalar as written, so that a text field gets `0123` and not 83."""
    referenced: bool = False
    """The value came from a reference such as `${env:NAME}`."""
    broken: bool = False
    """The value is unknown because a reference failed, which is reported elsewhere."""

    def plain(self) -> Any:
        """The value as dicts, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value

    def child(self, step: str | int) -> "Tree | None":
        """What stands under a key or an index, if anything."""
        if isinstance(self.value, dict):
            return self.value.get(str(step))
        if isinstance(self.value, list) and isinstance(step, int) and 0 <= step < len(self.value):
            return self.value[step]
        return None

    def find(self, path: Sequence[str | int]) -> "Tree | None":
        """What stands at the path, if anything."""
        tree: Tree | None = self
        for step in path:
            if tree is None:
                return None
            tree = tree.child(step)
        return tree

    def nearest(self, path: Sequence[str | int]) -> "Tree":
        """What stands at the path, or at as much of it as there is."""
        tree = self
        for step in path:
            child = tree.child(step)
            if child is None:
                return tree
            tree = child
        return tree

    def at_key(self) -> Location:
        """The key that leads here, which is what a person looks for; else the value."""
        return self.key or self.location

    def with_key(self, key: Location | None) -> "Tree":
        return replace(self, key=key)

    def walk(self, path: Path = ()) -> "Iterator[tuple[Path, Tree]]":
        """Every value with its path, outermost first."""
        yield path, self
        if isinstance(self.value, dict):
            for key, child in self.value.items():
                yield from child.walk((*path, key))
        elif isinstance(self.value, list):
            for index, child in enumerate(self.value):
                yield from child.walk((*path, index))
