"""The lists of packages that the SDKs' environments are made from."""

import re
from pathlib import Path

import pytest

from tests.delivery.sdks.runs import SDKS

_LISTS = sorted((Path(__file__).parent / "requirements").glob("*.txt"))


@pytest.mark.parametrize("path", _LISTS, ids=lambda path: path.name)
def test_pins_of_the_sdks_name_versions_and_no_place_to_get_them_from(path: Path) -> None:
    pins = path.read_text(encoding="utf-8").splitlines()
    assert pins
    assert [pin for pin in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", pin)] == []


def test_every_environment_has_a_list_and_every_list_a_use() -> None:
    assert {sdk.environment for sdk in SDKS} == {path.stem for path in _LISTS}
