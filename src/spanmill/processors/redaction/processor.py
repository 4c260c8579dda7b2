"""The redaction processor."""

import pyarrow as pa

from spanmill.arrays import relisted
from spanmill.batch import Batch
from spanmill.component import Settings
from spanmill.otlp.attributes import with_attributes
from spanmill.processors.redaction.attributes import AttributeRedaction
from spanmill.processors.redaction.bodies import BodyRedaction
from spanmill.processors.redaction.config import RedactionProcessorConfig
from spanmill.processors.redaction.filled import FilledColumns
from spanmill.processors.redaction.summary import OF_BODIES, Summary
from spanmill.schema.inverse.messages import with_fields
from spanmill.signal import Signal


class RedactionProcessor:
    """Redacts what the Collector's processor of this name redacts: the attributes of resources, scopes, spans, span
    events, log records and data points, and log bodies. Links, exemplars, names and messages stay. Pure; any signal.
    """

    def __init__(self, config: RedactionProcessorConfig, settings: Settings) -> None:
        self._attributes, self._bodies = AttributeRedaction(config), BodyRedaction(config)
        self._summary, self._filled = Summary(config.summary), FilledColumns(config)

    def __call__(self, batch: Batch) -> Batch:
        for name in ("resource", "scope"):
            batch = self._envelopes(batch, name)
        before = batch.records.column("attributes")
        batch = _with(batch, "attributes", before, self._attributes(before))
        if batch.signal is Signal.TRACES:
            batch = self._events(batch)
        elif batch.signal is Signal.LOGS:
            batch = self._log_bodies(batch)
        return self._filled(batch)

    def _envelopes(self, batch: Batch, name: str) -> Batch:
        """Resources or scopes, each distinct one once."""
        column = batch.records.column(name)
        envelopes = column.dictionary
        messages = envelopes.field(name)
        before = messages.field("attributes")
        after = self._attributes(before)
        if after is before:
            return batch
        changed = with_fields(envelopes, **{name: with_attributes(messages, after)})
        return batch.with_record_column(name, pa.DictionaryArray.from_arrays(column.indices, changed))

    def _events(self, batch: Batch) -> Batch:
        lists = batch.records.column("events")
        events = lists.flatten()
        before = events.field("attributes")
        after = self._attributes(before)
        if after is before:
            return batch
        return batch.with_record_column("events", relisted(lists, with_fields(events, attributes=after)))

    def _log_bodies(self, batch: Batch) -> Batch:
        """The summary of a body is among the attributes of its log record."""
        bodies = batch.records.column("body")
        redacted = self._bodies(bodies)
        batch = _with(batch, "body", bodies, redacted.bodies)
        before = batch.records.column("attributes")
        after = self._summary.added(before, redacted.outcomes, OF_BODIES, redacted.mentioned)
        return _with(batch, "attributes", before, after)


def _with(batch: Batch, name: str, before: pa.Array, after: pa.Array) -> Batch:
    return batch if after is before else batch.with_record_column(name, after)
