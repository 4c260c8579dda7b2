"""Writes `pii-accuracy.md`, the page of figures, into a directory: `python -m tests.pii.dataset.document [docs]`."""

import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import fill
from typing import Final

from spanmill.pii.detectors import CATALOGUE
from spanmill.pii.finder import Finder
from tests.pii.dataset.aims import PRECISION, REACHED, recall_aim
from tests.pii.dataset.generator import DETECTORS, LANGUAGES, SEED, TEXTS, samples
from tests.pii.dataset.measuring import Counts, Measures, measured
from tests.pii.dataset.negatives import FAMILIES

PAGE: Final = "pii-accuracy.md"
_NAMES: Final = {"en": "English", "ko": "Korean", "ja": "Japanese"}
_INTRODUCTION: Final = """\
# How much personal data is found

<!-- Written by `python -m tests.pii.dataset.document`; change the detectors or the data set instead. -->

Measured on generated texts, as no real data may be published; `make docs` measures again. The generator, in
`tests/pii/dataset/`, shares no pattern and no checksum with the detectors. Names, sentences, and part of the e-mail
addresses and telephone numbers are by Faker (en_US, en_GB, ko_KR, ja_JP; numbers of fr_FR and de_DE too). Values are
written with and without separators, in full-width digits, with other dashes, with country codes, in capitals and small
letters; they stand in sentences, with Korean and Japanese particles right behind them, in chats, JSON, JSON in JSON,
logs, URLs (percent-encoded), SQL, CSV, Markdown, YAML, XML, code and stack traces, and beside things that are no
personal data. Forms that nobody could tell without a word for them, such as nine digits alone, only stand where there
is such a word: in the same sentence, as the key, or as the head of the column.
"""
_READING: Final = """\
A value counts as found if its detector covers at least 90 % of its characters; a finding counts as right if at least
90 % of its characters belong to a value of its detector. *Covered* is the share of characters that any detector found,
so that they are masked, if under another name; *exact* the share of found characters that belong to any value.
Precision depends on how often there is something to find: it is far more often here than in most telemetry, so look at
the false findings per 1,000 texts too.
"""
_LIMITS: Final = """\
## What the figures do not say

- Values are as generated: people err and improvise in more ways. Detectors have been improved on what they missed here,
  so figures on real text are lower, above all where a word beside a number is needed: words that are not in the data
  set may not be known.
- Where a value has no separators, it is only found near a word for it. In a long row of CSV or SQL the head of the
  column is too far away.
- Telephone numbers are searched in international, United States, Korean and Japanese form. Numbers as they are written
  within other countries, without `+` or `00`, are neither searched nor in the data set.
- Names and postal addresses are not searched; e-mail addresses in domains that are not ASCII are not in the data set.
- Texts are searched here as they stand. In a pipeline JSON is decoded first and keys such as `password` are known, so
  more is found there; the data set has no full-width digits behind `\\u` escapes for that reason.
- A number without separators whose check digit is right by chance is found where it stands for something else: one in
  ten of those that have the form.
"""


def page(measures: Measures) -> str:
    sections = (_overall(measures), (_READING,), _aims(measures), _detectors(measures), _negatives(measures))
    return "\n".join([_INTRODUCTION, *(line for section in sections for line in section), _LIMITS])


def _overall(measures: Measures) -> Iterator[str]:
    texts, negative = sum(measures.texts.values()), measures.negative_texts
    yield f"{texts:,} texts, seed {SEED}; {negative:,} of them have nothing to find.\n"
    yield "| language | texts | values | recall | precision | covered | exact |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for language in (*LANGUAGES, None):
        counts = measures.of(language=language)
        name = _NAMES[language] if language else "all"
        yield f"| {name} | {measures.texts[language] if language else texts:,} | {_figures(counts)} |"
    yield ""


def _figures(counts: Counts) -> str:
    shares = (counts.recall, counts.precision, counts.character_recall, counts.character_precision)
    return " | ".join([f"{counts.values:,}", *map(_share, shares)])


def _share(share: float) -> str:
    """Rounded down: 1.000 is all of them."""
    return f"{int(share * 1000) / 1000:.3f}"


def _aims(measures: Measures) -> Iterator[str]:
    yield "## What is aimed at\n"
    yield "Recall of at least 0.99 for what has a checksum or a fixed prefix, of 0.97 for the others; precision of at"
    yield f"least {PRECISION} overall. Tests hold every figure: the aim, or, where it is not reached, what is.\n"
    below = [name for name in DETECTORS if measures.of(name).recall < recall_aim(name)]
    for name in below:
        held = f"held at {REACHED[name]}" if name in REACHED else "not held"
        yield f"- `{name}`: {_share(measures.of(name).recall)} of {recall_aim(name)}, {held}."
    precision = measures.of().precision
    if precision < PRECISION:
        yield f"- Precision: {_share(precision)} of {PRECISION}."
    if not below and precision >= PRECISION:
        yield "All are reached."
    yield ""


def _detectors(measures: Measures) -> Iterator[str]:
    yield "## By detector and language\n"
    yield "Recall / precision, and the number of values.\n"
    yield "| detector | English | Korean | Japanese | all | covered | exact |"
    yield "| --- | --- | --- | --- | --- | ---: | ---: |"
    for name in DETECTORS:
        cells = [_cell(measures.of(name, language)) for language in (*LANGUAGES, None)]
        counts = measures.of(name)
        cells += [_share(counts.character_recall), _share(counts.character_precision)]
        yield f"| `{name}` | {' | '.join(cells)} |"
    yield ""


def _cell(counts: Counts) -> str:
    return f"{_share(counts.recall)} / {_share(counts.precision)} ({counts.values:,})"


def _negatives(measures: Measures) -> Iterator[str]:
    yield "## False findings where there is nothing to find\n"
    yield f"{measures.negative_texts:,} texts, most with several things that look like personal data and are none:"
    yield f"{fill(', '.join(FAMILIES), 118)}.\n"
    yield "| detector | false findings per 1,000 texts |"
    yield "| --- | ---: |"
    for name, count in sorted(measures.negative_findings.items(), key=lambda one: (-one[1], one[0])):
        yield f"| `{name}` | {1000 * count / measures.negative_texts:.2f} |"
    total = measures.negative_findings.total()
    yield f"| all | {1000 * total / measures.negative_texts:.2f} |"
    yield "\nDetectors that are not in the table found nothing.\n"


def measured_page() -> str:
    """Of the whole data set and the detectors that come with Spanmill."""
    return page(measured(Finder(CATALOGUE), list(samples(SEED, TEXTS))))


if __name__ == "__main__":
    directory = Path(sys.argv[1] if len(sys.argv) > 1 else "docs")
    (directory / PAGE).write_text(measured_page(), encoding="utf-8")
