"""Which rows are judged: by a hash of their ids, so that every machine and every replay chooses the same ones.

Each evaluator chooses for itself, independently of the others and of the sampling of traces, which goes by the bits of
the trace id themselves.
"""

import hashlib
from typing import Final

import numpy as np
import pyarrow as pa

from spanmill.arrays import words

_ALL: Final = 2**64


def inclusion_probability(share: float) -> float:
    """The probability with which `chosen` takes a row: the share, in steps of 2**-64."""
    return _threshold(share) / _ALL


def chosen(ids: pa.StringArray, share: float, evaluator: str) -> np.ndarray:
    """For each row whether it is chosen, as booleans.

    `ids` are span ids or, to choose whole traces, trace ids, in hex. A row without an id is never chosen: nothing can
    be said about it later.
    """
    ids = ids.cast(pa.string())
    there = np.asarray(ids.is_valid().to_numpy(zero_copy_only=False))
    threshold = _threshold(share)
    if threshold == _ALL or not there.any():
        return there
    salt = int.from_bytes(hashlib.blake2b(evaluator.encode(), digest_size=8).digest(), "big")
    taken: np.ndarray = there & (_hashes(ids, salt) < np.uint64(threshold))
    return taken


def _threshold(share: float) -> int:
    return min(max(round(share * _ALL), 0), _ALL)


def _hashes(ids: pa.StringArray, salt: int) -> np.ndarray:
    """A number of 64 bits for each id, of the id and the salt alone; any number for null."""
    hashes = np.full(len(ids), salt, np.uint64)
    for word in _words(ids).T:
        hashes = np.where(word == 0, hashes, _mixed(hashes ^ word))
    return hashes


def _words(ids: pa.StringArray) -> np.ndarray:
    """A row for each id: its bytes, eight in a number, with zeros behind them."""
    found = words(ids)
    if found is not None:  # hex ids, none missing
        return found
    texts = [text.encode() for text in ids.fill_null("").to_pylist()]
    width = max(-(-max(map(len, texts)) // 8), 1) * 8
    data = np.frombuffer(b"".join(text.ljust(width, b"\0") for text in texts), np.uint8)
    return np.asarray(data.view("<u8").reshape(len(ids), width // 8))


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """Each bit of the result depends on every bit of the number (the finalizer of SplitMix64)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = numbers ^ (numbers >> np.uint64(31))
    return mixed
