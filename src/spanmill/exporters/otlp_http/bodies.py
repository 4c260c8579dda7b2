"""Request bodies: the encoding and the compression of the otlp_http exporter. Takes milliseconds: not for the loop."""

import gzip
import zlib

import zstandard

from spanmill.config.blocks import Compression
from spanmill.signal import Signal

_LEVEL = 6
"""zlib's own default, and the Collector's."""


def encode_body(signal: Signal, payload: bytes, encoding: str, compression: Compression) -> bytes:
    """The body for a serialized request: `encoding` is `proto` or `json`."""
    body = payload
    if encoding == "json":
        from spanmill.otlp.json import to_json

        body = to_json(signal, payload)
    if compression == "gzip":
        return gzip.compress(body, _LEVEL, mtime=0)
    if compression == "deflate":  # the zlib format, RFC 9110, 8.4.1.2
        return zlib.compress(body, _LEVEL)
    if compression == "zstd":
        return zstandard.ZstdCompressor().compress(body)
    return body
