"""The sources that are asked for the rows of one dialect, in their order. Asking them is left to `normaliser`."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from spanmill.llm.dialect import COMMON, ContentSource, Dialect, Source

_S = TypeVar("_S")


@dataclass(frozen=True)
class Chain:
    """All sources of one dialect, its own first; of rows without a dialect only what is common."""

    name: str | None
    columns: Mapping[str, tuple[Source, ...]]
    content: Mapping[str, tuple[ContentSource, ...]]
    cached_excluded: bool = False
    reasoning_excluded: bool = False

    def read_from(self, key: str) -> frozenset[str]:
        """The columns that are read from an attribute of the rows, where they are not only a part of it."""
        return self._by_attribute.get(key, frozenset()).union(
            name for prefix, name in self._by_prefix if key.startswith(prefix)
        )

    @cached_property
    def _by_attribute(self) -> Mapping[str, frozenset[str]]:
        read: dict[str, frozenset[str]] = {}
        whole = [
            (name, source.attribute)
            for name, sources in self.columns.items()
            for source in sources
            if source.event is None and not source.reads_part()
        ]
        texts = [(name, source.attribute) for name, sources in self.content.items() for source in sources]
        for name, attribute in (*whole, *texts):
            if attribute is not None:
                read[attribute] = read.get(attribute, frozenset()) | {name}
        return read

    @cached_property
    def _by_prefix(self) -> tuple[tuple[str, str], ...]:
        return tuple(
            (source.prefix, name)
            for name, sources in self.content.items()
            for source in sources
            if source.prefix is not None
        )


def chain_of(dialect: Dialect | None, known: Mapping[str, Dialect], before: Mapping[str, tuple[Source, ...]]) -> Chain:
    """The dialect's sources and those of the dialects that it inherits from; `before`: what is asked first."""
    parts = [] if dialect is None else [dialect, *(known[name] for name in dialect.inherits)]
    parts.append(known[COMMON])
    columns: dict[str, tuple[Source, ...]] = dict(before)
    content: dict[str, tuple[ContentSource, ...]] = {}
    for part in parts:
        for name, sources in part.columns.items():
            columns[name] = _joined(columns.get(name, ()), sources)
        for name, places in part.content.items():
            content[name] = _joined(content.get(name, ()), places)
    if dialect is None:
        return Chain(None, columns, content)
    meaning = dialect.usage
    return Chain(
        dialect.dialect,
        columns,
        content,
        meaning.cached_input == "excluded",
        meaning.reasoning_output == "excluded",
    )


def _joined(asked: tuple[_S, ...], more: tuple[_S, ...]) -> tuple[_S, ...]:
    """Each source once, where it comes first."""
    return (*asked, *(source for source in more if source not in asked))
