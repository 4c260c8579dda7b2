"""`spanmill gate` over real files: what passes, what does not, and what CI is told."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from spanmill.cli import app
from tests.offline.making import call, evaluation, store

Row = dict[str, Any]


def gate(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["gate", *map(str, arguments)])


def rows(scores: Sequence[float | None], name: str = "relevance", **columns: object) -> list[Row]:
    return [
        {"id": f"{name}-{index}", "name": name, "score": score, "outcome": "failed" if score is None else "scored"}
        | columns
        for index, score in enumerate(scores)
    ]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(lines: list[Row], name: str = "results.jsonl") -> Path:
        path = tmp_path / name
        if path.suffix == ".parquet":
            pq.write_table(pa.Table.from_pylist(lines), path)
        else:
            path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return path

    return write


Write = Callable[..., Path]


@pytest.mark.parametrize("name", ["results.jsonl", "results.parquet"])
def test_good_enough_scores_exit_0_and_others_1(write: Write, name: str) -> None:
    path = write(rows([0.6, 0.8] * 10), name)
    assert gate(path, "--min", 0.7).exit_code == 0
    result = gate(path, "--min", 0.71)
    assert result.exit_code == 1
    assert "relevance: the mean, 0.700, is below 0.71" in result.stdout


def test_rows_count_as_many_as_they_stand_for(write: Write) -> None:
    path = write(rows([1.0] * 10, sample_weight=1.0) + rows([0.0] * 10, sample_weight=9.0, id="x"))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for index, line in enumerate(lines):
        line["id"] = str(index)
    result = gate(write(lines), "--min", 0.5, "--format", "json")
    assert json.loads(result.stdout)["parts"][0]["mean"]["value"] == pytest.approx(0.1)
    assert result.exit_code == 1


def test_an_evaluator_may_have_a_minimum_of_its_own(write: Write) -> None:
    path = write(rows([0.9] * 20) + rows([0.6] * 20, "safety"))
    assert gate(path, "--min", 0.5, "--min", "relevance=0.95").exit_code == 1
    assert gate(path, "--min", 0.8, "--min", "safety=0.5").exit_code == 0
    assert gate(path, "--min", 0.8, "--evaluator", "relevance").exit_code == 0


def test_a_bad_language_shuts_the_gate_though_the_whole_is_good(write: Write) -> None:
    path = write(
        rows([0.9] * 80, language="en") + [row | {"id": row["id"] + "k"} for row in rows([0.4] * 20, language="ko")]
    )
    assert gate(path, "--min", 0.7).exit_code == 0
    result = gate(path, "--min", 0.7, "--by", "language")
    assert result.exit_code == 1
    assert "relevance, language=ko: the mean, 0.400, is below 0.7" in result.stdout


def test_a_group_of_few_is_shown_and_not_judged_but_counts_in_the_whole(write: Write) -> None:
    path = write(rows([0.9] * 80, language="en") + rows([0.0] * 3, language="fr"))
    result = gate(path, "--min", 0.7, "--by", "language")
    assert result.exit_code == 0
    assert "too few" in result.stdout
    assert gate(path, "--min", 0.7, "--by", "language", "--min-count", 3).exit_code == 1


def test_an_evaluator_with_few_scores_does_not_pass_however_good(write: Write) -> None:
    path = write(rows([1.0] * 9))
    result = gate(path, "--min", 0.1)
    assert result.exit_code == 1
    assert "9 scores are too few; expected 10" in result.stdout
    assert gate(path, "--min", 0.1, "--min-count", 9).exit_code == 0


def test_failed_answers_beyond_their_share_shut_the_gate(write: Write) -> None:
    path = write(rows([1.0] * 18 + [None] * 2))
    result = gate(path, "--min", 0.7)
    assert result.exit_code == 1
    assert "2 of 20 answers failed; at most 5% may" in result.stdout
    assert gate(path, "--min", 0.7, "--max-failed", 0.1).exit_code == 0


def test_skipped_rows_are_counted_and_held_against_nobody(write: Write) -> None:
    path = write(rows([1.0] * 20) + [row | {"id": "s", "outcome": "skipped"} for row in rows([None])])
    result = gate(path, "--min", 0.7, "--format", "json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["parts"][0]["skipped"] == 1


def test_of_a_row_that_was_asked_again_the_last_verdict_counts(write: Write) -> None:
    path = write(rows([None] * 20) + rows([0.9] * 20))
    result = gate(path, "--min", 0.7, "--format", "json")
    assert json.loads(result.stdout)["parts"][0]["failed"] == 0
    assert result.exit_code == 0


def test_results_without_rows_never_pass(write: Write, tmp_path: Path) -> None:
    empty = write([], "empty.jsonl")
    (tmp_path / "header.jsonl").write_text('{"name": "relevance", "score": 0.9}\n')
    assert gate(empty, "--min", 0).exit_code != 0
    result = gate(tmp_path / "header.jsonl", "--min", 0, "--where", "score > 1", "--format", "junit")
    assert result.exit_code == 1
    assert "there are no verdicts; an empty result does not pass" in result.stderr
    assert ET.fromstring(result.stdout).get("failures") == "1"


def test_a_drop_from_the_baseline_is_told_in_pairs_and_shuts_the_gate(write: Write) -> None:
    old = write(rows([0.8, 0.9] * 20), "old.jsonl")
    new = write(rows([0.7, 0.8] * 20), "new.jsonl")
    result = gate(new, "--baseline", old, "--format", "json")
    (part,) = json.loads(result.stdout)["parts"]
    assert result.exit_code == 1
    assert part["pairs"] == 40
    assert part["change"]["value"] == pytest.approx(-0.1)
    assert part["change"]["low"] < -0.1 < part["change"]["high"] < 0
    assert gate(new, "--baseline", old, "--max-drop", 0.1).exit_code == 0


def test_results_of_other_rows_are_compared_by_their_means(write: Write) -> None:
    old = write([row | {"id": "old" + row["id"]} for row in rows([0.8, 0.9] * 20)], "old.jsonl")
    result = gate(write(rows([0.8, 0.9] * 20)), "--baseline", old, "--format", "json")
    (part,) = json.loads(result.stdout)["parts"]
    assert part["pairs"] == 0
    assert part["change"]["value"] == pytest.approx(0)
    assert result.exit_code == 0


def test_what_the_baseline_has_and_the_results_lack_does_not_pass(write: Write) -> None:
    old = write(rows([0.9] * 20, language="en") + rows([0.9] * 20, "safety", language="ko"), "old.jsonl")
    result = gate(write(rows([0.9] * 20, language="en")), "--baseline", old)
    assert result.exit_code == 1
    assert "safety: the baseline has it, the results do not" in result.stdout


def test_what_the_baseline_lacks_is_noted_and_not_compared(write: Write) -> None:
    old = write(rows([0.9] * 20), "old.jsonl")
    result = gate(write(rows([0.9] * 20) + rows([0.5] * 20, "safety")), "--baseline", old)
    assert result.exit_code == 0
    assert "note: safety: the baseline has none" in result.stdout


def test_strictly_what_is_not_sure_does_not_pass(write: Write) -> None:
    path = write(rows([0.7, 0.8] * 10))
    assert gate(path, "--min", 0.7).exit_code == 0
    result = gate(path, "--min", 0.7, "--strict")
    assert result.exit_code == 1
    assert "the lower end of the interval" in result.stdout


def test_verdicts_of_another_version_of_the_evaluator_are_noted(write: Write) -> None:
    old = write(rows([0.9] * 20, template_hash="aa"), "old.jsonl")
    result = gate(write(rows([0.9] * 20, template_hash="bb")), "--baseline", old)
    assert "note: relevance: the baseline is of another version" in result.stdout


def test_junit_is_well_formed_whatever_the_data_holds_and_counts_what_it_says(write: Write, tmp_path: Path) -> None:
    evil = "]]><!ENTITY x SYSTEM 'file:///etc/passwd'>\x00\x1b[31m&\"\ufffe"
    path = write(rows([0.9] * 20, language="en") + [r | {"id": "k" + r["id"]} for r in rows([0.2] * 20, language=evil)])
    report = tmp_path / "gate.xml"
    result = gate(path, "--min", 0.5, "--by", "language", "--format", "junit", "--output", report)
    assert result.exit_code == 1
    assert "language=en" in result.stdout  # a table beside the file
    assert "\x1b" not in result.stdout
    text = report.read_text()
    assert "<!" not in text.replace("&lt;!", "")
    (suite,) = ET.fromstring(text)
    cases = suite.findall("testcase")
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")
    assert [case.find("failure") is not None for case in cases] == [False, True, False]


async def test_the_evaluations_of_a_store_are_results_too(tmp_path: Path) -> None:
    verdicts = [evaluation(n, "relevance", 0.9) for n in range(1, 13)]
    people = [evaluation(n, "thumbs", 0.0, source="person") for n in range(1, 13)]
    lake = await store(tmp_path / "lake", [call(f"Question {n}", "x") for n in range(12)], [*verdicts, *people])
    assert gate(lake, "--min", 0.7, "--where", "source = 'judge'").exit_code == 0
    result = gate(lake, "--min", 0.7)
    assert result.exit_code == 1
    assert "thumbs: the mean, 0.000, is below 0.7" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "nothing is asked of the results; expected --min"),
        (("--min", "7"), "--min 7: expected a number from 0 to 1, or evaluator=number"),
        (("--min", "nan"), "expected a number from 0 to 1"),
        (("--min", "0.7", "--min", "0.8"), "--min is there twice without an evaluator"),
        (("--min", "0.7", "--max-drop", "0.1"), "--max-drop compares with a baseline, which is missing"),
        (("--min", "relevanc=0.7"), 'there is no evaluator "relevanc". Did you mean "relevance"?'),
        (("--min", "0.7", "--evaluator", "safty"), 'there is no evaluator "safty". There is: relevance.'),
        (("--min", "0.7", "--by", "langage"), 'there is no column "langage". Did you mean "language"?'),
        (("--min", "0.7", "--where", "lang = 'ko'"), "Columns: id, name, score, outcome, language."),
        (("--min", "0.7", "--where", "score >"), "--where: Parser Error"),
        (("--min", "0.7", "--where", "1=1) limit 1; select (2"), "--where: expected one condition"),
        (("--min", "0.7", "--where", "id in (select content from read_text('/etc/hostname'))"), "disabled"),
        (("--min", "0.7", "--output", "/nowhere/x.xml"), "/nowhere/x.xml: there is no directory /nowhere"),
        (("--min", "0.7", "--baseline", "/nowhere/x.jsonl"), "/nowhere/x.jsonl: there is no such file"),
    ],
)
def test_a_mistake_is_said_in_a_sentence_with_exit_code_2(write: Write, arguments: tuple[str, ...], said: str) -> None:
    result = gate(write(rows([0.9] * 20, language="en")), *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"name": "a", "score": 4.5}', "a has a score of 4.5; expected 0 to 1"),
        ('{"name": "a", "score": 0.5, "sample_weight": 0}', "sample_weight of 0; expected more than 0"),
        ('{"input": "a"}', "they lack the columns name and score"),
        ('{"name": "a"}\n{"name"', "x.jsonl:2: not JSON"),
        ('[{"name": "a"}]', "x.jsonl:1: not an object; expected one object in each line"),
    ],
)
def test_results_that_are_none_are_refused_with_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(text + "\n")
    result = gate(path, "--min", 0.5)
    assert result.exit_code == 2
    assert said in result.stderr
