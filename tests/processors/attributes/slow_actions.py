"""The attribute actions written the slow and obvious way, on lists of pairs, to compare the columns with."""

import hashlib
import re
import struct
from collections.abc import Callable
from typing import Any

import pyarrow as pa
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from spanmill.config.actions import Action
from spanmill.otlp.anyvalue import values_to_text
from spanmill.otlp.messages import handler
from tests.processors.building import Pairs, value_of


def slow_apply(action: Action, row: Pairs) -> Pairs:
    there = any(key == action.key for key, _ in row)
    match action.action:
        case "insert":
            return row if there else _set(action, row)
        case "update":
            return _set(action, row) if there else row
        case "upsert":
            return _set(action, row)
        case "delete":
            return [(k, v) for k, v in row if not _named(action, k)]
        case "hash":
            return [(k, value_of(_sha1(v)) if _named(action, k) else v) for k, v in row]
        case "convert":
            return [(k, _convert(v, action.converted_type or "") if k == action.key else v) for k, v in row]
        case "extract":
            return _extract(action, row)
    raise AssertionError(action.action)


def _named(action: Action, key: str) -> bool:
    return key == action.key or (action.pattern is not None and re.search(action.pattern, key) is not None)


def _last(row: Pairs, key: str | None) -> AnyValue | None:
    return next((v for k, v in reversed(row) if k == key), None)


def _put(row: Pairs, key: str, value: AnyValue) -> Pairs:
    if any(k == key for k, _ in row):
        return [(k, value if k == key else v) for k, v in row]
    return [*row, (key, value)]


def _set(action: Action, row: Pairs) -> Pairs:
    value = value_of(action.value) if action.from_attribute is None else _last(row, action.from_attribute)
    if value is None and action.default_value is not None:
        value = value_of(action.default_value)
    return row if value is None else _put(row, action.key or "", value)


def _sha1(value: AnyValue) -> str:
    pack: dict[str | None, Callable[[AnyValue], bytes]] = {
        "string_value": lambda v: v.string_value.encode(),
        "bool_value": lambda v: b"\1" if v.bool_value else b"\0",
        "int_value": lambda v: struct.pack("<q", v.int_value),
        "double_value": lambda v: struct.pack("<d", v.double_value),
    }
    packer = pack.get(value.WhichOneof("value"))
    data = packer(value) if packer else b""
    return hashlib.sha1(data).hexdigest() if data else ""


def _convert(value: AnyValue, to: str) -> AnyValue:
    kind = value.WhichOneof("value")
    if kind is None:
        return value
    plain = getattr(value, kind)
    if to == "string":
        codec: Any = handler(AnyValue)
        records = codec.array_to_record_batch(pa.array([value.SerializeToString()]))
        texts: Any = values_to_text(pa.StructArray.from_arrays(records.columns, fields=list(records.schema)))
        return value_of(texts.to_pylist()[0])
    if kind not in ("string_value", "bool_value", "int_value", "double_value"):
        return value
    try:
        number = {"int": int, "double": float}[to](plain)
    except (ValueError, OverflowError):
        return value
    if kind == "string_value" and not re.fullmatch(r"[+-]?[0-9a-z.+-]+", plain, re.IGNORECASE | re.ASCII):
        return value  # Python reads blanks and underscores, the Collector does not
    return value_of(number) if to == "double" or -(2**63) <= number < 2**63 else value


def _extract(action: Action, row: Pairs) -> Pairs:
    source = _last(row, action.key)
    if source is None or source.WhichOneof("value") != "string_value":
        return row
    found = re.search(action.pattern or "", source.string_value)
    for group, text in (found.groupdict() if found else {}).items():
        row = _put(row, group, value_of(text or ""))
    return row
