"""What an operator mistypes or forgets gets an answer before anything runs."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from spanmill.config import read_configuration
from spanmill.errors import ConfigError

MODEL = {"model": "gpt-4o-mini", "api_key": "sk-x"}


def problems(judge: Any, tmp_path: Path, **service: Any) -> str:
    body = {
        "receivers": {"otlp": {"protocols": {"http": {}}}},
        "processors": {"llm_judge": judge},
        "exporters": {"duckdb": {"path": "x.duckdb"}, "otlp_http": {"traces_endpoint": "http://127.0.0.1:1/v1/traces"}},
        "service": {
            "pipelines": {
                "traces": {"receivers": ["otlp"], "processors": ["llm_judge"], "exporters": ["duckdb"]},
                **service,
            }
        },
    }
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(body, sort_keys=False))
    with pytest.raises(ConfigError) as caught:
        read_configuration([str(path)])
    return str(caught.value)


@pytest.mark.parametrize(
    ("judge", "says"),
    [
        ({"evaluators": ["relevance"]}, ["llm_judge.model"]),
        ({"model": {"model": "gpt-4o-mini"}, "evaluators": ["relevance"]}, ["wants a key", "base_url"]),
        ({"model": MODEL, "evaluators": ["relevance"], "share": 5}, ["not a share", "For 5 % write 0.05."]),
        ({"model": MODEL, "evaluators": ["relevence"]}, ["no evaluator", 'Did you mean "relevance"?']),
        ({"model": MODEL, "evaluators": []}, ["evaluators"]),
        ({"model": MODEL, "evaluators": ["relevance"], "where": "is_llm_cal"}, ["is_llm_cal", "is_llm_call"]),
        (
            {
                "model": MODEL,
                "evaluators": [{"name": "mine", "template": "Is {{output}} good?", "scale": {"type": "boolean"}}],
                "alerts": {"webhook": {"url": "https://example.com/x"}},
            },
            ["no evaluator has a threshold", "llm_judge.alerts"],
        ),
        (
            {"model": {**MODEL, "model": "house-model"}, "evaluators": ["relevance"], "budget": {"daily_usd": 5}},
            ["the price of house-model is not known", "limit tokens only"],
        ),
        (
            {"model": MODEL, "evaluators": ["relevance"], "models": {"gpt-4o": MODEL}},
            ["no evaluator asks this model", "llm_judge.models.gpt-4o"],
        ),
        ({"model": MODEL, "evaluators": ["relevance"], "max_age": "0s"}, ["no time"]),
        ({"model": MODEL, "evaluators": ["relevance"], "concurency": 3}, ['Did you mean "concurrency"?']),
    ],
)
def test_a_mistake_is_told_with_what_to_do(judge: Any, says: list[str], tmp_path: Path) -> None:
    told = problems(judge, tmp_path)
    for words in says:
        assert words in told


GOOD = {"model": MODEL, "evaluators": ["relevance"]}


def test_a_judge_has_one_pipeline(tmp_path: Path) -> None:
    other = {"traces/b": {"receivers": ["otlp"], "processors": ["llm_judge"], "exporters": ["duckdb"]}}
    assert "a judge has one pipeline" in problems(GOOD, tmp_path, **other)


def test_scores_that_nobody_takes_are_told(tmp_path: Path) -> None:
    alone = {"traces": {"receivers": ["otlp"], "processors": ["llm_judge"], "exporters": ["otlp_http"]}}
    told = problems(GOOD, tmp_path, **alone)
    assert "nobody takes the scores of llm_judge" in told
    assert "service.pipelines.traces.exporters" in told
