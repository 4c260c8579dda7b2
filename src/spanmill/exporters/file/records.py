"""What one request looks like in a file of the file exporter."""

import zstandard

from spanmill.otlp.json import to_json
from spanmill.signal import Signal

_LENGTH_BYTES = 4


def record(signal: Signal, request: bytes, file_format: str, compressed: bool) -> bytes:
    """A serialized request as one record, the way the Collector's file exporter writes it.

    JSON without compression is a line. Everything else stands after its length in 4 bytes, big-endian; compressed
    records are a zstd frame each, so that a file can be read, and cut, at any record.
    """
    body = to_json(signal, request) if file_format == "json" else request
    if file_format == "json" and not compressed:
        return body + b"\n"
    if compressed:
        body = zstandard.ZstdCompressor().compress(body)
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body
