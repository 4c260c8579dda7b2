"""Makes the golden journals that every later version must be able to read: `python -m tests.journal.golden`.

`fixtures/format-<version>.zip` holds a journal of each signal, left as by a process that died, and as
`<signal>/requests/<number>` the requests that are in it, one to a record. Make one when the format changes; never
change one that has been released.
"""

import asyncio
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

from hypothesis.errors import NonInteractiveExampleWarning

from spanmill.batch import Batch
from spanmill.journal import digest
from spanmill.journal.format import FORMAT_VERSION
from spanmill.names import PipelineId
from spanmill.otlp.codec import decode
from spanmill.signal import Signal
from tests.journal.harness import Opened
from tests.otlp_samples import SAMPLES
from tests.strategies import REQUESTS

FIXTURES = Path(__file__).parent / "fixtures"
SENDER = "golden"
DONE = 3
"""Records that the consumer `one` has had; `two` has had none."""
_RANDOM_REQUESTS = 6


def golden_file(version: int) -> Path:
    """The journals of a version of the format."""
    return FIXTURES / f"format-{version}.zip"


def _requests(signal: Signal) -> list[bytes]:
    drawn = (REQUESTS[signal].example().SerializeToString() for _ in range(40 * _RANDOM_REQUESTS))
    random = [payload for payload in drawn if len(decode(signal, [payload]).records)]
    return [SAMPLES[signal], *random[:_RANDOM_REQUESTS]]


async def _make(directory: Path, signal: Signal, requests: list[bytes]) -> None:
    it = await Opened(directory, pipeline=PipelineId(signal)).start()
    for payload in requests:
        batch = Batch(signal, decode(signal, [payload]).records)
        await it.journal.append(it.journal.pack(batch, [digest(SENDER, payload)]))
    reader = it.readers["one"]
    for _ in range(DONE):
        record = reader.read()
        assert record is not None
        reader.commit(record.sequence)
    assert await it.tidied()
    await it.abandon()


def _contents(directory: Path, requests: list[bytes]) -> Iterator[tuple[str, bytes]]:
    for path in sorted(directory.iterdir()):
        yield path.name, path.read_bytes()
    for number, payload in enumerate(requests):
        yield f"requests/{number:03d}", payload


def main() -> None:
    """Write the golden journals of this version's format."""
    warnings.simplefilter("ignore", NonInteractiveExampleWarning)
    with tempfile.TemporaryDirectory() as name, zipfile.ZipFile(golden_file(FORMAT_VERSION), "w") as archive:
        for signal in Signal:
            directory, requests = Path(name) / signal.value, _requests(signal)
            asyncio.run(_make(directory, signal, requests))
            for member, data in _contents(directory, requests):
                archive.writestr(f"{signal.value}/{member}", data, zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    main()
