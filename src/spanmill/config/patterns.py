"""Users' regular expressions, judged by the engine that will search them. It is loaded when there is one to judge."""

from collections.abc import Callable, Iterator

from spanmill.config.base import Misfit
from spanmill.config.tree import Path


def refused_pattern(pattern: str, path: Path, compiled: Callable[[str], object] | None = None) -> Iterator[Misfit]:
    """What is wrong with a pattern, in the engine's words. `compiled`: what else it must be good for."""
    from spanmill.pii.engine import PatternError, compile_pattern

    try:
        if compiled is None:
            compile_pattern(pattern, unicode=True, capped=True)
        else:
            compiled(pattern)
    except PatternError as error:
        yield Misfit(path, f"the pattern cannot be used: {error}", "a regular expression in RE2's syntax")
