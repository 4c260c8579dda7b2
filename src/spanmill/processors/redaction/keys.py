"""What is to become of an attribute because of its key."""

from collections.abc import Sequence
from enum import IntEnum
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.processors.redaction.config import RedactionProcessorConfig
from spanmill.processors.redaction.summary import SUMMARY_KEYS


class Treatment(IntEnum):
    """Each key has one."""

    SEARCH = 0
    """It stays, and its value is searched for what is blocked."""
    LEAVE = 1
    """It stays as it is, and is not mentioned: an attribute of a summary."""
    IGNORE = 2
    """It stays as it is."""
    REMOVE = 3
    HIDE = 4
    """It stays, and its whole value is masked."""


_CODES: Final = np.uint8


class KeyRules:
    """`allowed_keys`, `ignored_keys` and the patterns of keys."""

    def __init__(self, config: RedactionProcessorConfig) -> None:
        self._config = config

    def of_attributes(self, keys: pa.StringArray) -> np.ndarray:
        """The `Treatment` of each key. Those of a summary are left alone, though `silent` disowns them: they are then
        removed like any other unless they are allowed."""
        distinct = keys.dictionary_encode()
        treatment = self._treatment(distinct.dictionary)
        summaries = _among(distinct.dictionary, SUMMARY_KEYS)
        if self._config.summary == "silent":
            removed = summaries & ~self._allowed(distinct.dictionary)
            treatment[removed] = Treatment.REMOVE
            summaries &= ~removed
        treatment[summaries] = Treatment.LEAVE
        return np.asarray(treatment[distinct.indices.to_numpy()])

    def of_maps(self, keys: pa.StringArray) -> np.ndarray:
        """The same for keys in log bodies, where those of a summary are like any other."""
        distinct = keys.dictionary_encode()
        return np.asarray(self._treatment(distinct.dictionary)[distinct.indices.to_numpy()])

    def _treatment(self, keys: pa.StringArray) -> np.ndarray:
        treatment = np.full(len(keys), Treatment.SEARCH, _CODES)
        treatment[_matching(keys, self._config.blocked_key_patterns)] = Treatment.HIDE
        treatment[~self._allowed(keys)] = Treatment.REMOVE
        ignored = _among(keys, self._config.ignored_keys) | _matching(keys, self._config.ignored_key_patterns)
        treatment[ignored] = Treatment.IGNORE
        return treatment

    def _allowed(self, keys: pa.StringArray) -> np.ndarray:
        if self._config.allow_all_keys:
            return np.ones(len(keys), bool)
        return _among(keys, self._config.allowed_keys)


def _among(keys: pa.StringArray, listed: Sequence[str]) -> np.ndarray:
    return np.asarray(pc.is_in(keys, pa.array(listed, pa.string())).to_numpy(zero_copy_only=False))


def _matching(keys: pa.StringArray, patterns: Sequence[str]) -> np.ndarray:
    found = np.zeros(len(keys), bool)
    for pattern in patterns:
        found |= pc.match_substring_regex(keys, pattern).to_numpy(zero_copy_only=False)
    return found
