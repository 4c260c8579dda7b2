"""The `include` and `exclude` blocks of the attributes processor: which rows of a batch they mean."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.batch import Batch
from spanmill.config.actions import AttributeMatch, LibraryMatch, Match, SeverityMatch
from spanmill.otlp import attributes as columns
from spanmill.otlp.anyvalue import values_to_text
from spanmill.signal import Signal

_TEXT_COLUMNS = {
    "services": ("service_name", frozenset(Signal)),
    "span_names": ("name", frozenset({Signal.TRACES})),
    "span_kinds": ("kind", frozenset({Signal.TRACES})),
    "log_bodies": ("body", frozenset({Signal.LOGS})),
    "log_severity_texts": ("severity_text", frozenset({Signal.LOGS})),
    "metric_names": ("name", frozenset({Signal.METRICS})),
}
"""Key of the block to the public column and the signals that have it."""


def matching_rows(match: Match, batch: Batch) -> np.ndarray:
    """For each row whether every list given matches. A list about another signal than the batch's matches nothing."""
    regexp = match.match_type == "regexp"
    found = np.ones(len(batch), dtype=bool)
    for key, (column, signals) in _TEXT_COLUMNS.items():
        wanted = getattr(match, key)
        if not wanted:
            continue
        if batch.signal not in signals:
            return np.zeros(len(batch), dtype=bool)
        if key == "span_kinds":
            wanted = tuple(kind.lower().removeprefix("span_kind_") for kind in wanted)
        found &= _any_text(batch.column(column), wanted, regexp)
    if match.log_severity_number is not None:
        found &= _severity(match.log_severity_number, batch)
    for wanted in match.attributes:
        found &= _attribute(batch.records.column("attributes"), wanted, regexp)
    found &= _envelope(match, batch, regexp)
    return found


def _envelope(match: Match, batch: Batch, regexp: bool) -> np.ndarray:
    """What is asked of resource and scope, worked out once for each distinct one."""
    resource, scope = batch.records.column("resource"), batch.records.column("scope")
    wanted_resources = np.ones(len(resource.dictionary), dtype=bool)
    for wanted in match.resources:
        wanted_resources &= _attribute(resource.dictionary.field("resource").field("attributes"), wanted, regexp)
    wanted_scopes = np.full(len(scope.dictionary), not match.libraries)
    for library in match.libraries:
        wanted_scopes |= _library(scope.dictionary.field("scope"), library, regexp)
    return np.asarray(wanted_resources[resource.indices.to_numpy()] & wanted_scopes[scope.indices.to_numpy()])


def _attribute(attributes: pa.ListArray, wanted: AttributeMatch, regexp: bool) -> np.ndarray:
    found = columns.has(attributes, wanted.key)
    if wanted.value is None:
        return found
    values = columns.get(attributes, wanted.key)
    if regexp:
        return _both(found, _any_text(values_to_text(values), (str(wanted.value),), regexp=True))
    kind, value = _kind(wanted.value)
    return _both(found, _true(pc.equal(values.flatten()[values.type.get_field_index(kind)], value)))


def _kind(value: Any) -> tuple[str, Any]:
    """The child of AnyValue that holds values of this type: 1 and "1" and 1.0 are not the same."""
    if isinstance(value, bool):
        return "bool_value", value
    return {str: "string_value", int: "int_value", float: "double_value"}[type(value)], value


def _library(scopes: pa.StructArray, wanted: LibraryMatch, regexp: bool) -> np.ndarray:
    found = _any_text(scopes.field("name"), (wanted.name,), regexp)
    if wanted.version is None:
        return found
    return _both(found, _any_text(scopes.field("version"), (wanted.version,), regexp))


def _severity(wanted: SeverityMatch, batch: Batch) -> np.ndarray:
    if batch.signal is not Signal.LOGS:
        return np.zeros(len(batch), dtype=bool)
    numbers = batch.column("severity_number")
    found = _true(pc.greater_equal(numbers, wanted.min))
    undefined = _true(pc.equal(numbers, 0))
    return np.asarray(found | undefined) if wanted.match_undefined else _both(found, ~undefined)


def _any_text(texts: pa.StringArray, wanted: Sequence[str], regexp: bool) -> np.ndarray:
    """Where the text equals one of `wanted`, or one of them is found in it; null matches nothing."""
    if not regexp:
        return _true(pc.is_in(texts, pa.array(wanted, pa.string())))
    found = np.zeros(len(texts), dtype=bool)
    for pattern in wanted:
        found |= _true(pc.match_substring_regex(texts, pattern))
    return found


def _both(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.asarray(left & right)


def _true(values: pa.BooleanArray) -> np.ndarray:
    return np.asarray(pc.fill_null(values, False).to_numpy(zero_copy_only=False))
