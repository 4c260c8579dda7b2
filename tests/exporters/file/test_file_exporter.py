"""Files of the file exporter, read back record by record."""

import asyncio
import resource
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from spanmill.component import Position
from spanmill.errors import Busy, StartError
from spanmill.exporters.file.config import FileExporterConfig, Rotation
from spanmill.exporters.file.exporter import FileExporter
from spanmill.exporters.file.sink import Sink
from spanmill.names import Kind
from spanmill.otlp.json import from_json
from spanmill.otlp.messages import SERVICES
from spanmill.signal import Signal
from tests.data import batch_of, spans, traces
from tests.exporters.hosts import NO_HOST
from tests.processors.building import batch_of as rows_of
from tests.processors.building import settings
from tests.strategies import REQUESTS

HERE = Position("j", 0, 0)
FORMATS = [("json", None), ("json", "zstd"), ("proto", None), ("proto", "zstd")]


@asynccontextmanager
async def exporting(path: Path, **config: Any) -> AsyncIterator[FileExporter]:
    body = FileExporterConfig.model_validate({"path": str(path), **config})
    exporter = FileExporter(body, settings(Kind.EXPORTERS, "file"))
    try:
        await exporter.start(NO_HOST)
        yield exporter
    finally:
        await exporter.stop()
        await exporter.stop()


def bodies(content: bytes, file_format: str, compression: str | None) -> Iterator[bytes]:
    """The records of a file, read as a stranger would who knows only the documentation."""
    if file_format == "json" and compression is None:
        yield from content.splitlines()
        return
    while content:
        length = int.from_bytes(content[:4], "big")
        body, content = content[4 : 4 + length], content[4 + length :]
        yield zstandard.ZstdDecompressor().decompress(body) if compression else body


def request_of(signal: Signal, body: bytes, file_format: str) -> Message:
    return SERVICES[signal].request.FromString(from_json(signal, body) if file_format == "json" else body)


@pytest.mark.parametrize(("file_format", "compression"), FORMATS)
async def test_every_format_reads_back_equal(tmp_path: Path, file_format: str, compression: str | None) -> None:
    path = tmp_path / "out"
    async with exporting(path, format=file_format, compression=compression) as exporter:
        await exporter.export(batch_of(traces(3)), HERE)
        await exporter.export(batch_of(traces(2, first=9)), HERE)
    records = [request_of(Signal.TRACES, b, file_format) for b in bodies(path.read_bytes(), file_format, compression)]
    assert records == [traces(3), traces(2, first=9)]


@hypothesis_settings(deadline=None, max_examples=20)
@given(st.sampled_from(Signal).flatmap(lambda s: st.tuples(st.just(s), REQUESTS[s])), st.sampled_from(FORMATS))
def test_what_is_written_is_what_came_in(
    tmp_path_factory: pytest.TempPathFactory, case: tuple[Signal, Message], form: tuple[str, str | None]
) -> None:
    (signal, request), (file_format, compression) = case, form
    path = tmp_path_factory.mktemp("file") / "out"

    async def go() -> None:
        async with exporting(path, format=file_format, compression=compression) as exporter:
            await exporter.export(batch_of(request, signal), HERE)

    asyncio.run(go())
    (body,) = bodies(path.read_bytes(), file_format, compression)
    assert request_of(signal, body, file_format) == request


async def test_a_json_line_is_what_the_collectors_file_receiver_reads(tmp_path: Path) -> None:
    async with exporting(tmp_path / "out.json") as exporter:
        await exporter.export(spans(1), HERE)
        await exporter.export(rows_of(Signal.LOGS, [[]]), HERE)
        await exporter.export(rows_of(Signal.METRICS, [[]]), HERE)
    lines = [orjson.loads(line) for line in (tmp_path / "out.json").read_bytes().splitlines()]
    assert [list(line) for line in lines] == [["resourceSpans"], ["resourceLogs"], ["resourceMetrics"]]
    assert lines[0]["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"] == f"{1:032x}"


async def test_what_was_exported_is_in_the_file_before_anything_is_stopped(tmp_path: Path) -> None:
    async with exporting(tmp_path / "out.json", flush_interval="1h") as exporter:
        await exporter.export(spans(1), HERE)
        assert (tmp_path / "out.json").read_bytes().endswith(b"\n")


@pytest.mark.parametrize(("append", "expected"), [(False, 1), (True, 2)])
async def test_the_file_is_emptied_at_start_unless_append_is_set(tmp_path: Path, append: bool, expected: int) -> None:
    for _ in range(2):
        async with exporting(tmp_path / "out.json", append=append) as exporter:
            await exporter.export(spans(1), HERE)
    assert len((tmp_path / "out.json").read_bytes().splitlines()) == expected


async def test_signals_written_at_the_same_time_do_not_mix(tmp_path: Path) -> None:
    async with exporting(tmp_path / "out.json", flush_interval=0) as exporter:
        logs = rows_of(Signal.LOGS, [[]] * 100)
        await asyncio.gather(*(exporter.export(b, HERE) for b in [spans(100), logs] * 10))
    keys = [next(iter(orjson.loads(line))) for line in (tmp_path / "out.json").read_bytes().splitlines()]
    assert sorted(keys) == ["resourceLogs"] * 10 + ["resourceSpans"] * 10


async def test_directories_are_made_with_their_permissions_only_when_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "out.json"
    with pytest.raises(StartError, match=r"exporter file: cannot start: .*No such file .*create_directory: true"):
        async with exporting(path):
            pass
    async with exporting(path, create_directory=True, directory_permissions="0700"):
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_a_directory_in_the_files_place_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"cannot write .*: Is a directory"):
        async with exporting(tmp_path):
            pass


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """A full disk, as far as writing a file is concerned: the operating system refuses to go beyond `size` bytes."""
    import signal

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


async def test_a_record_that_does_not_fit_on_the_disk_leaves_no_half_of_itself(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    async with exporting(path, flush_interval="1h") as exporter:
        await exporter.export(spans(1), HERE)
        whole = path.read_bytes()
        with file_size_limit(len(whole) + 100), pytest.raises(Busy, match=r"cannot write .*out\.json: File too large"):
            await exporter.export(spans(10), HERE)
        assert path.read_bytes() == whole
        await exporter.export(spans(10), HERE)
    assert len(path.read_bytes().splitlines()) == 2


MIB = 1024 * 1024


class Day:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 31, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def written(sink: Sink, *records: bytes) -> Sink:
    for each in records:
        sink.append(each)
    return sink


def test_a_full_file_is_put_aside_whole_under_its_time(tmp_path: Path) -> None:
    records = [bytes([65 + n]) * (MIB // 2) for n in range(5)]
    sink = written(Sink(tmp_path / "out.json", Rotation(max_megabytes=1), empty=False, now=Day()), *records)
    sink.close()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["out-2026-01-31T12-00-00.000.json", "out-2026-01-31T12-00-00.001.json", "out.json"]
    assert b"".join((tmp_path / name).read_bytes() for name in names) == b"".join(records)
    assert all((tmp_path / name).stat().st_size <= MIB for name in names)


def test_only_so_many_files_are_kept_and_none_too_old(tmp_path: Path) -> None:
    day, full = Day(), b"x" * MIB
    rotation = Rotation(max_megabytes=1, max_backups=3, max_days=10)
    (tmp_path / "out-notes.json").write_text("not ours")
    sink = Sink(tmp_path / "out.json", rotation, empty=False, now=day)
    for _ in range(6):
        written(sink, full)
        day.now += timedelta(days=4)
    assert [backup.moment.day for backup in sink.backups()] == [20, 16, 12]
    day.now += timedelta(days=4)
    written(sink, full)
    sink.close()
    assert [backup.moment.day for backup in sink.backups()] == [28, 20]
    assert (tmp_path / "out-notes.json").exists()


async def test_a_rotating_file_goes_on_after_a_restart(tmp_path: Path) -> None:
    for _ in range(2):
        async with exporting(tmp_path / "out.json", rotation=None) as exporter:
            pass
        async with exporting(tmp_path / "rotating.json", rotation={"max_megabytes": 1}) as exporter:
            await exporter.export(spans(1), HERE)
    assert len((tmp_path / "rotating.json").read_bytes().splitlines()) == 2


def test_local_time_names_files_when_asked_for(tmp_path: Path) -> None:
    rotation = Rotation(max_megabytes=1, max_days=1, localtime=True)
    day = Day()
    sink = written(Sink(tmp_path / "out", rotation, empty=False, now=day), b"x" * MIB, b"y")
    sink.close()
    stamp = day.now.astimezone().strftime("%Y-%m-%dT%H-%M-%S")
    assert (tmp_path / f"out-{stamp}.000").exists()
    assert [backup.moment.astimezone(UTC) for backup in sink.backups()] == [day.now]


def test_one_file_for_each_attribute_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(ValueError, match="one file for each value of an attribute is not supported"):
        FileExporterConfig.model_validate({"path": "x", "group_by": {"enabled": True}})


def test_no_descriptor_stays_open_after_close(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    sink = written(Sink(tmp_path / "out", Rotation(max_megabytes=1), empty=True), b"x" * MIB, b"y" * MIB, b"z")
    sink.close()
    sink.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
