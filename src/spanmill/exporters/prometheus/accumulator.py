"""Batches into the store: which series a point belongs to, and what becomes of its value.

Cumulative points replace what is held unless they are older. Delta points are added up: one that ends no later than
what is held, or begins before its end, has been counted already and is dropped; a gap is bridged. A point without a
recorded value removes its series.
"""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from spanmill.exporters.prometheus.exemplars import ExemplarReader
from spanmill.exporters.prometheus.grouping import Envelope, Groups, Metric, group
from spanmill.exporters.prometheus.labels import Labels, Pairs
from spanmill.exporters.prometheus.naming import Naming
from spanmill.exporters.prometheus.readers import READERS, Reader
from spanmill.exporters.prometheus.series import Full, Held, Point, Store
from spanmill.telemetry.exposition import FamilyType

_NO_RECORDED_VALUE = 1
_DELTA, _CUMULATIVE = 1, 2
_RESERVED = {"histogram": "le", "summary": "quantile"}


@dataclass(slots=True)
class Stream:
    """What is known about the points of one envelope. `labels` are those of every attribute list seen so far."""

    metric: Metric
    held: Held | None
    """None: its points are dropped, for `refusal`."""
    refusal: str = ""
    shared: dict[str, str] = field(default_factory=dict)
    info: tuple[tuple[str, Pairs, Pairs], ...] = ()
    labels: dict[bytes, Pairs] = field(default_factory=dict)

    @property
    def is_delta(self) -> bool:
        return self.metric.aggregation_temporality == _DELTA


class Accumulator:
    """Puts batches into a store. One batch at a time."""

    def __init__(self, naming: Naming, labels: Labels, store: Store, *, exemplars: bool, max_cached: int) -> None:
        self._naming = naming
        self._labels = labels
        self._store = store
        self._exemplars = exemplars
        self._max_cached = max_cached
        self._streams: dict[Envelope, Stream] = {}
        self._cached = 0
        self._generation = store.generation

    def consume(self, records: pa.RecordBatch) -> Counter[str]:
        """Take in a batch of metric records. How many points were dropped, by reason."""
        if records.num_rows == 0:
            return Counter()
        groups = group(records)
        with self._store.lock:
            self._store.purge(when_due=True)
            self._forget()
            streams = [self._stream(groups, index) for index in range(len(groups.envelopes))]
            self._label(groups, streams)
            return _Update(self._store, groups, streams, self._exemplars).run()

    def _forget(self) -> None:
        """What is remembered can be found out again: drop it when the store changed under it, or when it grows."""
        if self._generation != self._store.generation or self._cached > self._max_cached:
            self._streams.clear()
            self._cached = 0
            self._generation = self._store.generation

    def _stream(self, groups: Groups, index: int) -> Stream:
        envelope = groups.envelopes[index]
        stream = self._streams.get(envelope)
        if stream is None:
            self._streams[envelope] = stream = self._new_stream(groups, index)
            self._cached += 1
        for name, identity, labels in stream.info:
            self._store.inform(name, identity, labels)
        return stream

    def _new_stream(self, groups: Groups, index: int) -> Stream:
        metric = groups.envelopes[index].metric
        refusal = _refusal(metric)
        if refusal:
            return Stream(metric, None, refusal)
        kind = _family_type(metric)
        name = self._naming.metric(metric.name, metric.unit, kind, metric.type == "gauge")
        # The linter and many readers want help; without a description the name as it was sent is worth knowing.
        help_text = groups.description(index) or metric.name
        try:
            held = self._store.family(name, kind, help_text, self._naming.unit(name, metric.unit))
        except Full:
            return Stream(metric, None, "limit")
        if held is None:
            return Stream(metric, None, "conflict")
        resource, scope = groups.resource(index), groups.scope(index)
        return Stream(metric, held, "", self._labels.shared(resource, scope), tuple(self._infos(resource, scope)))

    def _infos(self, resource: dict[str, str], scope: dict[str, str]) -> list[tuple[str, Pairs, Pairs]]:
        infos = []
        target = self._labels.target(resource)
        target_labels = self._labels.target_info(resource)
        if target_labels:
            infos.append(("target_info", tuple(target.items()), target_labels))
        scope_labels = self._labels.scope(scope)
        if scope_labels and scope.keys() - {"name", "version", "schema_url"}:
            labels = self._labels.series(scope_labels, target | self._labels.constant(), "")
            infos.append(("otel_scope_info", labels, labels))
        return infos

    def _label(self, groups: Groups, streams: list[Stream]) -> None:
        """Find the labels of attribute lists not seen before, all at once."""
        missing: dict[tuple[int, bytes], int] = {}
        for series, (envelope, key) in enumerate(zip(groups.envelope.tolist(), groups.attributes, strict=True)):
            if streams[envelope].held is not None and key not in streams[envelope].labels:
                missing[envelope, key] = int(groups.order[groups.starts[series]])
        if not missing:
            return
        for (envelope, key), attributes in zip(missing, groups.texts(list(missing.values())), strict=True):
            stream = streams[envelope]
            assert stream.held is not None
            stream.labels[key] = self._labels.series(
                attributes, stream.shared, _RESERVED.get(stream.held.family.type, "")
            )
        self._cached += len(missing)


class _Update:
    """The work of one batch: its columns opened once, its series one after the other."""

    def __init__(self, store: Store, groups: Groups, streams: list[Stream], exemplars: bool) -> None:
        records = groups.records
        self._store = store
        self._groups = groups
        self._streams = streams
        self._times = records.column("time_unix_nano").to_numpy().astype(np.int64)
        self._begins = records.column("start_time_unix_nano").to_numpy().astype(np.int64)
        self._stale = (records.column("flags").to_numpy() & _NO_RECORDED_VALUE).astype(bool)
        self._any_stale = bool(self._stale.any())
        self._in_order = self._ordered_groups()
        self._readers: dict[str, Reader] = {}
        self._exemplars = ExemplarReader(records) if exemplars else None
        self._dropped: Counter[str] = Counter()

    def _ordered_groups(self) -> list[bool]:
        """For each series whether its rows, which are sorted by time, lie after each other without overlap."""
        order, starts = self._groups.order, self._groups.starts[:-1]
        ends, begins = self._times[order], self._begins[order]
        previous = np.concatenate((ends[:1], ends[:-1]))
        follows = (ends > previous) & ((begins == 0) | (begins >= previous))
        follows[starts] = True
        ordered: list[bool] = np.logical_and.reduceat(follows, starts).tolist()
        return ordered

    def run(self) -> Counter[str]:
        groups = self._groups
        starts = groups.starts.tolist()
        for index, (envelope, key) in enumerate(zip(groups.envelope.tolist(), groups.attributes, strict=True)):
            stream, rows = self._streams[envelope], groups.order[starts[index] : starts[index + 1]]
            if stream.held is None:
                self._dropped[stream.refusal] += len(rows)
                continue
            try:
                self._put(stream, stream.held, stream.labels[key], rows, self._in_order[index])
            except Full:
                self._dropped["limit"] += len(rows)
        return self._dropped

    def _put(self, stream: Stream, held: Held, labels: Pairs, rows: np.ndarray, in_order: bool) -> None:
        if self._any_stale:
            rows = self._after_stale(held, labels, rows)
        if len(rows) == 0:
            return
        series = held.series.get(labels)
        point = series.point if series is not None else None
        if stream.is_delta:
            earlier = point if series is not None and series.is_delta else None
            new = self._added_up(stream, rows, earlier, in_order)
        else:
            new = self._latest(stream, rows, point)
        if new is not None:
            self._store.put(held, labels, new, stream.is_delta)

    def _after_stale(self, held: Held, labels: Pairs, rows: np.ndarray) -> np.ndarray:
        """Remove the series if one of its points says so; the points after that one."""
        stale = np.flatnonzero(self._stale[rows])
        if not len(stale):
            return rows
        self._store.remove(held, labels)
        return rows[stale[-1] + 1 :]

    def _latest(self, stream: Stream, rows: np.ndarray, held: Point | None) -> Point | None:
        row = int(rows[-1])
        time_ns = int(self._times[row])
        if held is not None and time_ns and time_ns < held.time_ns:
            self._dropped["out_of_order"] += len(rows)
            return None
        value = self._reader(stream).one(row)
        if value is None:
            self._dropped["malformed"] += len(rows)
            return None
        return self._with_exemplars(Point(value, time_ns, {}), stream, rows[-1:], held)

    def _added_up(self, stream: Stream, rows: np.ndarray, held: Point | None, in_order: bool) -> Point | None:
        end = held.time_ns if held is not None else -1
        first = int(rows[0])
        if not (in_order and self._times[first] > end and (self._begins[first] == 0 or self._begins[first] >= end)):
            rows = self._in_sequence(rows, end)
            if len(rows) == 0:
                return None
        reader = self._reader(stream)
        value = reader.one(int(rows[0])) if len(rows) == 1 else reader.fold(rows)
        if value is None:
            self._dropped["malformed"] += len(rows)
            return None
        value = held.value.plus(value) if held is not None else value
        return self._with_exemplars(Point(value, int(self._times[rows[-1]]), {}), stream, rows, held)

    def _in_sequence(self, rows: np.ndarray, end: int) -> np.ndarray:
        """Those of the rows, sorted by time, that lie after each other and after `end`. The others are counted."""
        kept = []
        begins, ends = self._begins[rows].tolist(), self._times[rows].tolist()
        for row, begin, this_end in zip(rows.tolist(), begins, ends, strict=True):
            if this_end <= end:
                self._dropped["out_of_order"] += 1
            elif begin and begin < end:
                self._dropped["overlap"] += 1
            else:
                kept.append(row)
                end = this_end
        return np.array(kept, np.int64)

    def _with_exemplars(self, point: Point, stream: Stream, rows: np.ndarray, held: Point | None) -> Point:
        if self._exemplars is None or stream.held is None or stream.held.family.type not in ("counter", "histogram"):
            return point
        older = held.exemplars if held is not None else {}
        return point._replace(exemplars={**older, **self._exemplars.largest(rows, point.value)})

    def _reader(self, stream: Stream) -> Reader:
        kind = stream.metric.type
        reader = self._readers.get(kind)
        if reader is None:
            self._readers[kind] = reader = READERS[kind](self._groups.records)
        return reader


def _family_type(metric: Metric) -> FamilyType:
    if metric.type == "gauge":
        return "unknown" if metric.prometheus_type == "unknown" else "gauge"
    if metric.type == "sum":
        if metric.is_monotonic:
            return "counter"
        return "info" if metric.prometheus_type == "info" else "gauge"
    return "summary" if metric.type == "summary" else "histogram"


def _refusal(metric: Metric) -> str:
    """Why points of the metric cannot be shown; empty when they can (compatibility specification, "Sums")."""
    if metric.type in ("gauge", "summary"):
        return ""
    if metric.aggregation_temporality not in (_DELTA, _CUMULATIVE):
        return "unspecified_temporality"
    if metric.type == "sum" and metric.aggregation_temporality == _DELTA and not metric.is_monotonic:
        return "delta_not_monotonic"
    return ""
