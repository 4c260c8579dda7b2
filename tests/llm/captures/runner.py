"""What real SDKs sent, through the codec and the normaliser, against `expected.yaml` beside it.

A folder holds requests as they were sent, `<name>.<traces|logs>.<bin|json>` (`.gz`: gzip, `.zz`: zlib), and one
`expected.yaml`, which was written by hand from reading the decoded requests, never by running the normaliser:

    shared: ...                       # anything; a place for YAML anchors
    rag.traces.bin:                   # spans by id, by name, or by a name with `*` in it; the id goes before the name
      1e30556ee8bca673: {operation: chat, input_tokens: 412, input: [[user, text, "How many ..."]]}
    rag.logs.bin:                     # log records, in order
      - {operation: chat}

A column that is not named is expected to be null. Long contents are given as what identifies them:

- `input`, `output`: a row for each part: `[role, text|reasoning, content]`, `[role, tool_call, id, name, arguments]`,
  `[role, tool_call_response, id, response]`, `[role, uri, modality, uri]`, `[role, blob, modality, mime_type, bytes]`,
  and after the parts of a message that has one `[role, finish_reason, reason]`. A text of 40 characters or more is what
  the content begins with, a shorter one is all of it; a number behind it is how many characters there are in all.
  Values that are not text stand for their compact JSON.
- `system_instructions`: the same without roles. `documents`: the documents; their content as above.
"""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from spanmill.batch import Batch
from spanmill.llm.normaliser import Normaliser, Options
from spanmill.otlp.codec import decode
from spanmill.otlp.json import from_json
from spanmill.schema.llm import LLM_COLUMNS, LOG_COLUMNS
from spanmill.signal import Signal

FOLDERS = sorted(path.parent for path in Path(__file__).parent.glob("*/expected.yaml"))
_WHOLE_BELOW = 40
_CONTENT = ("input", "output", "system_instructions", "documents")
_UNPACK: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.decompress, ".zz": zlib.decompress}


def requests(folder: Path) -> list[Path]:
    """The captured requests of a folder."""
    return sorted(path for path in folder.iterdir() if ".traces." in path.name or ".logs." in path.name)


def captures() -> list[Path]:
    """All captured requests that must have an expectation."""
    return [path for folder in FOLDERS for path in requests(folder)]


def read(path: Path) -> Batch:
    """A captured request as the batch that a receiver would make of it."""
    signal = Signal.LOGS if ".logs." in path.name else Signal.TRACES
    body = path.read_bytes()
    if path.suffix in _UNPACK:
        body = _UNPACK[path.suffix](body)
    if ".json" in path.suffixes:
        body = from_json(signal, body)
    return Batch(signal, decode(signal, [body]).records)


def problems(path: Path) -> list[str]:
    """How the rows of a captured request differ from what is expected of them."""
    batch = Normaliser(Options())(read(path))
    expected = yaml.safe_load((path.parent / "expected.yaml").read_text(encoding="utf-8")).get(path.name)
    if not expected:
        return [f"{path.name}: nothing is expected of it"]
    columns = [column.name for column in (LLM_COLUMNS if batch.signal is Signal.TRACES else LOG_COLUMNS)]
    rows = batch.table(columns).to_pylist()
    if isinstance(expected, list):
        pairs = [(f"record {at}", row, expected[at] if at < len(expected) else None) for at, row in enumerate(rows)]
        found = [] if len(expected) <= len(rows) else [f"{len(expected)} records expected, {len(rows)} found"]
    else:
        identities = list(zip(batch.column("span_id").to_pylist(), batch.column("name").to_pylist(), strict=True))
        used = [_key(expected, *identity) for identity in identities]
        pairs = [
            (f"{name!r} {span}", row, expected[key] if key is not None else None)
            for (span, name), key, row in zip(identities, used, rows, strict=True)
        ]
        found = [f"{key}: no such span" for key in expected if key not in used]
    for where, row, wanted in pairs:
        found += [f"{where}: {line}" for line in _differences(row, wanted)]
    return found


def _key(expected: dict[str, Any], span_id: str, name: str | None) -> str | None:
    if span_id in expected:
        return span_id
    return next((key for key in expected if fnmatchcase(name or "", key)), None)


def _differences(row: dict[str, Any], wanted: dict[str, Any] | None) -> Iterator[str]:
    if wanted is None:
        yield "nothing is expected of it"
        return
    for name in wanted.keys() - row.keys():
        yield f"{name}: there is no such column"
    for name, value in row.items():
        expected = wanted.get(name)
        found = _outline(name, json.loads(value)) if name in _CONTENT and value is not None else value
        if not _same(name, expected, found):
            yield f"{name}: expected {expected!r}, found {found!r}"


def _same(name: str, expected: Any, value: Any) -> bool:
    if expected is None or value is None:
        return bool(expected is value)
    if name in _CONTENT:
        return len(expected) == len(value) and all(map(_fits, expected, value))
    if isinstance(value, float):
        return bool(abs(value - expected) <= 1e-6 * abs(expected))
    if isinstance(value, Decimal):
        return value == Decimal(str(expected))
    return type(value) is type(expected) and bool(value == expected)


def _fits(expected: Any, value: Any) -> bool:
    """Whether a part or a document is the one that was described."""
    if isinstance(expected, dict):
        rest = {key: held for key, held in expected.items() if key != "content"}
        return rest == {key: held for key, held in value.items() if key != "content"} and _begins(
            value.get("content"), expected.get("content")
        )
    length = None
    if isinstance(expected[-1], int) and len(expected) == len(value) + 1:
        *expected, length = expected
    head, last = expected[:-1], expected[-1]
    fits = list(value[:-1]) == list(head) and _begins(value[-1], last)
    return fits and (length is None or len(value[-1]) == length)


def _begins(value: Any, expected: Any) -> bool:
    if isinstance(value, str) and isinstance(expected, str) and len(expected) >= _WHOLE_BELOW:
        return value.startswith(expected)
    return bool(value == expected)


def _outline(column: str, content: Any) -> list[Any]:
    if column == "documents":
        return list(content)
    if column == "system_instructions":
        return [_part(part) for part in content]
    rows = []
    for message in content:
        assert {"role", "parts"} <= message.keys() <= {"role", "parts", "finish_reason", "name"}, message
        rows += [[message["role"], *_part(part)] for part in message["parts"]]
        if "finish_reason" in message:
            rows.append([message["role"], "finish_reason", message["finish_reason"]])
    return rows


_SHOWN = {
    "text": ("content",),
    "reasoning": ("content",),
    "tool_call": ("id", "name", "arguments"),
    "tool_call_response": ("id", "response"),
    "uri": ("modality", "uri"),
    "file": ("modality", "file_id"),
    "blob": ("modality", "mime_type", "bytes"),
}


def _part(part: dict[str, Any]) -> list[Any]:
    values = [part.get(name) for name in _SHOWN[part["type"]]]
    if part["type"] in ("tool_call", "tool_call_response"):
        values[-1] = _compact(values[-1])
    return [part["type"], *values]


def _compact(value: Any) -> Any:
    """Arguments and results of tools as compact JSON, whether they were sent as JSON text or as a structure."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return value
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
