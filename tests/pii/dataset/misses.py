"""Writes what was missed and what was found wrongly, with examples: `python -m tests.pii.dataset.misses FILE`.

All of it is generated; nobody's data is in it.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from spanmill.pii.detectors import CATALOGUE
from spanmill.pii.finder import Finder
from tests.pii.dataset.generator import samples
from tests.pii.dataset.labelled import Sample
from tests.pii.dataset.measuring import Measures, measured

_EXAMPLES = 10
_AROUND = 60


def lines(measures: Measures) -> Iterator[str]:
    total = measures.of()
    yield f"all: recall {total.recall:.4f} of {total.values}, precision {total.precision:.4f} of {total.findings}"
    for name in sorted({detector for detector, _ in measures.cells}):
        missed = [(sample, label) for sample, label in measures.missed if label.value.detector == name]
        wrong = [(sample, found) for sample, found in measures.wrong if found.detector == name]
        counts = measures.of(name)
        recall, precision = (
            f"{counts.recall:.4f} ({len(missed)} missed)",
            f"{counts.precision:.4f} ({len(wrong)} wrong)",
        )
        yield f"\n## {name}: recall {recall}, precision {precision}"
        forms = Counter(f"{label.value.form} in {sample.kind}" for sample, label in missed)
        if forms:
            yield "missed by form: " + "; ".join(f"{form} x{count}" for form, count in forms.most_common(12))
        yield from (
            f"  missed {_around(sample, label.start, label.end)}  [{label.value.form}]"
            for sample, label in missed[:_EXAMPLES]
        )
        yield from (f"  wrong  {_around(sample, found.start, found.end)}" for sample, found in wrong[:_EXAMPLES])


def _around(sample: Sample, start: int, end: int) -> str:
    marked = (
        f"{sample.text[max(0, start - _AROUND) : start]}«{sample.text[start:end]}»{sample.text[end : end + _AROUND]}"
    )
    return f"{sample.language} {sample.kind}: {marked!r}"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(
        "\n".join(lines(measured(Finder(CATALOGUE), list(samples())))) + "\n", encoding="utf-8"
    )
