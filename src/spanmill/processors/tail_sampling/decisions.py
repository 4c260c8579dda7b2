"""What tail sampling decided, as entries of its log, and their bytes."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
import orjson

_HEADER: Final = struct.Struct("<I")
DROPPED_BY_NONE: Final = -1
"""In place of a policy's number: the trace is dropped."""


@dataclass(frozen=True, slots=True)
class Pass:
    """One decision about all traces that were due. Applied to the same records, it leads to the same state."""

    number: int
    """Ascending from 1."""
    upto: int
    """The last record that had been taken in when it was made."""
    ids: np.ndarray
    """(n, 2) uint64: the traces, see `trace_index.trace_ids`."""
    rejected: np.ndarray
    """uint64, in units of 2^-56: the probability with which each, given that it arrived, would have been dropped."""
    policies: np.ndarray
    """int16: the number of the policy that keeps it; -1: none does."""
    forgotten_kept: int
    """So many of the oldest decisions to keep are forgotten, and of those to drop: late spans are decided anew."""
    forgotten_dropped: int
    limits: Mapping[str, Any]
    """State of the policies behind it, as far as it changes: what `Policies.changes` gives."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Evaluations that came in."""

    ids: np.ndarray
    scores: np.ndarray
    """float32, 0 to 1; not a number where there is none."""
    negative: np.ndarray


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that the entries before it say, as far as it matters: a log begins with one."""

    number: int
    """Of the last pass."""
    upto: int
    """Rows of records up to this one wait only where their trace is pending here, from the record on that it names."""
    journal: str
    """Identity of the journal that sequences are about."""
    names: list[str]
    """Of the policies, by number."""
    limits: Mapping[str, Any]
    """State of the policies: what `Policies.state` gives."""
    kept: np.ndarray
    """Traces, the oldest decision first."""
    kept_rejected: np.ndarray
    kept_policies: np.ndarray
    dropped: np.ndarray
    pending: np.ndarray
    pending_from: np.ndarray
    """int64: the record with the trace's first span; beyond all records where none has come."""
    pending_scores: np.ndarray
    pending_negative: np.ndarray


Entry = Pass | Scores | Snapshot
_KINDS: Final[Mapping[str, type[Entry]]] = {"pass": Pass, "scores": Scores, "snapshot": Snapshot}
_NAMES: Final = {kind: name for name, kind in _KINDS.items()}


def encode(entry: Entry) -> bytes:
    """The entry as bytes: a line of JSON with the numbers, the types and shapes of the arrays, then these."""
    values = {each.name: getattr(entry, each.name) for each in fields(entry)}
    arrays = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
    header = orjson.dumps(
        {
            "kind": _NAMES[type(entry)],
            "values": {name: value for name, value in values.items() if name not in arrays},
            "arrays": [(name, array.dtype.str, array.shape) for name, array in arrays.items()],
        }
    )
    return b"".join([_HEADER.pack(len(header)), header, *(array.tobytes() for array in arrays.values())])


def decode(data: bytes) -> Entry:
    """What `encode` was given. Raises `KeyError`, `ValueError` for anything else."""
    (length,) = _HEADER.unpack_from(data)
    header, offset = orjson.loads(data[_HEADER.size : _HEADER.size + length]), _HEADER.size + length
    values = header["values"]
    for name, kind, shape in header["arrays"]:
        count = int(np.prod(shape))
        values[name] = np.frombuffer(data, kind, count, offset).reshape(shape)
        offset += values[name].nbytes
    return _KINDS[header["kind"]](**values)
