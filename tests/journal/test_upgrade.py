"""A journal that an older version left behind is opened by this one, and gives back what was sent, byte for byte."""

import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from spanmill.journal import digest
from spanmill.journal.format import FORMAT_VERSION
from spanmill.journal.reading import read_journal
from spanmill.names import PipelineId
from spanmill.otlp.codec import encode
from spanmill.signal import Signal
from tests.journal.golden import DONE, SENDER, golden_file
from tests.journal.harness import Opened, hurried, packed


@pytest.fixture(autouse=True)
async def _hurried() -> AsyncIterator[None]:
    with hurried():
        yield


def unpacked(version: int, directory: Path) -> None:
    with zipfile.ZipFile(golden_file(version)) as archive:
        archive.extractall(directory)


def sent(directory: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((directory / "requests").iterdir())]


def test_every_version_of_the_format_has_a_golden_journal() -> None:
    assert all(golden_file(version).is_file() for version in range(1, FORMAT_VERSION + 1))


@pytest.mark.parametrize("version", range(1, FORMAT_VERSION + 1))
@pytest.mark.parametrize("signal", list(Signal))
async def test_a_journal_of_an_older_version_gives_back_what_was_sent(
    tmp_path: Path, version: int, signal: Signal
) -> None:
    unpacked(version, tmp_path)
    directory = tmp_path / signal.value
    requests = sent(directory)
    assert len(requests) > DONE
    async with Opened(directory, pipeline=PipelineId(signal)) as it:
        for consumer, had in (("one", DONE), ("two", 0)):
            records = list(iter(it.readers[consumer].read, None))
            assert [record.sequence for record in records] == list(range(had + 1, len(requests) + 1))
            assert [encode(signal, record.load().records) for record in records] == requests[had:]
        assert it.notes == []
        assert it.journal.last == len(requests)
        if signal is Signal.TRACES:
            assert await it.journal.append(packed(1)) == len(requests) + 1
    assert [encode(signal, record.load().records) for record in read_journal(directory)][: len(requests)] == requests


async def test_requests_that_an_older_version_took_lately_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    unpacked(1, tmp_path)
    written = next(iter(read_journal(tmp_path / "traces"))).time
    monkeypatch.setattr(time, "time_ns", lambda: int((written + 60) * 1e9))
    async with Opened(tmp_path / "traces") as it:
        assert all(it.journal.holds(digest(SENDER, payload)) for payload in sent(tmp_path / "traces"))
