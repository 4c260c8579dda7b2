"""Sources to one expanded tree: `--config` in order, then `--set`, then references."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from spanmill.config.expand import Expansion
from spanmill.config.merge import merge, merge_sources, nest
from spanmill.config.parse import YamlError, parse_bytes, parse_yaml
from spanmill.config.problems import Problem, describe
from spanmill.config.tree import Location, Tree

_LARGEST_FILE_BYTES: Final = 4 * 1024 * 1024


def load(
    sources: Sequence[str], overrides: Sequence[str], environ: Mapping[str, str]
) -> tuple[Tree | None, list[Problem]]:
    """Read, merge and expand. The tree is None when no source could be read as far as a map.

    A source is a path, `file:path`, `env:NAME` (the variable holds YAML) or `yaml:text` (`::` separates keys).
    """
    problems: list[Problem] = []
    trees = [tree for source in sources if (tree := _read_map(source, environ, problems)) is not None]
    if not trees:
        return None, problems
    merged = Tree({}, trees[0].location)
    for tree in trees:
        merged = merge_sources(merged, tree, problems)
    for number, override in enumerate(overrides, 1):
        tree = _override(override, Location(f"--set[{number}]"), problems)
        merged = merge(merged, tree) if tree is not None else merged
    expansion = Expansion(environ, problems)
    return expansion.tree(merged), problems


def _read_map(source: str, environ: Mapping[str, str], problems: list[Problem]) -> Tree | None:
    try:
        tree = _read(source, environ)
    except YamlError as error:
        problems.append(error.problem)
        return None
    if tree.value is None:
        return Tree({}, tree.location)
    if not isinstance(tree.value, dict):
        expected = "a map with receivers, exporters and service"
        problems.append(Problem("not a configuration", "", tree.location, expected, describe(tree.plain())))
        return None
    return tree


def _read(source: str, environ: Mapping[str, str]) -> Tree:
    scheme, colon, rest = source.partition(":")
    if colon and scheme == "env":
        if rest not in environ:
            raise YamlError(Problem(f"the environment variable {rest} is not set", location=Location(source)))
        return parse_yaml(environ[rest], source)
    if colon and scheme == "yaml":
        return _split_keys(parse_yaml(rest, "yaml:"))
    if colon and scheme in ("http", "https"):
        raise YamlError(Problem("configuration is not read over HTTP", location=Location(source), expected="a file"))
    return _read_file(rest if colon and scheme == "file" else source)


def _read_file(name: str) -> Tree:
    try:
        with Path(name).open("rb") as file:
            data = file.read(_LARGEST_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise YamlError(Problem(f"cannot be read: {reason}", location=Location(name))) from None
    if len(data) > _LARGEST_FILE_BYTES:
        raise YamlError(Problem("is too large", location=Location(name), expected="at most 4 MiB"))
    return parse_bytes(data, name)


def _split_keys(tree: Tree) -> Tree:
    """`a::b: 1` to `a: {b: 1}`, as the Collector does for `yaml:` sources."""
    if not isinstance(tree.value, dict):
        return tree
    joined = Tree({}, tree.location)
    for key, child in tree.value.items():
        joined = merge(joined, nest(key.split("::"), _split_keys(child), child.at_key()))
    return joined


def _override(override: str, location: Location, problems: list[Problem]) -> Tree | None:
    """`a.b.c=value` or `a::b::c=value` as a tree whose every value stands at `--set[n]`."""
    path, equals, text = override.partition("=")
    keys = [key.strip() for key in path.split("::" if "::" in path else ".")]
    if not equals or not all(keys):
        message = "not an override"
        problems.append(
            Problem(message, "", location, "path=value, as in processors.batch.timeout=2s", describe(override))
        )
        return None
    try:
        value = parse_yaml(text, str(location))
    except YamlError as error:
        problems.append(Problem(error.problem.message, path, location))
        return None
    return nest(keys, _moved(value, location), location)


def _moved(tree: Tree, location: Location) -> Tree:
    """The tree with every place in it replaced: lines of a command-line argument mean nothing to anyone."""
    value = tree.value
    if isinstance(value, dict):
        value = {key: _moved(child, location).with_key(location) for key, child in value.items()}
    elif isinstance(value, list):
        value = [_moved(child, location) for child in value]
    return Tree(value, location, text=tree.text)
