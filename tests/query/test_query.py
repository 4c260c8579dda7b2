"""`spanmill query` over directories that real exporters wrote."""

import csv
import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from spanmill.cli import app
from spanmill.component import Position
from tests.data import spans
from tests.exporters.duckdb.test_duckdb_exporter import running as duckdb_running
from tests.exporters.parquet.test_parquet_exporter import running as parquet_running


@pytest.fixture
async def directory(tmp_path: Path) -> Path:
    async with parquet_running(tmp_path / "lake") as exporter:
        await exporter.export(spans(3), Position("j", 0, 0))
    return tmp_path / "lake"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["query", *(str(a) for a in arguments)])


def ask(directory: Path, sql: str, *more: str) -> list[dict[str, object]]:
    result = run(sql, "-d", directory, "--format", "json", *more)
    assert result.exit_code == 0, result.output
    rows: list[dict[str, object]] = json.loads(result.stdout)
    return rows


async def test_json_keeps_nanoseconds_maps_lists_and_whole_numbers(directory: Path) -> None:
    [row] = ask(
        directory,
        "select start_time, attributes, events, 12345678901234567890::hugeint as big, 1.25::decimal(18, 9) as money, "
        "'nan'::double as nothing, null as none, [1, null] as list, {'a': {'b': 1}} as nested, '\\xAA'::blob as bytes, "
        "date '2025-01-31' as day from spans order by start_time limit 1",
    )
    assert row == {
        "start_time": "2025-10-09T08:53:20.000000001Z",
        "attributes": {"gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": "1"},
        "events": [],
        "big": "12345678901234567890",
        "money": 1.25,
        "nothing": "NaN",
        "none": None,
        "list": [1, None],
        "nested": {"a": {"b": 1}},
        "bytes": "qg==",
        "day": "2025-01-31",
    }


async def test_a_sum_of_whole_numbers_is_a_whole_number(directory: Path) -> None:
    assert ask(directory, "select sum(flags) + 7 as total from spans") == [{"total": 7}]


async def test_csv_has_a_header_and_json_in_nested_cells(directory: Path) -> None:
    result = run(
        "select name, attributes, true as yes, null as none from spans limit 1", "-d", directory, "--format", "csv"
    )
    rows = list(csv.reader(io.StringIO(result.stdout)))
    assert rows[0] == ["name", "attributes", "yes", "none"]
    assert json.loads(rows[1][1])["gen_ai.request.model"] == "gpt-4o"
    assert rows[1][2:] == ["true", ""]


async def test_a_table_counts_its_rows_and_says_when_there_are_more(directory: Path) -> None:
    assert "3 rows" in run("select name from spans", "-d", directory).stdout
    assert (
        "the first 2 rows; more with --limit" in run("select name from spans", "-d", directory, "--limit", "2").stdout
    )


async def test_text_that_steers_a_terminal_is_shown_not_obeyed(directory: Path) -> None:
    assert "\x1b" not in run("select chr(27) || '[31m' as evil from spans limit 1", "-d", directory).stdout


async def test_tables_without_rows_are_there_with_their_columns(directory: Path) -> None:
    assert ask(directory, "select count(*) as n, count(value) as v from metrics") == [{"n": 0, "v": 0}]
    assert ask(directory, "select body, time from logs") == []


async def test_an_sql_mistake_is_pointed_at_with_the_columns_there_are_and_no_traceback(directory: Path) -> None:
    result = run("select nam from spans", "-d", directory)
    assert result.exit_code == 2
    assert "LINE 1: select nam from spans\n               ^^^" in result.stderr
    assert "Columns of spans: trace_id, span_id," in result.stderr
    assert "Traceback" not in result.output
    assert "Tables: evaluations, logs, metrics, spans." in run("from spanz", "-d", directory).stderr


@pytest.mark.parametrize(
    "sql",
    [
        "from read_text('/etc/hostname')",
        "copy spans to '/tmp/spanmill-test.csv'",
        "attach '/tmp/spanmill-test.duckdb'",
        "set enable_external_access = true",
        "install httpfs",
    ],
)
async def test_a_query_touches_nothing_but_the_stored_tables(directory: Path, sql: str) -> None:
    result = run(sql, "-d", directory)
    assert result.exit_code == 2
    assert result.stderr.startswith(("Permission Error", "Invalid Input Error"))


def test_a_directory_that_is_not_there_is_said_with_the_option_to_name_another(tmp_path: Path) -> None:
    result = run("select 1", "-d", tmp_path / "none")
    assert result.exit_code == 2
    assert f"{tmp_path / 'none'}: there is no such directory" in result.stderr
    assert "--directory" in result.stderr


async def test_the_directory_may_come_from_a_configuration(directory: Path, tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(
        "receivers: {otlp: }\n"
        f"exporters: {{parquet/lake: {{directory: {directory}}}}}\n"
        "service: {pipelines: {traces: {receivers: [otlp], exporters: [parquet/lake]}}}\n"
    )
    result = run("select count(*) as n from spans", "-c", config, "--format", "json")
    assert json.loads(result.stdout) == [{"n": 3}]


async def test_a_directory_without_stored_tables_answers_with_no_rows(tmp_path: Path) -> None:
    assert ask(tmp_path, "select count(*) as n from spans") == [{"n": 0}]


async def test_a_duckdb_exporters_rows_are_read_from_tail_and_settled_files_once_each(tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    async with duckdb_running(path) as exporter:
        for number in range(4):
            await exporter.export(spans(5, first=number * 5 + 1), Position("j", number, number))
            if number == 1:
                await exporter.tend()
        for named in (path, Path(f"{path}.d")):
            assert ask(named, "select count(*) as n, count(distinct span_id) as ids from spans") == [
                {"n": 20, "ids": 20}
            ]
