"""`spanmill evaluate` with a real server on loopback as the model."""

import asyncio
import json
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from spanmill.batch import Batch
from spanmill.cli import app
from spanmill.component import Position
from spanmill.offline.results import SCHEMA
from spanmill.signal import Signal
from tests.exporters.parquet.test_parquet_exporter import running
from tests.judge.model_server import ModelServer, model_server
from tests.offline.making import batch, call, evaluation, span_id, store, trace_id

Lines = list[dict[str, Any]]


async def run(server: ModelServer | None, source: Path, output: Path, *more: object) -> Result:
    told = ["--model", "gpt-4o-mini", "--base-url", server.url] if server else []
    arguments = ["evaluate", str(source), "--output", str(output), *told, *map(str, more)]
    return await asyncio.to_thread(CliRunner().invoke, app, arguments)


def write(path: Path, lines: Lines) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def read(path: Path) -> Lines:
    return [json.loads(line) for line in path.read_text().splitlines()]


def numbered(count: int, **columns: object) -> Lines:
    return [{"id": f"r{n}", "input": f"Question {n}", "output": f"Answer {n}"} | columns for n in range(count)]


def by_number(choose: Callable[[int], str]) -> Callable[[dict[str, Any]], str]:
    """Answers by the row's number, which stands in the question."""
    return lambda body: choose(int(re.findall(r"Answer ([0-9]+)", str(body["messages"][-1]["content"]))[-1]))


async def test_rows_of_a_store_are_judged_with_the_columns_of_evaluations(tmp_path: Path) -> None:
    documents = json.dumps([{"content": "Paris is the capital."}])
    common = {"is_llm_call": True, "feature": "search", "language": "en", "sample_weight": 4.0}
    rows = [call(f"Question {n}", f"Answer {n}", documents=documents, **common) for n in range(3)]
    source = await store(tmp_path / "lake", [*rows, {"feature": "no call"}], [evaluation(1, "thumbs", 0.0)])
    async with model_server() as server:
        result = await run(server, source, tmp_path / "r.parquet", "--evaluators", "faithfulness,relevance")
        assert result.exit_code == 0, result.output
        assert len(server.requests) == 6
        assert "Paris is the capital." in str(server.requests)
    table = pq.read_table(tmp_path / "r.parquet")
    assert table.schema == SCHEMA
    row = table.drop_columns(["time"]).to_pylist()[0]
    assert row["id"] == f"{trace_id(1)}:{span_id(1)}"
    assert (row["trace_id"], row["span_id"]) == (trace_id(1), span_id(1))
    assert (row["score"], row["outcome"], row["source"]) == (0.75, "scored", "judge")
    assert (row["judge_model"], row["feature"], row["language"]) == ("gpt-4o-mini", "search", "en")
    assert (row["sample_weight"], row["explanation"], row["passed"]) == (4.0, "it is fine", True)
    assert float(row["cost_usd"]) == pytest.approx(0.000027)
    assert "relevance: mean 0.750 (95% interval" in result.stdout


async def test_documents_come_from_other_spans_of_the_trace_also_where_these_are_not_judged(tmp_path: Path) -> None:
    documents = json.dumps([{"content": "Paris is the capital."}])
    found = {"operation": "retrieval", "documents": documents, "language": "en"}
    records = batch([call("Capital?", "Paris", is_llm_call=True, language="en"), found])
    one_trace = pa.array([bytes.fromhex(trace_id(1))] * 2, records.records.schema.field("trace_id").type)
    index = records.records.schema.get_field_index("trace_id")
    async with running(tmp_path / "lake") as exporter:
        await exporter.export(
            Batch(Signal.TRACES, records.records.set_column(index, "trace_id", one_trace)), Position("j", 0, 0)
        )
    async with model_server() as server:
        options = ("--evaluators", "faithfulness", "--where", "is_llm_call")
        result = await run(server, tmp_path / "lake", tmp_path / "r.jsonl", *options)
        assert result.exit_code == 0, result.output
        assert "Paris is the capital." in str(server.requests[0]["messages"])


async def test_context_and_reference_of_json_lines_reach_the_judge(tmp_path: Path) -> None:
    line = {"input": "2+2?", "output": "5", "context": "Sums are exact.", "reference": "It is four.", "language": "en"}
    source = write(tmp_path / "in.jsonl", [line])
    async with model_server(always='{"reasoning": "no", "label": "incorrect"}') as server:
        await run(server, source, tmp_path / "r.jsonl", "--evaluators", "correctness")
        server.always = '{"reasoning": "no", "score": 1}'
        await run(server, source, tmp_path / "r.jsonl", "--evaluators", "faithfulness")
        assert "It is four." in str(server.requests[0]["messages"])
        assert "Sums are exact." in str(server.requests[1]["messages"])
    rows = read(tmp_path / "r.jsonl")
    assert [(row["name"], row["score"], row["label"]) for row in rows] == [
        ("correctness", 0.0, "incorrect"),
        ("faithfulness", 0.0, None),
    ]
    assert [(row["id"], row["trace_id"], row["language"]) for row in rows] == [("0", None, "en")] * 2


async def test_what_has_a_score_is_not_asked_again_and_what_failed_is(tmp_path: Path) -> None:
    source, output = write(tmp_path / "in.jsonl", numbered(6)), tmp_path / "r.jsonl"
    async with model_server(answers=["nonsense", "{}"]) as server:
        await run(server, source, output, "--evaluators", "relevance")
        assert [row["outcome"] for row in read(output)].count("failed") == 2
        result = await run(server, source, output, "--evaluators", "relevance")
        assert len(server.requests) == 8
        assert "2 questions about 6 rows" in result.stdout
        assert "4 were answered before" in result.stdout
    rows = read(output)
    assert [row["outcome"] for row in rows] == ["scored"] * 6
    assert {row["id"] for row in rows} == {f"r{n}" for n in range(6)}


async def test_another_judge_is_asked_though_one_has_answered(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", numbered(2))
    async with model_server() as server:
        await run(server, source, tmp_path / "r.jsonl", "--evaluators", "relevance")
        await run(server, source, tmp_path / "r.jsonl", "--evaluators", "relevance", "--model", "other")
        assert len(server.requests) == 4
    assert {row["judge_model"] for row in read(tmp_path / "r.jsonl")} == {"other"}


async def test_answers_that_cannot_be_read_have_no_score(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", numbered(1))
    async with model_server(always="I would say: good!") as server:
        result = await run(server, source, tmp_path / "r.jsonl", "--evaluators", "relevance")
    (row,) = read(tmp_path / "r.jsonl")
    assert (row["score"], row["outcome"], row["error_type"]) == (None, "failed", "unparsable")
    assert "relevance: 0 scored, 1 failed, 0 skipped" in result.stdout


async def test_rows_that_lack_what_is_asked_about_are_skipped_and_cost_nothing(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", numbered(1))
    async with model_server() as server:
        await run(server, source, tmp_path / "r.jsonl", "--evaluators", "faithfulness")
        assert server.requests == []
    (row,) = read(tmp_path / "r.jsonl")
    assert (row["outcome"], row["error_type"]) == ("skipped", "no_context")


async def test_equal_questions_are_asked_once_and_paid_once(tmp_path: Path) -> None:
    lines = [line | {"input": "The same", "output": "The same"} for line in numbered(5)]
    source = write(tmp_path / "in.jsonl", lines)
    async with model_server() as server:
        await run(server, source, tmp_path / "r.jsonl", "--evaluators", "relevance")
        assert len(server.requests) == 1
    rows = read(tmp_path / "r.jsonl")
    assert [row["score"] for row in rows] == [0.75] * 5
    assert sum(row["cost_usd"] > 0 for row in rows) == 1


async def test_a_limit_a_condition_and_a_share_choose_the_same_rows_each_time(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", numbered(100))
    async with model_server() as server:
        options = ("--evaluators", "relevance", "--where", "id <> 'r3'", "--share", 0.3)
        await run(server, source, tmp_path / "a.jsonl", *options)
        await run(server, source, tmp_path / "b.jsonl", *options, "--limit", 5)
    some, few = read(tmp_path / "a.jsonl"), read(tmp_path / "b.jsonl")
    assert 15 < len(some) < 45
    assert len(few) == 5
    assert {row["id"] for row in few} < {row["id"] for row in some}
    assert "r3" not in {row["id"] for row in some}
    assert {round(row["sample_weight"], 6) for row in some} == {round(1 / 0.3, 6)}


async def test_a_budget_that_is_spent_ends_the_run_and_the_next_goes_on(tmp_path: Path) -> None:
    source, output = write(tmp_path / "in.jsonl", numbered(20)), tmp_path / "r.jsonl"
    async with model_server() as server:
        options = ("--evaluators", "relevance", "--concurrency", 1)
        first = await run(server, source, output, *options, "--budget-usd", 0.0009)
        asked = len(server.requests)
        assert first.exit_code == 5
        assert "the budget of this run is spent; not all was judged" in first.stderr
        assert 0 < asked < 20
        assert len(read(output)) == asked
        assert (await run(server, source, output, *options)).exit_code == 0
        assert len(server.requests) == 20


async def test_labels_tell_kappa_errors_and_the_corrected_rate(tmp_path: Path) -> None:
    lines = [line | {"label": "correct" if n % 4 else "incorrect"} for n, line in enumerate(numbered(40))]
    source = write(tmp_path / "in.jsonl", lines)
    async with model_server() as server:
        server.always = by_number(
            lambda n: json.dumps({"reasoning": "", "label": "incorrect" if n % 8 == 0 else "correct"})
        )
        result = await run(server, source, tmp_path / "r.jsonl", "--evaluators", "correctness", "--labels", "label")
    assert result.exit_code == 0, result.output
    # By hand: 35 of 40 agree; chance has 0.75 * 0.875 + 0.25 * 0.125 = 0.6875, so kappa is (0.875 - 0.6875) / 0.3125.
    assert "correctness: 40 labels: kappa 0.600 (95% interval" in result.stdout
    assert "accuracy 0.875" in result.stdout
    assert "sensitivity 1.000" in result.stdout
    assert "specificity 0.500" in result.stdout
    # By hand: 0.375 over 0.5.
    assert "passed: 0.875 by the judge; corrected for its errors 0.750 (95% interval" in result.stdout


async def test_a_server_that_cannot_be_reached_is_said_at_once(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", numbered(3))
    async with model_server() as server:
        pass
    result = await run(server, source, tmp_path / "r.jsonl", "--evaluators", "relevance")
    assert result.exit_code == 5
    assert f"{server.url}: the server cannot be reached" in result.stderr
    assert not (tmp_path / "r.jsonl").exists()


async def test_a_key_that_is_refused_ends_the_run(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", numbered(50))
    async with model_server(always=401) as server:
        result = await run(server, source, tmp_path / "r.jsonl", "--evaluators", "relevance")
        assert len(server.requests) <= 8
    assert result.exit_code == 5
    assert "the server answered 401" in result.stderr


async def test_evaluators_of_ones_own_come_from_a_file(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(
        "- name: polite\n  template: 'Is it polite? {{output}} {{tone}}'\n  scale: {type: boolean}\n"
        "  variables: {output: output, tone: \"attributes['tone']\"}\n"
    )
    source = write(tmp_path / "in.jsonl", numbered(1, tone="harsh tone"))
    async with model_server(always='{"reasoning": "", "verdict": true}') as server:
        result = await run(server, source, tmp_path / "r.jsonl", "--evaluators-file", own)
        assert "harsh tone" in str(server.requests)
    assert result.exit_code == 0, result.output
    assert [(row["name"], row["score"]) for row in read(tmp_path / "r.jsonl")] == [("polite", 1.0)]
    own.write_text("- name: polite\n  template: 'Is it? {{outptu}}'\n  scale: {type: boolean}\n")
    result = await run(server, source, tmp_path / "r.jsonl", "--evaluators-file", own)
    assert result.exit_code == 2
    assert 'Did you mean "output"?' in result.stderr


async def test_model_and_evaluators_may_be_those_of_a_pipeline(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", numbered(2))
    async with model_server() as server:
        judge = {"model": {"model": "m", "base_url": server.url}, "evaluators": ["relevance"], "share": 0.01}
        pipeline = {"receivers": ["otlp"], "processors": ["llm_judge"], "exporters": ["debug"]}
        config = tmp_path / "pipeline.yaml"
        config.write_text(
            json.dumps(
                {
                    "receivers": {"otlp": {"protocols": {"grpc": {}}}},
                    "processors": {"llm_judge": judge},
                    "exporters": {"debug": {}},
                    "service": {"pipelines": {"traces": pipeline}},
                }
            )
        )
        result = await run(None, source, tmp_path / "r.jsonl", "--config", config)
        assert result.exit_code == 0, result.output
        assert len(server.requests) == 2
        wrong = await run(None, source, tmp_path / "r.jsonl", "--config", config, "--processor", "llm_judge/x")
        assert wrong.exit_code == 2
        assert 'there is no llm_judge processor "llm_judge/x". Did you mean "llm_judge"?' in wrong.stderr


async def test_a_data_set_can_be_judged_again(tmp_path: Path) -> None:
    documents = json.dumps([{"content": "Paris is the capital."}])
    rows = [call(f"Question {n}", f"Answer {n}", documents=documents, is_llm_call=True, language="en") for n in (1, 2)]
    source, lines = await store(tmp_path / "lake", rows), tmp_path / "set.jsonl"
    exported = await asyncio.to_thread(CliRunner().invoke, app, ["dataset", str(source), "--output", str(lines)])
    assert exported.exit_code == 0, exported.output
    async with model_server() as server:
        for number, each in enumerate((source, lines)):
            output = tmp_path / f"r{number}.jsonl"
            result = await run(server, each, output, "--evaluators", "faithfulness", "--concurrency", 1)
            assert result.exit_code == 0, result.output
        first, second = server.requests[:2], server.requests[2:]
        assert [body["messages"] for body in first] == [body["messages"] for body in second]
    ids = [{(row["id"], row["trace_id"], row["span_id"]) for row in read(tmp_path / f"r{n}.jsonl")} for n in (0, 1)]
    assert ids[0] == ids[1]


async def test_columns_of_other_types_are_said(tmp_path: Path) -> None:
    columns = {"trace_id": ["a"], "span_id": ["b"], "start_time": ["soon"], "input": ["x"], "output": ["y"]}
    pq.write_table(pa.table(columns), tmp_path / "in.parquet")
    async with model_server() as server:
        result = await run(server, tmp_path / "in.parquet", tmp_path / "r.jsonl", "--evaluators", "relevance")
    assert result.exit_code == 2
    assert "columns that spans have too are of other types" in result.stderr


async def test_an_interrupted_run_leaves_a_whole_file_that_the_next_goes_on_with(tmp_path: Path) -> None:
    source, output = write(tmp_path / "in.jsonl", numbered(10)), tmp_path / "r.parquet"
    async with model_server() as server:
        told = ["--evaluators", "relevance", "--model", "m", "--base-url", server.url, "--concurrency", "1"]
        served = []

        def hold(body: dict[str, Any]) -> str:
            served.append(body)
            if len(served) == 4:
                server.gate.clear()
            return str(ModelServer.always)

        server.always = hold
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "spanmill", "evaluate", str(source), "-o", str(output), *told,
            stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        await server.until(5)
        process.send_signal(signal.SIGINT)
        _, errors = await process.communicate()
        assert process.returncode == 5
        assert b"interrupted; not all was judged" in errors
        assert b"Traceback" not in errors
        assert pq.read_table(output).num_rows == 4
        server.gate.set()
        asked = len(server.requests)
        assert (await run(server, source, output, "--evaluators", "relevance", "--model", "m")).exit_code == 0
        assert len(server.requests) == asked + 6
    assert pq.read_table(output).num_rows == 10


async def test_two_runs_do_not_write_one_output(tmp_path: Path) -> None:
    source, output = write(tmp_path / "in.jsonl", numbered(3)), tmp_path / "r.jsonl"
    async with model_server() as server:
        server.gate.clear()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "spanmill", "evaluate", str(source), "-o", str(output),
            "--evaluators", "relevance", "--model", "m", "--base-url", server.url,
        )  # fmt: skip
        await server.until(1)
        other = await run(server, source, output, "--evaluators", "relevance")
        assert other.exit_code == 2
        assert (
            "r.jsonl: another `spanmill evaluate` writes it now; wait for its end, or give another name" in other.stderr
        )
        server.gate.set()
        assert await process.wait() == 0
        assert len(server.requests) == 3
    assert len(read(output)) == 3


async def test_what_a_killed_run_has_left_is_not_asked_again(tmp_path: Path) -> None:
    source, output = write(tmp_path / "in.jsonl", numbered(3)), tmp_path / "r.jsonl"
    async with model_server() as server:
        await run(server, source, output, "--evaluators", "relevance")
        lines = output.read_bytes().splitlines(keepends=True)
        output.unlink()
        (tmp_path / ".r.jsonl.partial").write_bytes(b"".join(lines[:2]) + lines[2][:40])
        await run(server, source, output, "--evaluators", "relevance")
        assert len(server.requests) == 4
    assert len(read(output)) == 3
    assert not (tmp_path / ".r.jsonl.partial").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "nothing is asked; expected --evaluators with some of"),
        (("--evaluators", "relevanc"), 'there is no evaluator "relevanc". Did you mean "relevance"?'),
        (("--evaluators", "relevance", "--where", "id = 'none'"), "no row is selected by --where"),
        (("--evaluators", "relevance", "--labels", "labl"), 'there is no column "labl". Did you mean "label"?'),
        (("--evaluators", "relevance", "--labels", "label"), '"maybe" is no label for relevance; expected a number'),
        (("--evaluators", "relevance", "--api", "opena"), 'Did you mean "openai"?'),
        (("--evaluators", "relevance", "--model", "nobody-knows", "--budget-usd", "1"), "is not known"),
        (("--evaluators", "relevance", "--api-key-env", "SPANMILL_NO_SUCH"), "SPANMILL_NO_SUCH has no key"),
        (("--evaluators", "relevance", "--output", "r.txt"), "r.txt: expected a name that ends in .jsonl"),
        (("--evaluators", "relevance", "--evaluators-file", "/nowhere.yaml"), "/nowhere.yaml: No such file"),
    ],
)
async def test_a_mistake_is_said_before_anything_is_asked(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    source = write(tmp_path / "in.jsonl", numbered(2, label="maybe"))
    async with model_server() as server:
        result = await run(server, source, tmp_path / "r.jsonl", *arguments)
        assert server.requests == []
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.output
