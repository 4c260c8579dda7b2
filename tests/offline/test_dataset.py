"""`spanmill dataset` from real stores and files to JSON lines."""

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner, Result

from spanmill.cli import app
from tests.data import START
from tests.offline.making import call, evaluation, span_id, store, trace_id


def run(source: Path, output: Path, *more: object) -> Result:
    return CliRunner().invoke(app, ["dataset", str(source), "--output", str(output), *map(str, more)])


def export(source: Path, output: Path, *more: object) -> list[dict[str, Any]]:
    result = run(source, output, *more)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in output.read_text().splitlines()]


def text_of(messages: list[dict[str, Any]]) -> str:
    return str(messages[0]["parts"][0]["content"])


async def test_chosen_spans_become_examples_with_their_scores(tmp_path: Path) -> None:
    documents = json.dumps([{"id": "7", "content": "Paris is the capital."}])
    rows = [
        call("What is the capital of France?", "Paris", feature="search", language="en", documents=documents),
        call("Who are you?", "A model", feature="chat"),
    ]
    later = {"source": "person", "time_unix_nano": START}
    verdicts = [
        evaluation(1, "relevance", 0.2, label="low"),
        evaluation(1, "relevance", 0.9, time_unix_nano=START + 2 * 10**9),
        evaluation(1, "thumbs", 1.0, label="up", **later),
        evaluation(1, "thumbs", 0.0, span_id=None),
        evaluation(2, "relevance", 0.1),
    ]
    source = await store(tmp_path / "lake", rows, verdicts)
    (row,) = export(source, tmp_path / "out.jsonl", "--where", "feature = 'search'")
    assert row["id"] == f"{trace_id(1)}:{span_id(1)}"
    assert (row["trace_id"], row["span_id"]) == (trace_id(1), span_id(1))
    assert text_of(row["input"]) == "What is the capital of France?"
    assert text_of(row["output"]) == "Paris"
    assert row["context"] == [{"id": "7", "content": "Paris is the capital."}]
    assert row["scores"] == {
        "relevance": {"score": 0.9, "source": "judge"},
        "thumbs": {"score": 1.0, "label": "up", "source": "person"},
    }
    assert row["metadata"]["feature"] == "search"
    assert row["metadata"]["start_time"] == "2025-10-09T08:53:20.000000001Z"
    assert "reference" not in row


async def test_rows_may_be_chosen_by_their_evaluations(tmp_path: Path) -> None:
    rows = [call(f"Question {number}", "x") for number in range(4)]
    source = await store(tmp_path / "lake", rows, [evaluation(n, "relevance", n / 4) for n in range(1, 5)])
    sql = "trace_id in (select trace_id from evaluations where score < 0.6)"
    assert [row["span_id"] for row in export(source, tmp_path / "out.jsonl", "--where", sql)] == [
        span_id(1),
        span_id(2),
    ]


async def test_texts_are_masked_on_the_way_out_though_the_store_is_not(tmp_path: Path) -> None:
    rows = [call("Write to anna@example.com", "Sent to anna@example.com", feature="bob@example.org", session_id="s1")]
    source = await store(tmp_path / "lake", rows)
    output = tmp_path / "out.jsonl"
    (row,) = export(source, output, "--columns", "feature,session_id")
    assert "example" not in output.read_text()
    assert text_of(row["input"]) == "Write to <EMAIL>"
    assert row["metadata"] == {"feature": "<EMAIL>", "session_id": "s1"}
    result = run(source, tmp_path / "plain.jsonl", "--no-mask")
    assert "--no-mask: texts are as they are stored" in result.stderr
    assert "anna@example.com" in (tmp_path / "plain.jsonl").read_text()


async def test_contents_that_are_the_same_but_for_case_width_and_space_are_there_once(tmp_path: Path) -> None:
    rows = [
        call("What is  SPAM?", "Meat"),
        call("what is spam?", "meat\n"),
        call("What is \uff33\uff30\uff21\uff2d?", "Meat"),
        call("What is spam?", "Post"),
        call("Mail to a@example.com", "ok"),
        call("Mail to b@example.com", "ok"),
    ]
    source = await store(tmp_path / "lake", rows)
    result = run(source, tmp_path / "out.jsonl")
    assert "3 rows were written" in result.stdout
    assert "3 duplicates were left out" in result.stdout
    found = [json.loads(line)["span_id"] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert found == [span_id(1), span_id(4), span_id(5)]


async def test_the_same_rows_give_the_same_bytes_and_a_limit_their_beginning(tmp_path: Path) -> None:
    rows = [call(f"Question {number}", "x") for number in range(50)]
    source = await store(tmp_path / "lake", rows)
    first, again, some = (tmp_path / f"{name}.jsonl" for name in ("first", "again", "some"))
    export(source, first)
    export(source, again)
    assert len(export(source, some, "--limit", 7)) == 7
    assert first.read_bytes() == again.read_bytes()
    assert first.read_bytes().startswith(some.read_bytes())


async def test_spans_without_input_and_output_are_no_examples(tmp_path: Path) -> None:
    source = await store(tmp_path / "lake", [call("Hello", "Hi"), {"feature": "x"}])
    result = run(source, tmp_path / "out.jsonl")
    assert "1 rows were written" in result.stdout
    assert "1 rows have neither input nor output" in result.stdout


async def test_a_parquet_file_of_the_store_is_a_source_by_itself(tmp_path: Path) -> None:
    source = await store(tmp_path / "lake", [call("Hello", "Hi")])
    (file,) = source.rglob("spans/**/*.parquet")
    (row,) = export(file, tmp_path / "out.jsonl")
    assert row["scores"] == {}
    assert text_of(row["output"]) == "Hi"


async def test_a_duckdb_file_is_a_source(tmp_path: Path) -> None:
    lake = await store(tmp_path / "lake", [call("Hello", "Hi")])
    with duckdb.connect(str(tmp_path / "x.duckdb")) as connection:
        files = f"read_parquet('{lake}/spans/**/*.parquet', hive_partitioning = false)"
        connection.execute(f"create table spans as from {files}")
    (row,) = export(tmp_path / "x.duckdb", tmp_path / "out.jsonl")
    assert (row["span_id"], text_of(row["output"])) == (span_id(1), "Hi")
    with duckdb.connect(str(tmp_path / "y.duckdb")) as connection:
        connection.execute("create table spanz (a int)")
    assert 'there is no table "spans". Did you mean "spanz"?' in run(tmp_path / "y.duckdb", tmp_path / "o.jsonl").stderr


def test_json_lines_keep_reference_label_and_their_other_columns(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    line = {"id": "q1", "input": "2+2?", "output": "4", "reference": "four", "label": True, "level": 3}
    source.write_text(json.dumps(line) + "\n\n" + json.dumps({"input": "me@example.com"}) + "\n")
    first, second = export(source, tmp_path / "out.jsonl")
    assert {key: first[key] for key in ("id", "input", "output", "reference", "label")} == {
        key: line[key] for key in ("id", "input", "output", "reference", "label")
    }
    assert first["metadata"] == {"level": 3}
    assert (second["id"], second["input"]) == ("1", "<EMAIL>")


async def test_a_file_that_is_there_is_replaced_only_when_it_is_said(tmp_path: Path) -> None:
    source, output = await store(tmp_path / "lake", [call("Hello", "Hi")]), tmp_path / "out.jsonl"
    output.write_text("precious")
    result = run(source, output)
    assert result.exit_code == 2
    assert "there is such a file already; expected a new name, or --overwrite" in result.stderr
    assert output.read_text() == "precious"
    assert len(export(source, output, "--overwrite")) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--where", "feature = 'none'"), "no row is selected by --where"),
        (("--where", "featur = 'none'"), 'Referenced column "featur" not found'),
        (("--columns", "featur"), 'there is no column "featur". Did you mean "feature"?'),
    ],
)
async def test_a_mistake_is_said_and_leaves_no_file(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    source = await store(tmp_path / "lake", [call("Hello", "Hi")])
    result = run(source, tmp_path / "out.jsonl", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.output
    assert not (tmp_path / "out.jsonl").exists()
    assert not (tmp_path / ".out.jsonl.tmp").exists()


def test_a_source_that_is_not_there_is_said(tmp_path: Path) -> None:
    result = run(tmp_path / "none", tmp_path / "out.jsonl")
    assert result.exit_code == 2
    assert f"{tmp_path / 'none'}: there is no such file or directory; expected a directory that" in result.stderr
    (tmp_path / "a.txt").write_text("a")
    assert "not a kind of file that is known" in run(tmp_path / "a.txt", tmp_path / "out.jsonl").stderr
    (tmp_path / "a.parquet").write_text("a")
    assert "a.parquet: Invalid Input Error" in run(tmp_path / "a.parquet", tmp_path / "out.jsonl").stderr
