"""What is never masked although it is found."""

from collections.abc import Iterable

from spanmill.pii.engine import compile_pattern


class Allow:
    """Findings that are one of the texts, or that an RE2 pattern matches whole. Raises PatternError, a ValueError, for
    a pattern that RE2 does not accept."""

    def __init__(self, texts: Iterable[str] = (), patterns: Iterable[str] = ()) -> None:
        self._texts = frozenset(text.encode() for text in texts)
        self._patterns = [compile_pattern(pattern, unicode=True, capped=True) for pattern in patterns]

    def __bool__(self) -> bool:
        return bool(self._texts or self._patterns)

    def __contains__(self, found: bytes) -> bool:
        return found in self._texts or any(pattern.fullmatch(found) for pattern in self._patterns)
