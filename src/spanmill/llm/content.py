"""The content columns: what went in and what came out, as OpenTelemetry's messages, whatever form it was sent in.

Messages differ in every row, so this is work for each row that carries content, in Python; `messages` does it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.arrays import places
from spanmill.llm.attribute_index import AttributeIndex
from spanmill.llm.dialect import CONTENT_COLUMNS, ContentSource, load_canonical
from spanmill.llm.messages import documents, dumps, messages, tool_call_messages, tool_response_messages
from spanmill.llm.reading import Reading
from spanmill.signal import Signal

_ROLES = {"input": "user", "output": "assistant", "system_instructions": "system"}
_TOOL = "execute_tool"
_FINISH = "finish_reason"
_MOST_BRACKETS = 50_000
"""Text with more of them is no conversation: it is kept as text, because reading it as one takes seconds."""

Facts = Mapping[str, pa.Array]
"""The columns that content is read with: `operation`, `tool_name`, `tool_call_id`, `finish_reason`."""
FACTS = ("operation", "tool_name", "tool_call_id", "finish_reason")


class Content:
    """Gathers the content of a batch, source by source, and then writes the columns."""

    def __init__(self, reading: Reading, facts: Facts) -> None:
        self._reading = reading
        self._facts = facts
        is_tool = pc.fill_null(pc.equal(facts["operation"], _TOOL), False)
        self._is_tool = np.asarray(is_tool.to_numpy(zero_copy_only=False))
        self._rows: dict[int, dict[str, Any]] = {}
        """Row -> content column -> what was read: documents, `messages.Content`, or of a tool the value itself."""
        self._open: dict[str, np.ndarray] = {}
        """For each column the rows for which nothing was found yet."""

    def gather(self, column: str, source: ContentSource, rows: np.ndarray) -> None:
        """Take what the source has for the rows that are true, where nothing was found yet.

        A source that has something which says nothing, such as a message without content, leaves it to the next one.
        """
        still_open = self._open.setdefault(column, np.ones(len(self._reading.batch), bool))
        wanted = rows & still_open
        if not wanted.any():
            return
        for row, value in self._values(source, wanted):
            read = _read(column, source.form, value, bool(self._is_tool[row]))
            if read is not None:
                self._rows.setdefault(row, {})[column] = read
                still_open[row] = False

    def columns(self) -> dict[str, pa.Array]:
        """The columns that have a value; also `finish_reason`, with what only the messages of calls say."""
        if not self._rows:
            return {}
        chosen = pa.array(list(self._rows), pa.int64())
        known = {name: values.take(chosen).to_pylist() for name, values in self._facts.items()}
        texts: dict[str, list[str | None]] = {name: [] for name in (*CONTENT_COLUMNS, _FINISH)}
        for position, found in enumerate(self._rows.values()):
            written = _written(found, {name: values[position] for name, values in known.items()})
            for name, column in texts.items():
                column.append(written.get(name))
        at = places(chosen.to_numpy(), len(self._reading.batch))
        arrays = {name: pa.array(column, pa.string()) for name, column in texts.items()}
        columns = {name: array.take(at) for name, array in arrays.items() if array.null_count < len(array)}
        if self._reading.batch.signal is Signal.LOGS:
            columns.pop(_FINISH, None)
        elif _FINISH in columns:
            columns[_FINISH] = pc.coalesce(self._facts[_FINISH], columns[_FINISH])
        return columns

    def _values(self, source: ContentSource, wanted: np.ndarray) -> Sequence[tuple[int, object]]:
        """Those of the rows that are wanted for which the source has something, and what it has."""
        index = self._reading.attributes
        if source.attribute is not None:
            if source.attribute not in index:
                return []
            rows = np.flatnonzero(wanted)
            texts = index.text(source.attribute).take(pa.array(rows)).to_pylist()
            return [(row, text) for row, text in zip(rows.tolist(), texts, strict=True) if text]
        if source.prefix is not None:
            flat: dict[int, dict[str, object]] = {}
            for key in index.with_prefix(source.prefix):
                suffix = key[len(source.prefix) :]
                for row, value in index.objects(key):
                    if wanted[row]:
                        flat.setdefault(row, {})[suffix] = value
            return list(flat.items())
        is_log = self._reading.batch.signal is Signal.LOGS
        events = self._log_events(source) if is_log else self._span_events(source)
        return [(row, value) for row, value in events if wanted[row]]

    def _span_events(self, source: ContentSource) -> Sequence[tuple[int, object]]:
        names = self._reading.event_names
        wanted = [code for code, name in enumerate(names.dictionary.to_pylist()) if name in source.events]
        if not wanted:
            return []
        index = self._reading.event_attributes
        events: dict[int, list[object]] = {}
        attributes = _by_row(index)
        for event in np.flatnonzero(np.isin(names.indices.to_numpy(), wanted)).tolist():
            name = names.dictionary[names.indices[event].as_py()].as_py()
            row = int(self._reading.event_rows[event])
            events.setdefault(row, []).append({"name": name, "attributes": attributes.get(event, {}), "body": None})
        return list(events.items())

    def _log_events(self, source: ContentSource) -> Sequence[tuple[int, object]]:
        batch, index = self._reading.batch, self._reading.attributes
        names = _log_names(self._reading)
        rows = [row for row, name in enumerate(names) if name in source.events]
        if not rows:
            return []
        bodies = batch.column("body").take(pa.array(rows, pa.int64())).to_pylist()
        attributes = _by_row(index)
        return [
            (row, [{"name": names[row], "attributes": attributes.get(row, {}), "body": body}])
            for row, body in zip(rows, bodies, strict=True)
        ]


def _by_row(index: AttributeIndex) -> dict[int, dict[str, object]]:
    rows: dict[int, dict[str, object]] = {}
    for key in index.keys:
        for row, value in index.objects(key):
            rows.setdefault(row, {})[key] = value
    return rows


def _log_names(reading: Reading) -> list[str | None]:
    names: list[str | None] = reading.batch.column("event_name").to_pylist()
    older = load_canonical().event_name
    if older in reading.attributes:
        named = reading.attributes.text(older).to_pylist()
        names = [name or old for name, old in zip(names, named, strict=True)]
    return names


def _read(column: str, form: str, value: object, is_tool: bool) -> Any:
    """What the value says for the column; None when that is nothing."""
    if isinstance(value, str) and value.count("{") + value.count("[") > _MOST_BRACKETS:
        form = "text"
    if column == "documents":
        return documents(form, value) or None
    if is_tool and column != "system_instructions":
        return value
    content = messages(form, value, _ROLES[column])
    return content if content.messages or content.system else None


def _written(found: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, str]:
    """The row's columns as JSON texts, and the `finish_reason` of a call that has none but in its messages."""
    columns: dict[str, str] = {}
    if "documents" in found:
        columns["documents"] = dumps(found["documents"])
    if facts["operation"] == _TOOL:
        return columns | _written_tool(found, facts)
    system: list[Any] = []
    if "system_instructions" in found:
        content = found["system_instructions"]
        system = content.system or [part for message in content.messages for part in message.get("parts", ())]
    for name in ("input", "output"):
        if name not in found:
            continue
        content = found[name]
        system = system or content.system
        if name == "output":
            columns |= _finish(content.messages, facts)
        if content.messages:
            columns[name] = dumps(content.messages)
    if system:
        columns["system_instructions"] = dumps(system)
    return columns


def _written_tool(found: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, str]:
    """What went in and came out of a tool is its arguments and its answer, whatever it looks like."""
    columns: dict[str, str] = {}
    if "input" in found:
        call = tool_call_messages(found["input"], facts["tool_call_id"], facts["tool_name"])
        columns["input"] = dumps(call)
    if "output" in found:
        answer = tool_response_messages(found["output"], facts["tool_call_id"])
        if answer[0]["parts"][0].get("response") is not None:
            columns["output"] = dumps(answer)
    return columns


def _finish(sent: list[dict[str, Any]], facts: Mapping[str, Any]) -> dict[str, str]:
    """Every answer says why it ended, as the convention has it; of a call, the column too."""
    last = sent[-1] if sent and sent[-1].get("role") == "assistant" else None
    if last is None:
        return {}
    if facts[_FINISH] and not last.get(_FINISH):
        last[_FINISH] = facts[_FINISH]
    is_call = facts["operation"] in load_canonical().calls
    return {_FINISH: last[_FINISH]} if is_call and last.get(_FINISH) else {}
