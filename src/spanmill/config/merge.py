"""Several sources into one tree, as the Collector merges them: maps are joined, everything else is replaced."""

from dataclasses import replace

from spanmill.config.problems import Problem, Severity
from spanmill.config.tree import Location, Tree


def merge(earlier: Tree, later: Tree) -> Tree:
    """The later source laid over the earlier: maps are joined key by key, lists and scalars replaced."""
    if not isinstance(earlier.value, dict) or not isinstance(later.value, dict):
        return later
    joined = dict(earlier.value)
    for key, child in later.value.items():
        joined[key] = merge(joined[key], child) if key in joined else child
    return replace(later, value=joined)


def merge_sources(earlier: Tree, later: Tree, warnings: list[Problem]) -> Tree:
    """`merge`, except that an empty top-level section does not erase the earlier one, as it does in the Collector."""
    if later.value is None:
        return earlier
    if not isinstance(earlier.value, dict) or not isinstance(later.value, dict):
        return later
    kept = dict(later.value)
    for key, child in later.value.items():
        before = earlier.value.get(key)
        if child.value is None and before is not None and before.value is not None:
            del kept[key]
            warnings.append(
                Problem(
                    "an empty section would erase the earlier one in the Collector; Spanmill keeps the earlier",
                    path=key,
                    location=child.at_key(),
                    hint="Remove the empty section.",
                    severity=Severity.WARNING,
                )
            )
    return merge(earlier, replace(later, value=kept))


def nest(path: list[str], value: Tree, location: Location) -> Tree:
    """A tree with a single value at a path."""
    for key in reversed(path):
        value = Tree({key: value.with_key(location)}, location)
    return value
