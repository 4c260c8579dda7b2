"""The daemon's log, as it reaches its stream."""

import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from spanmill.config.values import Secret
from spanmill.errors import StartError
from spanmill.names import ComponentId, Kind
from spanmill.telemetry.logs import REPEATS, Encoding, Logs, component_log, configure_logs

Configure = Callable[..., tuple[Logs, io.StringIO]]


@pytest.fixture
def configure() -> Iterator[Configure]:
    made: list[Logs] = []

    def configure(level: str = "info", encoding: Encoding = "console", **more: Any) -> tuple[Logs, io.StringIO]:
        stream = io.StringIO()
        made.append(configure_logs(level, encoding, stream, **more))
        return made[-1], stream

    yield configure
    for logs in reversed(made):
        logs.close()


LOG = component_log(Kind.RECEIVERS, ComponentId("otlp", "a"))


def test_a_console_line_is_time_level_message_and_fields(configure: Configure) -> None:
    _, stream = configure()
    LOG.warning("refused", bytes=5)
    time, level, message, fields = stream.getvalue().rstrip("\n").split("\t")
    assert time.endswith("Z")
    assert (level, message) == ("warn", "refused")
    assert json.loads(fields) == {"otelcol.component.id": "otlp/a", "otelcol.component.kind": "receiver", "bytes": 5}


def test_a_json_line_is_one_object(configure: Configure) -> None:
    _, stream = configure(encoding="json", initial_fields={"site": "x"})
    LOG.error("broken", reason="no\nidea")
    line = json.loads(stream.getvalue())
    assert (line["level"], line["msg"], line["reason"], line["site"]) == ("error", "broken", "no\nidea", "x")
    assert line["otelcol.component.kind"] == "receiver"


@pytest.mark.parametrize("encoding", ["console", "json"])
def test_what_comes_in_cannot_start_a_line_or_colour_a_terminal(configure: Configure, encoding: Encoding) -> None:
    _, stream = configure(encoding=encoding)
    nasty = "a\r\n2026-01-01T00:00:00Z\terror\tforged\x1b[31m\x9b\u2028\u202e\x00\ud800"
    LOG.info(nasty, **{"key\n": nasty})
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert not set(text.rstrip("\n")) & set("\r\x1b\x9b\u2028\u202e\x00\ud800")


def test_secrets_are_never_written(configure: Configure) -> None:
    _, stream = configure()
    secret = Secret("hunter2")
    LOG.info(f"with {secret}", token=secret, nested={"deep": [secret]})  # noqa: G004 - that is the point
    assert "hunter2" not in stream.getvalue()
    assert stream.getvalue().count("[REDACTED]") == 3


def test_repeated_messages_are_cut_and_counted(configure: Configure) -> None:
    logs, stream = configure()
    for count in range(REPEATS + 250):
        LOG.warning("again", count=count)
    LOG.warning("another")
    assert stream.getvalue().count("\tagain\t") == REPEATS + 2
    assert "another" in stream.getvalue()
    logs.flush()
    last = stream.getvalue().splitlines()[-1].split("\t")
    assert last[1:3] == ["warn", "repeated lines were left out"]
    assert json.loads(last[3]) == {"message": "again", "left_out": 248, "otelcol.component.id": "otlp/a"}


def test_ever_new_messages_are_limited_too(configure: Configure) -> None:
    _, stream = configure()
    for count in range(6000):
        LOG.warning(f"message {count}")  # noqa: G004 - that is the point
    assert stream.getvalue().count("\n") < 4200


def test_less_severe_lines_are_left_out(configure: Configure) -> None:
    _, stream = configure("WARN")
    LOG.info("no")
    LOG.warning("yes")
    assert [line.split("\t")[2] for line in stream.getvalue().splitlines()] == ["yes"]


def test_libraries_use_the_same_door(configure: Configure) -> None:
    _, stream = configure()
    logging.getLogger("aiohttp.server").warning("bad %s", "thing\n")
    logging.getLogger("asyncio").debug("selector")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old habit", UserWarning, stacklevel=1)
    lines = [line.split("\t") for line in stream.getvalue().splitlines()]
    assert lines[0][1:] == ["warn", "bad thing\\n", '{"logger": "aiohttp.server"}']
    assert "old habit" in lines[1][2]
    assert len(lines) == 2


@pytest.mark.parametrize("encoding", ["console", "json"])
def test_a_traceback_is_indented_or_a_field(configure: Configure, encoding: Encoding) -> None:
    _, stream = configure(encoding=encoding)
    LOG.error("failed", exc_info=ValueError("one\ntwo"))
    first, *rest = stream.getvalue().splitlines()
    if encoding == "json":
        assert "ValueError: one\ntwo" in json.loads(first)["stacktrace"]
    else:
        assert all(line.startswith("\t") for line in rest)
        assert rest[-2:] == ["\tValueError: one", "\ttwo"]


def test_a_closed_stream_does_not_end_the_daemon(configure: Configure) -> None:
    _, stream = configure()
    stream.close()
    LOG.error("nobody listens")


def test_lines_go_to_every_path_and_files_are_appended_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "spanmill.log"
    path.write_text("before\n")
    logs = configure_logs(paths=("stdout", str(path)))
    LOG.info("both")
    logs.close()
    assert "both" in capsys.readouterr().out
    assert path.read_text().splitlines()[0] == "before"
    assert "both" in path.read_text().splitlines()[1]


def test_a_file_that_cannot_be_written_is_a_start_error() -> None:
    with pytest.raises(StartError, match=r"service\.telemetry\.logs: cannot start: cannot write /nowhere/x\.log"):
        configure_logs(paths=("/nowhere/x.log",))


def test_closing_gives_everything_back(configure: Configure) -> None:
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    logs, _ = configure()
    logs.close()
    logs.close()
    assert (list(root.handlers), root.level) == before
