"""The manual's entry of each key: the text below the field in its model's source.

Pydantic can gather these too, but does so whenever a model is imported, which costs a third of the daemon's start.
"""

import ast
import inspect
import sys
from functools import cache

from spanmill.config.base import Model


def descriptions(model: type[Model]) -> dict[str, str]:
    """What each key of a block means; empty for keys without an entry, or where the source is not at hand."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, Model):
            found |= _in_module(base.__module__).get(base.__qualname__, {})
    aliases = {name: field.alias for name, field in model.model_fields.items() if field.alias}
    return {aliases.get(name, name): text for name, text in found.items()}


@cache
def _in_module(name: str) -> dict[str, dict[str, str]]:
    try:
        tree = ast.parse(inspect.getsource(sys.modules[name]))
    except OSError:
        return {}
    return {node.name: _in_class(node) for node in tree.body if isinstance(node, ast.ClassDef)}


def _in_class(node: ast.ClassDef) -> dict[str, str]:
    texts = {}
    for field, text in zip(node.body, node.body[1:], strict=False):
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str):
            texts[field.target.id] = inspect.cleandoc(text.value.value)
    return texts
