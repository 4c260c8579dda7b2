"""References in the configuration: `${env:NAME}`, `${env:NAME:-default}`, `${NAME}`, `${file:path}`, `$$`.

A scalar that is one reference takes whatever YAML the reference holds; inside a longer text it takes the text. Values
may hold references themselves. As in the Collector, `$$` is a dollar sign, and a lone `$` stays as it is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from spanmill.config.parse import YamlError, parse_bytes, parse_yaml
from spanmill.config.problems import Problem, Severity, did_you_mean, dotted
from spanmill.config.tree import Location, Tree
from spanmill.config.tree import Path as TreePath

_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_NAKED: Final = re.compile(r"\$[a-zA-Z_]", re.ASCII)
_BCRYPT: Final = re.compile(r"\$2[aby]\$[0-9]{2}\$", re.ASCII)
"""How a password's hash begins, whose dollar signs nobody takes for references."""
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?!-)", re.ASCII)
_MOST_LEVELS: Final = 20
_MOST_REFERENCES: Final = 10_000
_MOST_CHARACTERS: Final = 1_000_000
_SCHEMES: Final = "${env:NAME}, ${env:NAME:-default}, ${file:path} or ${yaml:value}"


class _ReferenceError(Exception):
    """A reference that leads nowhere."""

    def __init__(self, message: str, expected: str = "", hint: str = "") -> None:
        self.message, self.expected, self.hint = message, expected, hint
        super().__init__(message)


@dataclass(slots=True)
class Expansion:
    """Expands trees; gathers what goes wrong in `problems`."""

    environ: Mapping[str, str]
    problems: list[Problem] = field(default_factory=list)
    _open: list[str] = field(default_factory=list)
    """The references that are being followed, outermost first."""
    _followed: int = 0

    def tree(self, tree: Tree, path: TreePath = ()) -> Tree:
        """The tree with every reference replaced; where one fails the value is `broken`."""
        if isinstance(tree.value, dict):
            return replace(tree, value={key: self.tree(child, (*path, key)) for key, child in tree.value.items()})
        if isinstance(tree.value, list):
            return replace(tree, value=[self.tree(child, (*path, index)) for index, child in enumerate(tree.value)])
        if not isinstance(tree.value, str) or "$" not in tree.value:
            return tree
        self._warn_of_naked(tree, path)
        try:
            return self._scalar(tree, tree.value)
        except _ReferenceError as error:
            problem = Problem(error.message, dotted(path), tree.location, error.expected, hint=error.hint)
            self.problems.append(problem)
        except YamlError as error:
            self.problems.append(error.problem)
        return replace(tree, value=None, text=None, broken=True)

    def _warn_of_naked(self, tree: Tree, path: TreePath) -> None:
        assert isinstance(tree.value, str)
        if _NAKED.search(_BCRYPT.sub("", tree.value.replace("$$", ""))) is None:
            return
        # Not said: what follows it. It may be the end of a password.
        message = "a $ without braces behind it begins no reference and is left as it is"
        hint = "Write ${env:NAME} for a variable, or $$ to keep a dollar sign."
        self.problems.append(Problem(message, dotted(path), tree.location, hint=hint, severity=Severity.WARNING))

    def _scalar(self, tree: Tree, text: str) -> Tree:
        """A scalar with references; one that is nothing but a reference may become anything."""
        if text.startswith("${") and _closing(text, 2) == len(text) - 1:
            value = self._resolve(text[2:-1])
            if isinstance(value.value, dict | list):
                return value.with_key(tree.key)
            return replace(value, location=tree.location, key=tree.key)
        expanded = self._text(text)
        return replace(tree, value=expanded, text=expanded)

    def _text(self, text: str) -> str:
        """A text with every reference replaced by text."""
        parts: list[str] = []
        position = 0
        while (dollar := text.find("$", position)) >= 0:
            parts.append(text[position:dollar])
            following = text[dollar + 1 : dollar + 2]
            closing = _closing(text, dollar + 2) if following == "{" else None
            if following == "$":
                parts.append("$")
                position = dollar + 2
            elif closing is not None:
                parts.append(self._resolved_text(text[dollar + 2 : closing]))
                position = closing + 1
            else:
                parts.append("$")
                position = dollar + 1
        expanded = "".join(parts) + text[position:]
        if len(expanded) > _MOST_CHARACTERS:
            raise _ReferenceError(f"references grow to more than {_MOST_CHARACTERS} characters")
        return expanded

    def _resolved_text(self, reference: str) -> str:
        return self._resolve(reference).text or ""

    def _resolve(self, reference: str) -> Tree:
        """What a reference (without its braces) stands for, itself expanded."""
        if reference in self._open or len(self._open) >= _MOST_LEVELS:
            raise _ReferenceError(f"${{{reference}}} refers to itself")
        self._followed += 1
        if self._followed > _MOST_REFERENCES:
            raise _ReferenceError(f"there are more than {_MOST_REFERENCES} references")
        self._open.append(reference)
        try:
            tree = self._read(self._text(reference))
            return self._inner(tree)
        finally:
            self._open.pop()

    def _inner(self, tree: Tree) -> Tree:
        if isinstance(tree.value, dict | list):
            return replace(self.tree(tree), referenced=True)
        if tree.text is not None and "$" in tree.text:
            return replace(self._scalar(tree, tree.text), referenced=True)
        return replace(tree, referenced=True)

    def _read(self, reference: str) -> Tree:
        scheme = _SCHEME.match(reference)
        kind, rest = (scheme[1], reference[scheme.end() :]) if scheme else ("env", reference)
        if kind == "env":
            return self._variable(rest)
        if kind == "yaml":
            return _lenient(rest, f"${{{reference}}}")
        if kind != "file":
            hint = did_you_mean(kind, ("env", "file", "yaml")) or f"To keep the text write $${{{reference}}}."
            raise _ReferenceError(f"the scheme of ${{{reference}}} is unknown", _SCHEMES, hint)
        try:
            data = Path(rest).read_bytes()
        except OSError as error:
            raise _ReferenceError(f"${{file:{rest}}} cannot be read: {error.strerror}") from None
        tree = parse_bytes(data, rest)
        return replace(tree, text=data.decode("utf-8-sig").rstrip("\r\n"))

    def _variable(self, reference: str) -> Tree:
        name, has_default, default = reference.partition(":-")
        if not _NAME.fullmatch(name):
            hint = f"To keep the text write $${{{reference}}}."
            raise _ReferenceError(f"${{{reference}}} does not name a variable", _SCHEMES, hint)
        if name in self.environ:
            return _lenient(self.environ[name], f"env:{name}")
        if has_default:
            return _lenient(default, f"env:{name}")
        hint = f"Set {name}, or give a default: ${{env:{name}:-...}}."
        close = did_you_mean(name, self.environ)
        raise _ReferenceError(f"the environment variable {name} is not set", hint=f"{hint} {close}".rstrip())


def _closing(text: str, start: int) -> int | None:
    """Where the brace closes that opened just before `start`, over references inside."""
    level = 1
    position = start
    while position < len(text):
        if text.startswith("${", position):
            level += 1
            position += 2
            continue
        if text[position] == "}":
            level -= 1
            if level == 0:
                return position
        position += 1
    return None


def _lenient(text: str, source: str) -> Tree:
    """YAML if it is, else the text: a password may hold anything. The text is kept for fields that want text."""
    try:
        tree = parse_yaml(text, source)
    except YamlError:
        return Tree(text, Location(source), text=text)
    return replace(tree, value=text if isinstance(tree.value, str) else tree.value, text=text)
