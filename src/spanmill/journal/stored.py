"""A batch as it lies on the disk: one LZ4 frame that holds an Arrow IPC stream.

Compressed as a whole, not buffer by buffer as IPC can: a stream begins with the names and types of a hundred columns,
which is most of a small batch. (Of 500 small spans 133 bytes a span remain, of a single one 5 KB; buffer by buffer it
is 162 bytes and 16 KB, at three times the time.)
"""

import zlib
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from spanmill.batch import Batch, deserialize, serialize
from spanmill.journal import Packed
from spanmill.journal.format import DIGEST_BYTES, HEAD_BYTES, Head, aligned
from spanmill.signal import Signal

_COMPRESSION = "lz4"
_SMALL_BYTES = 128 * 1024


@dataclass(frozen=True, slots=True)
class StoredBatch(Packed):
    """A packed batch with its bytes for the disk."""

    stored: memoryview
    crc: int
    """Of `stored`."""

    @property
    def kept_bytes(self) -> int:
        return aligned(HEAD_BYTES + DIGEST_BYTES * len(self.requests) + self.stored.nbytes)

    def loaded(self) -> Packed:
        """The same without the bytes for the disk."""
        return Packed(self.items, self.size, self.load, ())


def pack(batch: Batch, requests: tuple[bytes, ...] = ()) -> Packed:
    """A batch for a journal in memory: large ones as they are, small ones as the bytes of an IPC stream.

    As columns a batch of one span takes 200 KB: the decoder's builders begin with room for a thousand rows, and the
    type of each of a hundred columns is described anew.
    """
    if batch.nbytes > _SMALL_BYTES:
        return Packed(len(batch), batch.nbytes, lambda: batch, requests)
    stream = serialize(batch)
    return Packed(len(batch), stream.size, partial(deserialize, batch.signal, stream), requests)


def store(batch: Batch, requests: tuple[bytes, ...] = ()) -> StoredBatch:
    """A batch for a journal on disk."""
    stream = serialize(batch)
    stored = memoryview(pa.Codec(_COMPRESSION).compress(stream, asbytes=True))
    load = partial(deserialize, batch.signal, stream) if stream.size <= _SMALL_BYTES else lambda: batch
    return StoredBatch(len(batch), stream.size, load, requests, stored, zlib.crc32(stored))


def restore(signal: Signal, head: Head, payload: memoryview) -> Batch:
    """The batch that was stored as `payload`."""
    stream = pa.Codec(_COMPRESSION).decompress(pa.py_buffer(payload), decompressed_size=head.size)
    return deserialize(signal, stream)
