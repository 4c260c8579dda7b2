"""How much personal data is found on the generated data set; `docs/pii-accuracy.md` has the figures."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from spanmill.pii.detectors import CATALOGUE
from spanmill.pii.finder import Finder
from tests.pii.dataset.aims import PRECISION, REACHED, recall_aim, recall_floor
from tests.pii.dataset.document import PAGE, page
from tests.pii.dataset.generator import DETECTORS, LANGUAGES, samples
from tests.pii.dataset.labelled import Sample
from tests.pii.dataset.measuring import Measures, measured

_DOCS = Path(__file__).parents[3] / "docs"
_PART = 7
"""The quick tests take every seventh text."""
_DEVIATIONS = 2
"""A part has some 100 values of a detector, so more of them may be missed by chance: so many standard deviations."""


def measured_all(texts: Sequence[Sample]) -> Measures:
    return measured(Finder(CATALOGUE), texts)


@pytest.fixture(scope="module")
def part() -> Measures:
    return measured_all(list(samples(every=_PART)))


@pytest.fixture(scope="module")
def whole() -> Measures:
    return measured_all(list(samples()))


def _below(measures: Measures, deviations: float = 0) -> dict[str, float]:
    below = {}
    for name in DETECTORS:
        counts = measures.of(name)
        may_be_missed = counts.values * (1 - recall_floor(name))
        if counts.values - counts.values_found > may_be_missed + deviations * may_be_missed**0.5:
            below[name] = counts.recall
    return below


def test_the_data_set_has_values_of_every_detector_in_every_language(part: Measures) -> None:
    assert set(DETECTORS) == {detector.name for detector in CATALOGUE}
    assert all(part.of(name, language).values >= 15 for name in DETECTORS for language in LANGUAGES)


def test_every_detector_finds_its_share_in_a_part_of_the_data_set(part: Measures) -> None:
    assert _below(part, _DEVIATIONS) == {}


def test_what_is_found_in_a_part_of_the_data_set_is_personal_data(part: Measures) -> None:
    assert part.of().precision >= PRECISION - 0.005


@pytest.mark.torture
def test_every_detector_finds_its_share_of_the_whole_data_set(whole: Measures) -> None:
    assert _below(whole) == {}


@pytest.mark.torture
def test_no_figure_is_excused_that_reaches_its_aim(whole: Measures) -> None:
    assert [name for name in REACHED if whole.of(name).recall >= recall_aim(name)] == []


@pytest.mark.torture
def test_what_is_found_in_the_whole_data_set_is_personal_data(whole: Measures) -> None:
    assert whole.of().precision >= PRECISION


@pytest.mark.torture
def test_the_page_of_figures_is_what_is_measured(whole: Measures) -> None:
    assert (_DOCS / PAGE).read_text(encoding="utf-8") == page(whole), "run `make docs`"
