"""The manual and the JSON Schema say what the models say."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spanmill.config.base import Model
from spanmill.config.document import main
from spanmill.config.explain import model_of
from spanmill.config.manual import descriptions
from spanmill.config.models import ServiceSection
from spanmill.config.schema import json_schema
from spanmill.registry import COMPONENTS, component_type

DOCS = Path(__file__).parents[2] / "docs"
REMAKE = "run `python -m spanmill.config.document`"


def every_model() -> Iterator[type[Model]]:
    waiting: list[type[Model]] = [ServiceSection, *(component.load_config() for component in COMPONENTS)]
    seen: set[type[Model]] = set()
    while waiting:
        model = waiting.pop()
        if model in seen:
            continue
        seen.add(model)
        yield model
        waiting += [inner for field in model.model_fields.values() if (inner := model_of(field)) is not None]


@pytest.mark.parametrize("name", ["configuration.md", "configuration.schema.json"])
def test_the_documents_are_current(tmp_path: Path, name: str) -> None:
    main(tmp_path)
    assert (tmp_path / name).read_text() == (DOCS / name).read_text(), REMAKE


def test_every_key_has_its_entry() -> None:
    missing = [
        f"{model.__name__}.{name}"
        for model in every_model()
        for name in model.yaml_fields()
        if not descriptions(model).get(name)
    ]
    assert missing == []


def test_every_model_says_what_it_is() -> None:
    assert [model.__name__ for model in every_model() if not model.__doc__] == []


def test_the_schema_knows_every_type_and_alias() -> None:
    sections = json_schema()["properties"]
    for component in COMPONENTS:
        patterns = sections[component.kind.value]["patternProperties"]
        for name in (component.name, *(alias.name for alias in component.aliases)):
            assert sum(bool(re.search(pattern, f"{name}/x")) for pattern in patterns) == 1
            assert sum(bool(re.search(pattern, name)) for pattern in patterns) == 1
            assert component_type(component.kind, name) is component


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, child in value.items():
            if key == "$ref":
                yield child
            else:
                yield from references(child)
    elif isinstance(value, list):
        for child in value:
            yield from references(child)


def test_the_schema_is_whole() -> None:
    schema = json.loads(json.dumps(json_schema()))
    for reference in references(schema):
        assert reference.removeprefix("#/$defs/") in schema["$defs"]
