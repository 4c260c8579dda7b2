"""Real files with something changed at random: read or explained, never a fault; what is read survives rendering."""

import copy
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from spanmill.config import Configuration, read_configuration, render_configuration
from spanmill.errors import ConfigError

FILES: Final = [
    yaml.safe_load(path.read_text()) for path in sorted((Path(__file__).parent / "real_files").glob("*.yaml"))
]
ENVIRON: Final = {"TOKEN": "t", "TENANT": "7", "LIMIT": "100", "MAP": "a: 1", "EMPTY": ""}
VALUES: Final[list[Any]] = [
    *(
        None,
        True,
        0,
        -1,
        5,
        1.5,
        10**30,
        "",
        "x",
        "5s",
        "localhost:1",
        "otlp",
        "debug",
        "$$",
        "$X",
        "http://x",
        "unix://",
    ),
    *(
        "${env:MAP}",
        "${EMPTY}",
        "${NONE:-${TENANT}}",
        "${NONE}",
        [],
        {},
        ["otlp"],
        [5],
        [None],
        {"a": 1},
        "insert",
        "é",
    ),
]


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value, the outermost left out."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield (*path, key)
        yield from paths(child, (*path, key))


def mutate(chance: random.Random, value: Any) -> None:
    """Replace, add or take away one value."""
    *way, last = chance.choice(list(paths(value)))
    for key in way:
        value = value[key]
    kind = chance.random()
    if kind < 0.6:
        value[last] = copy.deepcopy(chance.choice(VALUES))
    elif kind < 0.8 and isinstance(value, dict):
        value[chance.choice(["timeout", "endpoint", "tls", "drop", "otlp/2", "forward", "logs", "receivers"])] = None
    else:
        del value[last]


def read(value: Any, environ: dict[str, str]) -> Configuration | None:
    try:
        return read_configuration(["yaml:" + yaml.safe_dump(value)], (), environ)
    except ConfigError:
        return None


@pytest.mark.parametrize("seed", range(10))
def test_a_mutated_file_is_read_or_explained_and_what_is_read_survives_rendering(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(30):
        value = copy.deepcopy(chance.choice(FILES))
        for _ in range(chance.randint(1, 3)):
            mutate(chance, value)
        configuration = read(value, ENVIRON)
        if configuration is not None:
            again = read(render_configuration(configuration, redacted=False), {})
            assert again is not None
            assert replace(again, warnings=()) == replace(configuration, warnings=())
