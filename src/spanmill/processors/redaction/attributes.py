"""Redaction of attribute columns: what goes by key goes unread, what stays is masked by what is in it."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.otlp import attributes as columns
from spanmill.otlp.collector_texts import as_texts, strings
from spanmill.processors.redaction.config import RedactionProcessorConfig
from spanmill.processors.redaction.keys import KeyRules, Treatment
from spanmill.processors.redaction.summary import Outcome, Outcomes, Summary
from spanmill.processors.redaction.values import ValueRules


class AttributeRedaction:
    """Takes a `list<KeyValue>` column and gives it redacted, with the summary; the same one if there was nothing to do.

    What is nested in arrays and maps is not looked into, but with `redact_all_types` in their text form.
    """

    def __init__(self, config: RedactionProcessorConfig) -> None:
        self._keys, self._values = KeyRules(config), ValueRules(config)
        self._summary = Summary(config.summary)
        self._texts = as_texts if config.redact_all_types else strings

    def __call__(self, attributes: pa.ListArray) -> pa.ListArray:
        entries = attributes.flatten()
        if len(entries) == 0:
            return attributes
        keys, rows = entries.field("key"), columns.entry_rows(attributes)
        treatment = self._keys.of_attributes(keys)
        allowed, masked, texts = self._masked(entries.field("value"), treatment)
        removed, ignored = treatment == Treatment.REMOVE, treatment == Treatment.IGNORE
        outcomes = Outcomes(*(_outcome(rows, keys, chosen) for chosen in (removed, masked, allowed, ignored)))
        if masked.any():
            attributes = columns.replace(attributes, masked, columns.any_values("string_value", texts))
        return self._summary.added(columns.remove(attributes, removed), outcomes)

    def _masked(self, values: pa.StructArray, treatment: np.ndarray) -> tuple[np.ndarray, np.ndarray, pa.StringArray]:
        """Which entries are allowed because of their value, which are masked, and what the latter are then."""
        allowed, masked = np.zeros(len(values), bool), np.zeros(len(values), bool)
        searched = (treatment == Treatment.SEARCH) & self._values.search
        read = np.flatnonzero(searched | (treatment == Treatment.HIDE))
        texts = self._texts(values if len(read) == len(values) else values.take(pa.array(read)))
        found = self._values.allowed(texts)
        allowed[read[found]] = True
        hide = (treatment[read] == Treatment.HIDE) & ~found
        new = self._values.masked(texts)
        changed = ~found & ~hide
        changed &= np.zeros(len(read), bool) if new is texts else _differ(new, texts)
        if hide.any():
            new = pc.replace_with_mask(new, pa.array(hide), self._values.hidden(texts.filter(pa.array(hide))))
        masked[read[changed | hide]] = True
        return allowed, masked, new.filter(pa.array(changed | hide))


def _differ(one: pa.StringArray, other: pa.StringArray) -> np.ndarray:
    return np.asarray(pc.not_equal(one, other).to_numpy(zero_copy_only=False))


def _outcome(rows: np.ndarray, keys: pa.StringArray, chosen: np.ndarray) -> Outcome:
    return Outcome(rows[chosen], keys.filter(pa.array(chosen)))
