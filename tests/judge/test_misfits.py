from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from pydantic.json_schema import models_json_schema

from spanmill.config.base import Misfit
from spanmill.judge.config import EvaluatorConfig
from spanmill.judge.making import evaluators_of
from spanmill.judge.misfits import evaluator_misfits
from tests.judge.rows import config


def only(*configs: EvaluatorConfig) -> Misfit:
    (misfit,) = evaluator_misfits(configs)
    return misfit


def refused(**keys: Any) -> dict[str, Any]:
    with pytest.raises(ValidationError) as raised:
        config(**keys)
    (error,) = raised.value.errors()
    return error["ctx"]


def test_evaluators_without_mistakes_have_no_misfits() -> None:
    assert list(evaluator_misfits([config(), EvaluatorConfig.model_validate("safety")])) == []


def test_a_misspelt_name_of_the_pack_is_recognised() -> None:
    misfit = only(EvaluatorConfig.model_validate("relevence"))
    assert misfit.path == (0, "use")
    assert misfit.hint == 'Did you mean "relevance"?'
    assert "faithfulness" in misfit.expected


def test_two_evaluators_cannot_have_one_name() -> None:
    misfit = only(config(), config(template="Else? {{input}}"))
    assert misfit.path == (1, "name")
    assert misfit.problem == 'evaluators 0 and 1 are both named "tone"'


@pytest.mark.parametrize(
    ("keys", "path", "problem", "hint"),
    [
        (
            {"template": "{{outptu}}"},
            ("template",),
            "the template's {{outptu}} comes from nowhere",
            'Did you mean "output"?',
        ),
        (
            {"template": "{answer} {{output}}", "variables": {"answer": "output"}},
            ("variables", "answer"),
            "the template does not use this variable",
            "A variable has two braces: {{answer}}.",
        ),
        (
            {"variables": {"output": "outputs"}},
            ("variables", "output"),
            'spans have no column "outputs"',
            'Did you mean "output"?',
        ),
        (
            {"variables": {"output": "app.answer"}},
            ("variables", "output"),
            'spans have no column "app.answer"',
            "An attribute is written attributes['name'].",
        ),
        ({"template": "Is it polite?"}, ("template",), "the template shows nothing of the span", ""),
        ({"template": "{{#a}}"}, ("template",), "the section of a is not closed", "Write {{/a}} where it ends."),
        (
            {"threshold": 4, "scale": {"type": "number", "range": [1, 5]}},
            ("threshold",),
            "the threshold is no score",
            "On this scale 4 is 0.75.",
        ),
        (
            {"threshold": 2, "scale": {"type": "number", "range": [1, 5], "lower_is_better": True}},
            ("threshold",),
            "the threshold is no score",
            "On this scale 2 is 0.75.",
        ),
        ({"where": "modle = 'x'"}, ("where",), "spans has no column modle", None),
        ({"template": None, "template_file": "gone.txt"}, ("template_file",), "the file cannot be read", ""),
        (
            {"template": None, "templates": {"en": "{{output}}"}, "language": "ko"},
            ("language",),
            "there is no template in this language",
            "",
        ),
    ],
)
def test_what_does_not_fit_together_is_said(
    keys: dict[str, Any], path: tuple[str, ...], problem: str, hint: str | None
) -> None:
    misfit = only(config(**keys))
    assert misfit.path == (0, *path)
    assert misfit.problem.startswith(problem)
    assert misfit.expected
    assert hint is None or misfit.hint == hint


@pytest.mark.parametrize(
    ("keys", "problem", "hint"),
    [
        (
            {"scale": {"type": "category", "labels": ["good", "bad"]}},
            "the labels have no scores",
            "Write {good: 1, fair: 0.5, bad: 0}.",
        ),
        (
            {"scale": {"type": "category", "labels": {"good": None, "bad": None}}},
            "the labels have no scores",
            "Write {good: 1, fair: 0.5, bad: 0}.",
        ),
        (
            {"scale": {"type": "category", "labels": {True: 1, False: 0}}},
            "a label is not a text",
            "Put labels such as yes, no and 1 in quotes.",
        ),
        ({"scale": {"type": "category", "labels": {"good": 1}}}, "the labels leave no choice", ""),
        ({"scale": {"type": "category", "labels": {"a": 1, "A": 0}}}, "two labels differ only in case", ""),
        ({"scale": {"type": "boolean", "labels": {"a": 1, "b": 0}}}, "a boolean has no labels", ""),
        ({"scale": {"type": "boolean", "range": [0, 1]}}, "a boolean has no range", ""),
        (
            {"scale": {"type": "number", "range": [5, 1]}},
            "the range is empty",
            "For a scale on which low numbers are good write `lower_is_better: true`.",
        ),
        ({"share": 5}, "not a share", "For 5 % write 0.05."),
        ({"share": 0}, "not a share", ""),
        ({"name": "my tone"}, "not a name", ""),
        ({"language": "ko-KR"}, "not a language", ""),
        ({"use": "safety"}, "both `use` and `template` are written", ""),
        ({"template": None}, "nothing is asked", ""),
        ({"name": None}, "the evaluator has no name", ""),
        ({"scale": None}, "it is not said what the judge may answer", "Write scale: {type: boolean}."),
        ({"variables": {"output": {"from": "trace", "column": "documents"}}}, "it is not said which spans", None),
        ({"variables": {"output": {"column": "a", "attribute": "b"}}}, "a variable has one source", ""),
        ({"variables": {"the output": "output"}}, '"the output" is not a variable\'s name', ""),
    ],
)
def test_what_can_never_work_is_refused_with_what_to_write(
    keys: dict[str, Any], problem: str, hint: str | None
) -> None:
    error = refused(**keys)
    assert error["problem"].startswith(problem)
    assert hint is None or error["hint"] == hint


def test_templates_may_be_in_files(tmp_path: Path) -> None:
    file = tmp_path / "tone.txt"
    file.write_text("Is it polite?\n{{output}}", encoding="utf-8")
    own = config(template=None, template_file=str(file))
    assert list(evaluator_misfits([own])) == []
    assert evaluators_of([own])[0].template_hash == evaluators_of([config()])[0].template_hash
    file.write_bytes(b"\xff\xfe")
    assert only(own).problem == "the file is not UTF-8"


def test_sources_may_be_written_short() -> None:
    short = config(
        template="{{a}}{{b}}{{c}}{{d}}",
        variables={
            "a": "output", "b": "attributes['x.y']", "c": ["documents", 'attributes["z"]'],
            "d": {"from": "trace", "operation": "retrieval", "column": "documents"},
        },
    )  # fmt: skip
    assert list(evaluator_misfits([short])) == []
    variables = evaluators_of([short])[0].variables
    assert [(each.column, each.attribute, each.operation) for each in variables["c"] + variables["d"]] == [
        ("documents", "", ""), ("", "z", ""), ("documents", "", "retrieval"),
    ]  # fmt: skip
    assert variables["b"][0].attribute == "x.y"
    assert evaluators_of([short])[0].needs_trace


def test_editors_take_the_name_of_an_evaluator_for_an_evaluator() -> None:
    _, joint = models_json_schema([(EvaluatorConfig, "validation")])
    whole, short = joint["$defs"]["EvaluatorConfig"]["anyOf"]
    assert short == {"type": "string"}
    assert "threshold" in whole["properties"]
