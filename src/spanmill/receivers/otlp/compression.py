"""Compressed bodies, decompressed piece by piece, so that a bomb is found after one piece and not after all of it."""

import os
import zlib
from typing import Final, Protocol

import zstandard

from spanmill.errors import Rejected

IDENTITY: Final = ""
_SLICE_BYTES = 256 * 1024
"""zlib copies what it has not consumed at every call: it is fed in slices so that this stays small."""
_MAX_MEMBERS = 64
"""Concatenated gzip members. Each costs a new decompressor, and nobody sends more than a few."""
_MAX_WINDOW_BYTES = 8 * 1024 * 1024
"""What RFC 8878 asks decoders to support."""
_GZIP, _ZLIB, _RAW = 31, 15, -15
_NAMES: Final = {
    "": "",
    "identity": "",
    "gzip": "gzip",
    "x-gzip": "gzip",
    "deflate": "deflate",
    "zlib": "deflate",
    "zstd": "zstd",
}


class Decompression(Protocol):
    """One body being decompressed."""

    finished: bool

    def read(self, size: int) -> bytes:
        """At most `size` more bytes. Sets `finished` with the last ones. Raises `Rejected` when the body is broken."""


def known(encoding: str) -> str | None:
    """The algorithm behind a `Content-Encoding`; empty for none, None when there is no such encoding here."""
    return _NAMES.get(encoding.strip().lower())


def decompress(algorithm: str, body: bytes) -> Decompression:
    """Begin to decompress. `algorithm` is one of those that `known` gives, not the empty one. Raises `Rejected`."""
    if not body:
        raise Rejected("the compressed body is empty")
    if algorithm == "zstd":
        return _Zstd(body)
    return _Inflate(body, _GZIP if algorithm == "gzip" else _deflate_format(body))


def _deflate_format(body: bytes) -> int:
    """HTTP's `deflate` is a zlib stream; some senders leave the wrapper out (RFC 9110, 8.4.1.2)."""
    wrapped = len(body) >= 2 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
    return _ZLIB if wrapped else _RAW


class _Inflate:
    """gzip, zlib and raw deflate. zlib's decompressor honours the size it is asked for."""

    def __init__(self, body: bytes, wbits: int) -> None:
        self.finished = False
        self._wbits = wbits
        self._rest = memoryview(body)
        self._members = 1
        self._stream = zlib.decompressobj(wbits)

    def read(self, size: int) -> bytes:
        pieces, wanted = [], size
        while wanted and not self.finished:
            piece = self._step(wanted)
            pieces.append(piece)
            wanted -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _step(self, wanted: int) -> bytes:
        stream = self._stream
        source = stream.unconsumed_tail
        if not source:
            source, self._rest = bytes(self._rest[:_SLICE_BYTES]), self._rest[_SLICE_BYTES:]
        try:
            piece = stream.decompress(source, wanted)
        except zlib.error as error:
            raise Rejected(f"the compressed body is broken: {error}") from None
        if stream.eof:
            self._end_of_member(len(stream.unused_data))
        elif not piece and not self._rest and not stream.unconsumed_tail:
            raise Rejected("the compressed body is truncated")
        return piece

    def _end_of_member(self, unused: int) -> None:
        if unused:
            behind = self._stream.unused_data
            self._rest = memoryview(behind + bytes(self._rest)) if self._rest else memoryview(behind)
        if not self._rest:
            self.finished = True
            return
        self._members += 1
        if self._wbits != _GZIP or self._members > _MAX_MEMBERS:
            raise Rejected("the compressed body goes on after its end")
        self._stream = zlib.decompressobj(self._wbits)


class _Zstd:
    """Zstandard through its stream reader: the one-shot functions ignore every limit when the frame states its size.

    The reader does not tell a finished frame from a cut one. So a frame of our own, holding a secret, is put behind
    the body: it comes out at the end exactly when the body before it was whole. It is text of four letters, because
    such text is packed: its frame, taken for the content of a cut block, does not read like it.
    """

    _SECRET: Final = os.urandom(128).translate(bytes(range(4)) * 64)
    _FRAME: Final = zstandard.ZstdCompressor().compress(_SECRET)

    def __init__(self, body: bytes) -> None:
        self.finished = False
        reader = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES)
        self._reader = reader.stream_reader(body + self._FRAME, read_across_frames=True)
        self._held = b""

    def read(self, size: int) -> bytes:
        try:
            piece = self._held + self._reader.read(size + len(self._SECRET) - len(self._held))
        except zstandard.ZstdError as error:
            raise Rejected(f"the compressed body is broken: {error}") from None
        if len(piece) < size + len(self._SECRET):
            if not piece.endswith(self._SECRET):
                raise Rejected("the compressed body is truncated")
            self.finished = True
            return piece[: -len(self._SECRET)]
        self._held = piece[-len(self._SECRET) :]
        return piece[: -len(self._SECRET)]
