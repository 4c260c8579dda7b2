"""Names by Presidio, with a model of two rules instead of a trained one. See conftest.py for where they are run."""

from pathlib import Path
from typing import Any

import pytest

from spanmill.errors import StartError
from tests.processors.pii_masking.masks import Running, said


@pytest.fixture
def model(tmp_path: Path) -> str:
    """A spaCy model that knows Jane Doe and Seoul."""
    import spacy

    language = spacy.blank("en")
    rules = [{"label": "PERSON", "pattern": "Jane Doe"}, {"label": "GPE", "pattern": "Seoul"}]
    language.add_pipe("entity_ruler").add_patterns(rules)
    language.to_disk(tmp_path / "model")
    return str(tmp_path / "model")


def test_names_are_masked_with_all_the_rest(model: str) -> None:
    config: dict[str, Any] = {"presidio": {"models": {"en": model}}, "detectors": {"location": {"mode": "drop"}}}
    text = "서울: Jane Doe, jane@example.com, lives in Seoul"
    assert said(text, **config) == "서울: <PERSON>, <EMAIL>, lives in "
    assert said('{"who": "Jane Doe"}', **config) == '{"who": "<PERSON>"}'


def test_a_long_text_is_analysed_in_pieces(model: str) -> None:
    text = "nothing to see here. " * 6_000 + "Jane Doe"
    assert said(text, presidio={"models": {"en": model}}).endswith("here. <PERSON>")


def test_a_detector_of_names_can_be_switched_off(model: str) -> None:
    config: dict[str, Any] = {"presidio": {"models": {"en": model}}, "detectors": {"person": {"enabled": False}}}
    assert said("Jane Doe in Seoul", **config) == "Jane Doe in <LOCATION>"


def test_a_model_that_is_not_installed_is_not_downloaded() -> None:
    with pytest.raises(StartError, match="the spaCy model xx_none is not installed"):
        Running(presidio={"models": {"en": "xx_none"}})


def test_an_entity_that_the_models_do_not_know_stops_the_start(model: str) -> None:
    with pytest.raises(StartError, match="the models know no spaceship; they know"):
        Running(presidio={"models": {"en": model}, "entities": ["spaceship"]})
