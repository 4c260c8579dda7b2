"""Texts on their way out: masked, and as keys by which duplicates are known."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import orjson
import pyarrow as pa

from spanmill.pii.detectors import CATALOGUE
from spanmill.pii.finder import Finder
from spanmill.pii.masker import Masker

_SPACE: Final = re.compile(r"\s+")


class Masking:
    """Masks values by name of their column with the default detectors. Counts what it masked."""

    def __init__(self, *, enabled: bool = True) -> None:
        self._masker = Masker(Finder(CATALOGUE), mask_keys=True) if enabled else None
        self.counts: Counter[str] = Counter()

    def column(self, name: str, values: Sequence[Any]) -> list[Any]:
        """The values with personal data and secrets in their texts replaced; lists and objects stay such."""
        if self._masker is None:
            return list(values)
        texts = pa.array([_as_text(value) for value in values], pa.string())
        masked = self._masker.mask_values(pa.array([name] * len(values), pa.string()), texts)
        self.counts += masked.counts
        return [
            value if text is None else _as_value(text) if isinstance(value, list | dict) else text
            for value, text in zip(values, masked.texts.to_pylist(), strict=True)
        ]


def content_key(values: Sequence[Any]) -> bytes:
    """16 bytes; equal for contents whose texts differ in case, width of characters and white space only."""
    folded = orjson.dumps(_folded(values), option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(folded, digest_size=16).digest()


def _folded(value: Any) -> Any:
    if isinstance(value, str):
        return _SPACE.sub(" ", unicodedata.normalize("NFKC", value).casefold()).strip()
    if isinstance(value, dict):
        return {key: _folded(each) for key, each in value.items()}
    return [_folded(each) for each in value] if isinstance(value, list | tuple) else value


def parsed(text: Any) -> Any:
    """Messages and documents, which columns hold as JSON, as they are; any other text as text."""
    if isinstance(text, str) and text.lstrip()[:1] in ("[", "{"):
        return _as_value(text)
    return text


def _as_text(value: Any) -> str | None:
    """What is masked of a value; None where it holds no text."""
    if isinstance(value, str):
        return value
    return _json(value) if isinstance(value, list | dict) else None


def _as_value(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
