"""The actions of the attributes and resource processors as functions over `list<KeyValue>` columns."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.config.actions import Action
from spanmill.otlp import attributes as columns
from spanmill.processors.attributes import values
from spanmill.processors.attributes.patterns import without_unnamed_groups

Step = Callable[[pa.ListArray, np.ndarray], pa.ListArray]
"""Takes an attribute column and for each row whether to change it; gives the changed column."""
Change = Callable[[pa.StructArray], pa.StructArray]
"""Makes other AnyValues of AnyValues."""


def compile_actions(actions: Sequence[Action]) -> tuple[Step, ...]:
    """A step for each action, in order. Their patterns must be ones that RE2 takes."""
    return tuple(_step(action) for action in actions)


def apply(steps: Sequence[Step], attributes: pa.ListArray, rows: np.ndarray) -> pa.ListArray:
    """All steps, each on what the one before it left."""
    for step in steps:
        attributes = step(attributes, rows)
    return attributes


def _step(action: Action) -> Step:
    match action.action:
        case "delete":
            return partial(_over_entries, action=action, change=None)
        case "hash":
            return partial(_over_entries, action=action, change=values.sha1)
        case "convert":
            return partial(_over_entries, action=action, change=partial(values.convert, to=action.converted_type or ""))
        case "extract":
            return partial(_extract, key=action.key or "", pattern=without_unnamed_groups(action.pattern or ""))
        case _:
            written = action.value if action.from_attribute is None else action.default_value
            return partial(_set, action=action, constant=None if written is None else columns.constant(written))


def _over_entries(attributes: pa.ListArray, rows: np.ndarray, action: Action, change: Change | None) -> pa.ListArray:
    """Put the values of the entries under `key`, and of those whose key `pattern` is found in, through `change`.

    Without `change` remove the entries.
    """
    chosen = np.zeros(len(attributes.flatten()), dtype=bool)
    if action.key is not None:
        chosen |= columns.entries_with_key(attributes, action.key)
    if action.pattern is not None and action.action != "convert":
        chosen |= columns.entries_with_key_matching(attributes, without_unnamed_groups(action.pattern))
    chosen &= rows[columns.entry_rows(attributes)]
    if not chosen.any():
        return attributes
    if change is None:
        return columns.remove(attributes, chosen)
    return columns.replace(attributes, chosen, change(attributes.flatten().field("value").filter(pa.array(chosen))))


def _set(attributes: pa.ListArray, rows: np.ndarray, action: Action, constant: pa.StructArray | None) -> pa.ListArray:
    """Insert, update or upsert. `constant` is `value`, or with `from_attribute` the `default_value`."""
    assert action.key is not None
    if action.action != "upsert":
        there = columns.has(attributes, action.key)
        rows = rows & (there if action.action == "update" else ~there)
    if not rows.any():
        return attributes
    source = None if constant is None else columns.repeated(constant, len(attributes))
    if action.from_attribute is not None:
        found = columns.has(attributes, action.from_attribute)
        values = columns.get(attributes, action.from_attribute)
        if source is None:
            rows = rows & found
        source = values if source is None else pc.if_else(pa.array(found), values, source)
    return columns.put(attributes, action.key, source, rows)


def _extract(attributes: pa.ListArray, rows: np.ndarray, key: str, pattern: str) -> pa.ListArray:
    """Set an attribute for each named group, where the value is a text in which the pattern is found."""
    texts = columns.get(attributes, key).flatten()[0]
    groups = pc.extract_regex(texts, pattern)
    matched = rows & groups.is_valid().to_numpy(zero_copy_only=False)
    if not matched.any():
        return attributes
    for field, group in zip(groups.type, groups.flatten(), strict=True):
        attributes = columns.put(attributes, field.name, columns.any_values("string_value", group), matched)
    return attributes
