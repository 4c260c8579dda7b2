"""Validates one block against its model and says what is wrong in our own words, at the place where it stands."""

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from spanmill.config.base import Model, Notes
from spanmill.config.manual import descriptions
from spanmill.config.problems import Problem, Severity, describe, did_you_mean, dotted, one_of
from spanmill.config.tree import Path, Tree
from spanmill.config.values import Secret

M = TypeVar("M", bound=Model)

_TEXT_WANTED: Final = frozenset({"string_type", "literal_error", "spanmill"})
"""Errors that may go away when a field is given the scalar as written instead of what YAML makes of it."""

_EXPECTED: Final = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a number",
    "dict_type": "a map",
    "model_type": "a map",
    "list_type": "a list",
    "tuple_type": "a list",
}


def validate_block(model: type[M], tree: Tree, path: Path) -> tuple[M | None, list[Problem]]:
    """The model made of `tree`, which stands at `path` of the configuration, or None; and every problem with it."""
    notes = Notes()
    made, errors = _validate(model, tree.plain(), notes)
    texts = {error["loc"]: text for error in errors if (text := _text_for(error, tree)) is not None}
    if texts:
        second_notes = Notes()
        second, second_errors = _validate(model, _with_texts(tree, texts), second_notes)
        in_vain = {error["loc"] for error in second_errors} & set(texts)
        if in_vain:
            texts = {loc: text for loc, text in texts.items() if loc not in in_vain}
            second_notes = Notes()
            second, second_errors = _validate(model, _with_texts(tree, texts), second_notes)
        made, errors, notes = second, second_errors, second_notes
    problems = _unique(problem for error in errors if (problem := _problem(error, model, tree, path)) is not None)
    return made, problems + [_warning(key, message, tree, path) for key, message in notes.warnings]


def _validate(model: type[M], data: Any, notes: Notes) -> tuple[M | None, list[ErrorDetails]]:
    try:
        return model.model_validate(data, context=notes), []
    except ValidationError as error:
        return None, error.errors(include_url=False)


def _text_for(error: ErrorDetails, tree: Tree) -> str | None:
    """The scalar as written, where it came from a reference or is a number and the field may want text."""
    found = tree.find(error["loc"])
    if error["type"] not in _TEXT_WANTED or found is None or found.text is None or isinstance(found.value, str):
        return None
    is_number = isinstance(found.value, int | float) and not isinstance(found.value, bool)
    return found.text if found.referenced or is_number else None


def _with_texts(tree: Tree, texts: Mapping[Path, str], path: Path = ()) -> Any:
    if path in texts:
        return texts[path]
    if isinstance(tree.value, dict):
        return {key: _with_texts(child, texts, (*path, key)) for key, child in tree.value.items()}
    if isinstance(tree.value, list):
        return [_with_texts(child, texts, (*path, index)) for index, child in enumerate(tree.value)]
    return tree.value


def _unique(problems: Any) -> list[Problem]:
    return list(dict.fromkeys(problems))


def _warning(key: str, message: str, tree: Tree, path: Path) -> Problem:
    steps: Path = tuple(key.split("."))
    location = tree.nearest(steps).at_key()
    return Problem(message, dotted(path + steps), location, severity=Severity.WARNING)


def _problem(error: ErrorDetails, model: type[Model], tree: Tree, path: Path) -> Problem | None:
    """The problem that a pydantic error stands for; None when a failed reference is behind it."""
    context = error.get("ctx", {})
    written, block, annotation = _follow(model, error["loc"])
    if context.get("key"):
        inner = annotation if isinstance(annotation, type) and issubclass(annotation, Model) else block
        below, block, annotation = _follow(inner, tuple(context["key"].split(".")))
        written += below
    found = tree.find(written)
    if found is not None and (found.broken or _is_echo(error, found)):
        return None
    location = found.at_key() if found is not None else tree.nearest(written).at_key()
    message, expected, hint = _words(error, block, context, written)
    secret = _holds_secrets(annotation)
    shown = "" if secret or error["type"] in ("missing", "extra_forbidden") else _shown(error, found)
    if secret and error["type"] in _EXPECTED and isinstance(error["input"], str):
        hint = ""  # it would repeat the text
    return Problem(message, dotted(path + written), location, expected, shown, hint)


def _is_echo(error: ErrorDetails, found: Tree) -> bool:
    """Whether the error only says again what is reported where it happened."""
    if error["type"] == "too_short":
        return bool(found.value)  # pydantic counts only the entries that are right
    children = found.value.values() if isinstance(found.value, dict) else ()
    return error["type"] == "spanmill" and any(child.broken for child in children)


def _shown(error: ErrorDetails, found: Tree | None) -> str:
    """What stands there, unless it is a whole block in which something is wrong."""
    if found is None or (isinstance(found.value, dict | list) and error["type"] == "spanmill"):
        return ""
    if isinstance(found.value, dict | list):
        return describe(found.plain())
    return describe(found.value)


def _words(error: ErrorDetails, block: type[Model], context: Mapping[str, Any], written: Path) -> tuple[str, str, str]:
    """What is wrong, what was expected, what to do."""
    kind, name = error["type"], str(written[-1]) if written else ""
    if kind == "spanmill":
        return context["problem"], context["expected"], context["hint"]
    if kind == "missing":
        return f"`{name}` is missing", _first_sentence(block, name), ""
    if kind == "extra_forbidden":
        return _unknown_key(block, name)
    if kind == "literal_error":
        choices = [choice.strip("'") for choice in _choices(context["expected"])]
        return "not one of its values", one_of(choices), did_you_mean(error["input"], choices)
    if kind in _EXPECTED:
        hint = _advice(_EXPECTED[kind], error["input"])
        return "wrong type", _EXPECTED[kind], hint
    return _bounds(kind, context)


def _holds_secrets(annotation: Any, outer: tuple[Any, ...] = ()) -> bool:
    """Whether a secret may stand there, or further in: whoever writes text for a map may have written it all.

    `outer` are the blocks that it stands in: some may stand within themselves.
    """
    annotation = bare(annotation)
    if annotation is Secret:
        return True
    if isinstance(annotation, type) and issubclass(annotation, Model):
        fields = () if annotation in outer else annotation.model_fields.values()
        return any(_holds_secrets(field.annotation, (*outer, annotation)) for field in fields)
    return any(_holds_secrets(argument, outer) for argument in get_args(annotation))


def _advice(expected: str, found: object) -> str:
    if expected == "text" and isinstance(found, bool | int | float):
        return "Put it in quotes."
    if expected == "text" and isinstance(found, dict) and len(found) == 1:
        return "A text that begins with { needs quotes; or is it a placeholder that was never filled in?"
    if expected == "a list" and isinstance(found, str):
        return f"Write [{found}]."
    if expected == "true or false" and str(found).lower() in ("yes", "on", "no", "off", "true", "false"):
        return f"Write {'true' if str(found).lower() in ('yes', 'on', 'true') else 'false'}."
    return ""


def _choices(expected: str) -> list[str]:
    return expected.replace(" or ", ", ").split(", ")


def _bounds(kind: str, context: Mapping[str, Any]) -> tuple[str, str, str]:
    bounds = {
        "greater_than_equal": ("too small", "{ge} or more"),
        "greater_than": ("too small", "more than {gt}"),
        "less_than_equal": ("too large", "{le} or less"),
        "less_than": ("too large", "less than {lt}"),
        "string_too_short": ("is empty", "text"),
        "too_short": ("is empty", "at least {min_length} entry"),
        "string_pattern_mismatch": ("has the wrong form", "text that matches {pattern}"),
    }
    message, expected = bounds.get(kind, ("not a value that fits", ""))
    return message, expected.format(**context), ""


def _unknown_key(block: type[Model], name: str) -> tuple[str, str, str]:
    if name in block.unsupported:
        return f"`{name}` {_verb(block.unsupported[name])}", "", ""
    known = list(block.yaml_fields())
    if not known:
        return f"unknown key `{name}`", "no keys", ""
    return f"unknown key `{name}`", one_of(known), did_you_mean(name, known)


def _verb(reason: str) -> str:
    return f"is {reason}" if reason.startswith("not ") else f"cannot be used: {reason}"


def _first_sentence(block: type[Model], name: str) -> str:
    sentence = " ".join(descriptions(block).get(name, "").split()).partition(". ")[0].rstrip(".")
    return sentence[:1].lower() + sentence[1:] if sentence[1:2].islower() or sentence[1:2] == " " else sentence


def _follow(model: type[Model], loc: tuple[str | int, ...]) -> tuple[Path, type[Model], Any]:
    """Walk an error's location along the model: the part that the user wrote, its block, its annotation.

    What pydantic adds for its own purposes (`[key]`, the members of a union) is left out.
    """
    block, annotation = model, model
    written: list[str | int] = []
    for step in loc:
        annotation = bare(annotation)
        inner: Any
        if isinstance(annotation, type) and issubclass(annotation, Model):
            block = annotation
            field = annotation.yaml_fields().get(str(step))
            inner = field.annotation if field else None
        elif get_origin(annotation) in (dict, tuple, list):
            inner = next((argument for argument in reversed(get_args(annotation)) if argument is not Ellipsis), None)
        else:
            break
        written.append(step)
        annotation = inner
    annotation = bare(annotation)
    return tuple(written), block, annotation


def bare(annotation: Any) -> Any:
    """Without `Annotated` and `| None`."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
            continue
        if get_origin(annotation) in (Union, UnionType):
            members = [member for member in get_args(annotation) if member is not NoneType]
            if len(members) == 1:
                annotation = members[0]
                continue
        return annotation


def model_of(field: FieldInfo) -> type[Model] | None:
    """The block that a field holds, or holds many of."""
    annotation = bare(field.annotation)
    if get_origin(annotation) in (dict, tuple):
        annotation = bare(next(argument for argument in reversed(get_args(annotation)) if argument is not Ellipsis))
    return annotation if isinstance(annotation, type) and issubclass(annotation, Model) else None
