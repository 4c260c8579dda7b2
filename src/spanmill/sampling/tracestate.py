"""The `ot` member of W3C tracestates: `ot=rv:6e6d1a75832a2f;th:c`, read and written for whole columns.

`rv` is a trace's randomness where it is not in the trace id, `th` the threshold it has passed. Other members and other
keys within `ot` keep their bytes. Work in Python is for each distinct text, not for each row.

Sources: W3C Trace Context, "tracestate Header"; OpenTelemetry specification, "TraceState Handling" (`ot` has at most
256 characters) and "TraceState: Probability Sampling".
"""

import re
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.sampling.carried import Carried, Reading, carried_of
from spanmill.sampling.thresholds import DIGITS, NEVER, format_threshold, parse_threshold
from spanmill.sampling.tracestate_syntax import USUAL, is_wellformed

_FIRST: Final = "ot="
_MOST_OT_CHARACTERS: Final = 256
_MOST_MEMBERS: Final = 32
_RANDOMNESS_CHARACTERS: Final = len("rv:00000000000000;")
_RANDOMNESS: Final = re.compile(r"[0-9a-fA-F]{14}")
_HEX: Final = np.frombuffer(b"".join(b"%02x" % byte for byte in range(256)), np.uint16)


def read(trace_states: pa.StringArray) -> Carried | None:
    """What the `ot` members say; None when no row has one. Of a key that is there twice the last counts."""
    if not _has_characters(trace_states):
        return None
    distinct = trace_states.dictionary_encode()
    if not pc.any(pc.match_substring(distinct.dictionary, "ot=")).as_py():
        return None
    found = [_read_text(text) for text in distinct.dictionary.to_pylist()]
    return carried_of(found, distinct.indices)


def malformed(trace_states: pa.StringArray) -> np.ndarray:
    """For each row whether the Collector's parser refuses the text: the whole of it, whosever member is at fault."""
    if not _has_characters(trace_states):
        return np.zeros(len(trace_states), dtype=bool)
    distinct = trace_states.fill_null("").dictionary_encode()
    wrong = np.array([not is_wellformed(text) for text in distinct.dictionary.to_pylist()], dtype=bool)
    return np.asarray(wrong[distinct.indices.to_numpy()])


def with_sampling(
    trace_states: pa.StringArray, rows: np.ndarray, thresholds: np.ndarray, randomness: np.ndarray | None
) -> pa.StringArray:
    """Set `th` where `rows` is true; `NEVER` erases it. The `ot` member comes first, as W3C asks of what is changed.

    With `randomness`, rows that get a threshold get `rv` too. Where there is no room for this, the threshold is erased:
    it is better unknown than wrong.
    """
    written = _with_thresholds(trace_states, rows, thresholds, leave_room=randomness is not None)
    return written if randomness is None else _with_randomness(written, rows & (thresholds < NEVER), randomness)


def _with_thresholds(
    trace_states: pa.StringArray, rows: np.ndarray, thresholds: np.ndarray, leave_room: bool
) -> pa.StringArray:
    states = trace_states.fill_null("").dictionary_encode()
    written = pa.array(np.where(rows, thresholds, np.uint64(NEVER + 1))).dictionary_encode()
    pairs = pa.array(
        states.indices.to_numpy().astype(np.int64) * len(written.dictionary) + written.indices.to_numpy()
    ).dictionary_encode()
    texts, values = states.dictionary.to_pylist(), written.dictionary.to_pylist()
    distinct = []
    for pair in pairs.dictionary.to_pylist():
        text, threshold = texts[pair // len(values)], values[pair % len(values)]
        distinct.append(text if threshold > NEVER else _with_threshold(text, threshold, leave_room))
    return pa.array(distinct, pa.string()).take(pairs.indices)


def _with_randomness(trace_states: pa.StringArray, rows: np.ndarray, randomness: np.ndarray) -> pa.StringArray:
    """`rv` before the `th` that was just written; where that found no room, neither does this."""
    takes = pc.and_(pa.array(rows, pa.bool_()), pc.starts_with(trace_states, _FIRST + "th:"))
    rest = pc.utf8_slice_codeunits(trace_states, len(_FIRST))
    written = pc.binary_join_element_wise(_FIRST + "rv:", hex_texts(randomness), ";", rest, "")
    return pc.if_else(takes, written, trace_states)


def hex_texts(numbers: np.ndarray) -> pa.StringArray:
    """Numbers (uint64 below 2^56) as 14 hex digits."""
    digits = _HEX[numbers.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 1:]]
    ends = np.arange(len(numbers) + 1, dtype=np.int32) * np.int32(DIGITS)
    return pa.StringArray.from_buffers(len(numbers), pa.py_buffer(ends), pa.py_buffer(np.ascontiguousarray(digits)))


def parse_randomness(text: str) -> int | None:
    """The number that 14 hex digits stand for; None for anything else."""
    return int(text, 16) if _RANDOMNESS.fullmatch(text) else None


def _has_characters(texts: pa.StringArray) -> bool:
    """Whether any row's text has any: most telemetry has no tracestate at all, which must cost nothing."""
    offsets = np.frombuffer(texts.buffers()[1] or b"\0\0\0\0", np.int32)
    return bool(len(texts)) and bool(offsets[texts.offset] != offsets[texts.offset + len(texts)])


def _members(text: str) -> list[str]:
    """The members of a tracestate as they are, without the blanks between them."""
    return [member for part in text.split(",") if (member := part.strip(" \t"))]


def _read_text(text: str) -> Reading:
    if usual := USUAL.fullmatch(text):
        return Reading(parse_threshold(usual["th"]), randomness=int(usual["rv"], 16) if usual["rv"] else None)
    threshold: int | None = None
    randomness: int | None = None
    unreadable = False
    for entry in _entries(_members(text)):
        key, _, value = entry.partition(":")
        if key == "th":
            threshold = parse_threshold(value)
            unreadable = threshold is None
        elif key == "rv":
            randomness = parse_randomness(value)
    return Reading(threshold, unreadable, randomness)


def _entries(members: list[str]) -> list[str]:
    """What the last `ot` member holds, entry by entry."""
    held = [member for member in members if member.startswith(_FIRST)]
    return held[-1].removeprefix(_FIRST).split(";") if held else []


def _with_threshold(text: str, threshold: int, leave_room: bool) -> str:
    if threshold < NEVER and (usual := USUAL.fullmatch(text)):
        return text[: usual.start("th")] + format_threshold(threshold)
    members = _members(text)
    entries = _entries(members)
    if threshold == NEVER and not any(entry.startswith("th:") for entry in entries):
        return text
    others = [member for member in members if not member.startswith(_FIRST)]
    random = [entry for entry in entries if entry.startswith("rv:")][-1:]
    rest = [entry for entry in entries if entry and not entry.startswith(("rv:", "th:"))]
    without = ";".join(random + rest)
    written = without
    if threshold < NEVER:
        written = ";".join([*random, f"th:{format_threshold(threshold)}", *rest])
    if len(written) + leave_room * _RANDOMNESS_CHARACTERS > _MOST_OT_CHARACTERS:
        written = without
    own = [_FIRST + written] if written else []
    if own and len(others) == len(members) >= _MOST_MEMBERS:
        others.pop()  # W3C: a new member takes the place of the last one where there is no room
    return ",".join([*own, *others])
