"""From what came out of pipelines to records in their journals: in all of them, or as it stands, to be tried again."""

import asyncio
from collections.abc import Iterable, Sequence

from spanmill.batch import Batch
from spanmill.journal import Journal, Packed
from spanmill.pipeline import Deposit

Packs = list[tuple[Journal, Packed]]


def pack(deposits: Iterable[Deposit], digests: Sequence[bytes], *, held: bytes | None = None) -> Packs:
    """One record for each journal: all ways to it are taken, or none. Work for a thread.

    `held`: some journals have what is known by this digest already, and are left out.
    """
    parts: dict[Journal, list[Batch]] = {}
    for journal, batch in deposits:
        if held is None or not journal.holds(held):
            parts.setdefault(journal, []).append(batch)
    return [(journal, journal.pack(Batch.concat(ways).whole(), digests)) for journal, ways in parts.items()]


async def append(packs: Packs) -> None:
    """Append to every journal; to none when one of them is full, so that what is sent again is not stored twice.

    Raises `Busy`.
    """
    for journal, packed in packs:
        journal.reserve(packed.kept_bytes)
    appends = [asyncio.ensure_future(journal.append(packed)) for journal, packed in packs]
    if appends:
        await asyncio.wait(appends)
    try:
        await asyncio.gather(*appends)  # sees every error, and raises the first
    finally:
        del appends  # or an error in one would hold this frame, and the frame it, with the batches
