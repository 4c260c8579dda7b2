"""Names and places in texts, as Presidio's spaCy recogniser sees them. Slow: about 0.25 MB/s, where patterns take 200.

Nothing is fetched from anywhere: a model that is not installed is an error.
"""

import re
import threading
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.pii.detector import Detector
from spanmill.pii.finder import Findings
from spanmill.pii.overlaps import without_overlaps
from spanmill.pii.text_masking import Finds
from spanmill.processors.pii_masking.config import Presidio

_PIECE_CHARACTERS: Final = 50_000
"""Longer texts are analysed in pieces: spaCy takes 1,000,000 characters at most, and gigabytes for them."""
_LETTERS: Final = r"\pL\pL"
_WORD: Final = re.compile(r"\s+")


class FinderOfNamesToo:
    """What a finder finds, and names; where these overlap, what is longer stays whole. Implements `Finds`. Building it
    raises ValueError, in words for users."""

    def __init__(self, finder: Finds, config: Presidio, without: frozenset[str]) -> None:
        self._patterns = finder
        self._first_name = len(finder.detectors)
        self._entities = [entity for entity in config.entities if entity not in without]
        self._recognise = _recogniser(tuple(config.models.items()), config.min_score)
        unknown = sorted(set(self._entities) - self._recognise.entities)
        if unknown:
            known = ", ".join(sorted(self._recognise.entities))
            raise ValueError(f"presidio.entities: the models know no {', '.join(unknown)}; they know {known}")
        self.detectors = (*finder.detectors, *(Detector(entity, ()) for entity in self._entities))

    def worth_searching(self, texts: pa.StringArray) -> npt.NDArray[np.bool_]:
        """A name may be wherever two letters are."""
        has_letters = pc.fill_null(pc.match_substring_regex(texts, _LETTERS), False).to_numpy(zero_copy_only=False)
        answer: npt.NDArray[np.bool_] = has_letters | self._patterns.worth_searching(texts)
        return answer

    def find(self, texts: pa.StringArray) -> Findings:
        """Each distinct text is analysed once."""
        found = [tuple(finding) for finding in np.column_stack(self._patterns.find(texts)).tolist()]
        distinct = texts.dictionary_encode()
        names = {
            index: list(self._names(text))
            for index, text in enumerate(distinct.dictionary.to_pylist())
            if text is not None
        }
        for row, index in enumerate(distinct.indices.to_pylist()):
            found += [(row, *name) for name in names.get(index, ())]
        resolved = [
            (row, *finding)
            for row, group in groupby(sorted(found), key=lambda finding: finding[0])
            for finding in without_overlaps([(start, end, which) for _, start, end, which in group])
        ]
        return Findings(*np.ascontiguousarray(np.array(resolved, np.int64).reshape(-1, 4).T))

    def _names(self, text: str) -> Iterator[tuple[int, int, int]]:
        """Byte offsets and the detector of each name; a name may come twice, from two languages."""
        for start, end, entity in self._recognise(text, self._entities):
            begin = len(text[:start].encode())
            yield begin, begin + len(text[start:end].encode()), self._first_name + self._entities.index(entity)


class _Recogniser:
    """Presidio with the models of some languages. One thread at a time: spaCy does not promise to bear more."""

    def __init__(self, models: tuple[tuple[str, str], ...], min_score: float) -> None:
        self._languages = [language for language, _ in models]
        self._min_score = min_score
        self._analyzer = _analyzer(models)
        self._lock = threading.Lock()
        self.entities = frozenset(
            entity.lower()
            for language in self._languages
            for entity in self._analyzer.get_supported_entities(language=language)
        )

    def __call__(self, text: str, entities: list[str]) -> Iterator[tuple[int, int, str]]:
        """Where names are in a text, in characters."""
        wanted = [entity.upper() for entity in entities]
        for offset, piece in _pieces(text):
            for language in self._languages:
                with self._lock:
                    found = self._analyzer.analyze(
                        text=piece, language=language, entities=wanted, score_threshold=self._min_score
                    )
                for result in found:
                    yield offset + result.start, offset + result.end, result.entity_type.lower()


@cache
def _recogniser(models: tuple[tuple[str, str], ...], min_score: float) -> _Recogniser:
    """One for all pipelines: a model takes half a gigabyte."""
    return _Recogniser(models, min_score)


def _analyzer(models: tuple[tuple[str, str], ...]) -> Any:
    try:
        import spacy
        from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
        from presidio_analyzer.nlp_engine import SpacyNlpEngine
    except ImportError:
        raise ValueError("`presidio` needs a package that is not installed: pip install 'spanmill[presidio]'") from None
    for language, model in models:
        if not (spacy.util.is_package(model) or Path(model).exists()):
            hint = f"python -m spacy download {model}"
            raise ValueError(f"presidio.models.{language}: the spaCy model {model} is not installed: {hint}")
    languages = [language for language, _ in models]
    engine = SpacyNlpEngine(models=[{"lang_code": language, "model_name": model} for language, model in models])
    engine.load()
    registry = RecognizerRegistry(recognizers=[], supported_languages=languages)
    registry.add_nlp_recognizer(nlp_engine=engine)
    return AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=languages)


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """A long text in pieces that end between words where they can, each with its offset in characters."""
    start = 0
    while start < len(text):
        end = start + _PIECE_CHARACTERS
        if end < len(text):
            gaps = [gap.end() for gap in _WORD.finditer(text, end - 1000, end)]
            end = gaps[-1] if gaps else end
        yield start, text[start:end]
        start = end
