"""Prices that users write: what holds for which call, and what is wrong with what they wrote."""

from pathlib import Path
from typing import Any

import pytest

from spanmill.config import read_configuration
from spanmill.config.problems import Severity
from spanmill.errors import ConfigError
from tests.processors.llm_cost.spans import COST_OF_CALL, START, call, nano, priced

IN, OUT = 1000, 500
"""Tokens of `call()`."""


def _cost(entries: list[dict[str, Any]], **columns: Any) -> tuple[int | None, str]:
    (row,) = priced([call(1, **columns)], prices=entries)
    return nano(row["cost_usd"]), row["price_source"]


def test_a_price_of_the_users_goes_before_the_list() -> None:
    assert _cost([{"model": "gpt-4o", "input": 1, "output": 2}]) == (IN * 1000 + OUT * 2000, "override")


def test_an_entry_with_a_name_says_it() -> None:
    assert _cost([{"model": "gpt-4o", "input": 1, "output": 2, "name": "contract 7"}])[1] == "override: contract 7"


@pytest.mark.parametrize(
    "entry",
    [
        {"model": "QWEN2.5:7b"},
        {"model_glob": "qwen*"},
        {"model_glob": "Qwen2.?:[67]b"},
        {"model_regex": "qwen[0-9.]+:7B"},
        {"model_regex": ".*", "provider": "vLLM"},
    ],
)
def test_a_model_is_named_exactly_or_by_a_pattern_in_any_case(entry: dict[str, Any]) -> None:
    own = {"provider": "vllm", "request_model": "qwen2.5:7b"}
    assert _cost([entry | {"input": 1, "output": 1}], **own)[0] == 1500 * 1000


@pytest.mark.parametrize(
    "entry",
    [
        {"model": "qwen2.5"},
        {"model_glob": "qwen"},
        {"model_regex": "qwen"},
        {"model_glob": "*", "provider": "azure.ai.openai"},
    ],
)
def test_a_pattern_is_for_the_whole_name_and_a_provider_for_its_own_calls(entry: dict[str, Any]) -> None:
    own = {"provider": "vllm", "request_model": "qwen2.5:7b"}
    assert _cost([entry | {"input": 1, "output": 1}], **own)[0] is None


def test_a_provider_may_be_written_as_the_list_calls_it() -> None:
    entry = {"model": "prod", "provider": "azure", "input": 1, "output": 1}
    assert _cost([entry], provider="azure.ai.openai", request_model="prod")[0] == 1500 * 1000
    assert _cost([entry], provider="openai", request_model="prod")[0] is None


def test_an_azure_deployment_is_known_by_the_model_asked_for() -> None:
    """The answer says `gpt-4`, whatever the deployment."""
    entry = {"model": "prod-chat", "alias_of": {"provider": "openai", "model": "gpt-4o"}, "name": "prod-chat"}
    azure = {"provider": "azure.ai.openai", "request_model": "prod-chat", "response_model": "gpt-4"}
    assert _cost([entry], **azure) == (COST_OF_CALL, "override: prod-chat")


def test_an_entry_may_name_the_model_that_answered() -> None:
    entry = {"model": "gpt-4o-2024-08-06", "input": 1, "output": 1}
    assert _cost([entry], response_model="gpt-4o-2024-08-06")[0] == 1500 * 1000


def test_an_alias_has_the_service_tiers_of_its_model() -> None:
    entry = {"model": "prod", "alias_of": {"provider": "openai", "model": "gpt-5"}}
    azure = {"provider": "azure.ai.openai", "request_model": "prod"}
    assert _cost([entry], **azure, service_tier="priority", start=START + 10**16)[0] == IN * 2500 + OUT * 20_000


def test_the_first_entry_that_fits_counts() -> None:
    entries = [{"model_glob": "gpt-4*", "input": 1, "output": 1}, {"model": "gpt-4o", "input": 9, "output": 9}]
    assert _cost(entries)[0] == 1500 * 1000
    assert _cost(entries[::-1])[0] == 1500 * 9000


def test_of_several_versions_the_newest_that_is_valid_counts_in_whatever_order_they_stand() -> None:
    entries = [
        {"model": "gpt-4o", "input": 1, "output": 1, "valid_from": "2026-01-01"},
        {"model": "gpt-4o", "input": 3, "output": 3, "valid_from": "2026-09-21T14:13:20Z"},
        {"model": "gpt-4o", "input": 2, "output": 2, "valid_from": "2026-06-01T00:00:00+02:00"},
    ]
    rows = [call(n, trace=n, start=start) for n, start in enumerate([START, START - 1, 1_767_225_600 * 10**9], 1)]
    before = call(4, trace=4, start=1_767_225_600 * 10**9 - 1)
    costs = [(nano(row["cost_usd"]), row["price_source"]) for row in priced([*rows, before], prices=entries)]
    assert costs == [
        (1500 * 3000, "override"),
        (1500 * 2000, "override"),
        (1500 * 1000, "override"),
        (COST_OF_CALL, "genai-prices 0.2.3"),
    ]


def test_what_is_free_is_free_because_somebody_said_so() -> None:
    assert _cost([{"model": "own", "input": 0, "output": 0}], request_model="own") == (0, "override")


def test_a_price_for_one_side_does_not_make_the_other_free() -> None:
    cost, source = _cost([{"model": "own", "input": 1}], request_model="own")
    assert (cost, source) == (None, "unpriced: no price for all kinds of tokens")
    assert _cost([{"model": "own", "input": 1}], request_model="own", operation="embeddings", output_tokens=None)[0]


def test_a_kind_of_token_without_a_price_costs_what_its_side_costs() -> None:
    entry = {"model": "own", "input": 1, "output": 2}
    parts = {"cache_read_tokens": 100, "cache_write_tokens": 100, "audio_input_tokens": 100, "reasoning_tokens": 100}
    assert _cost([entry], request_model="own", **parts)[0] == IN * 1000 + OUT * 2000


def test_prices_for_each_kind_of_token_are_all_used() -> None:
    entry = {
        "model": "own",
        "input": 1,
        "cache_read": 2,
        "cache_write": 3,
        "cache_write_1h": 4,
        "audio_input": 5,
        "output": 6,
        "reasoning": 7,
        "audio_output": 8,
    }
    tokens = {
        "cache_read_tokens": 100,
        "cache_write_tokens": 300,
        "cache_write_1h_tokens": 100,
        "audio_input_tokens": 50,
        "reasoning_tokens": 10,
        "audio_output_tokens": 20,
    }
    expected = 550 * 1 + 100 * 2 + 200 * 3 + 100 * 4 + 50 * 5 + 470 * 6 + 10 * 7 + 20 * 8
    assert _cost([entry], request_model="own", **tokens)[0] == expected * 1000


def test_seconds_of_a_gpu_are_paid_for_without_token_counts() -> None:
    entry = {"model_glob": "*", "provider": "vllm", "per_second": 0.0005}
    vllm = {"provider": "vllm", "request_model": "llama"}
    assert _cost([entry], **vllm, seconds=2.5)[0] == 1_250_000
    assert _cost([entry], **vllm, seconds=2.5, tokens=None)[0] == 1_250_000
    assert _cost([entry], **vllm, seconds=2.5, tokens=None, failed=True)[0] == 1_250_000
    assert _cost([entry], **vllm, start=0)[1] == "unpriced: no duration"


def test_a_price_for_each_request_is_added_and_not_for_one_that_failed() -> None:
    entry = {"model": "own", "input": 1, "output": 1, "request": 0.01}
    assert _cost([entry], request_model="own")[0] == 1500 * 1000 + 10_000_000
    assert _cost([entry], request_model="own", tokens=None, failed=True) == (None, "no usage")


def test_long_prompts_have_prices_of_their_own() -> None:
    tiers = [{"above_input_tokens": 5000, "input": 3}, {"above_input_tokens": 900, "input": 2, "output": 4}]
    entry = {"model": "own", "input": 1, "output": 1, "tiers": tiers}
    costs = [_cost([entry], request_model="own", tokens=tokens)[0] for tokens in (900, 902, 6000)]
    assert costs == [900_000 + 450_000, 902 * 2000 + 451 * 4000, 6000 * 3000 + 3000 * 4000]


def test_service_tiers_multiply_or_replace_prices() -> None:
    entry = {
        "model": "own",
        "input": 2,
        "output": 4,
        "service_tiers": {"Batch": 0.5, "priority": {"input": 5}, "scale": "0.1"},
    }
    costs = [_cost([entry], request_model="own", service_tier=tier)[0] for tier in (None, "batch", "priority", "scale")]
    assert costs == [4_000_000, 2_000_000, 7_000_000, 400_000]


def test_a_multiplier_alone_is_a_discount_on_the_list() -> None:
    entry = {"model_glob": "*", "provider": "openai", "multiplier": 0.85, "name": "discount"}
    assert _cost([entry]) == (COST_OF_CALL * 85 // 100, "override: discount")
    assert _cost([entry], request_model="own")[1] == "unpriced: no price for this model"


def test_prices_with_many_places_are_exact() -> None:
    assert _cost([{"model": "own", "input": "0.083333333333", "output": 0}], request_model="own")[0] == 83_333


_FILE = """\
receivers:
  otlp: {{protocols: {{grpc: {{}}}}}}
processors:
  llm_cost:
    prices:
{entries}
exporters:
  debug: {{}}
service:
  pipelines:
    traces: {{receivers: [otlp], processors: [llm_cost], exporters: [debug]}}
"""

_WRONG = """\
      - {model: a, input: 0.0000025, output: 1}
      - {model: "gpt-*", input: 1}
      - {model: b, input: "$2.50"}
      - {model: c}
      - {model: d, input_cost_per_token: 0.000001}
      - {modle: e, input: 1}
      - {model: f, model_glob: f*, input: 1}
      - {model_regex: "(", input: 1}
      - {model: g, input: -1}
      - {model: h, input: 1, valid_from: soon}
      - {model: i, input: 1, alias_of: {provider: openai, model: gpt-4o}}
      - {model: j, multiplier: 5000}
"""


def _problems(tmp_path: Path, entries: str) -> list[str]:
    path = tmp_path / "c.yaml"
    path.write_text(_FILE.format(entries=entries.rstrip("\n")))
    with pytest.raises(ConfigError) as caught:
        read_configuration([str(path)], environ={})
    errors = [problem for problem in caught.value.problems if problem.severity is Severity.ERROR]
    return [problem.render().removeprefix(f"{path}:") for problem in errors]


def test_everything_that_is_wrong_with_entries_is_said_at_once_and_where(tmp_path: Path) -> None:
    problems = _problems(tmp_path, _WRONG)
    assert [problem.split(":")[0] for problem in problems] == [str(line) for line in range(6, 18)]
    text = "\n".join(problems)
    for part in (
        "prices[0].input: this looks like the price of one token; expected USD per million tokens",
        "found 2.5e-06. Write 2.5.",
        "Write model_glob: 'gpt-*'.",
        'not a price; expected USD per million tokens; found "$2.50". Write 2.50.',
        "prices[3]: the entry has no price",
        "For a model that costs nothing write `input: 0` and `output: 0`.",
        "`input_cost_per_token` cannot be used: write `input`, in USD per million tokens",
        "unknown key `modle`",
        "both `model` and `model_glob` are written",
        "not a regular expression",
        "a price is a number from 0",
        "not a date; expected a date such as 2026-01-31",
        "an entry has either prices or `alias_of`",
        "the multiplier is too high",
    ):
        assert part in text


def test_entries_that_can_never_count_and_unknown_aliases_are_errors(tmp_path: Path) -> None:
    problems = _problems(
        tmp_path,
        """\
      - {model: a, input: 1, output: 1}
      - {model: A, input: 2, output: 2}
      - {model: b, alias_of: {provider: opneai, model: gpt-4o}}
      - {model: c, alias_of: {provider: openai, model: gpt-40}}
      - {model: d, alias_of: {provider: azure, model: gpt-4o}}
""",
    )
    assert [problem.split(":")[0] for problem in problems] == ["7", "8", "9"]
    assert "the entry never counts: `prices[0]` is for the same calls" in problems[0]
    assert 'Did you mean "openai"?' in problems[1]
    assert "genai-prices 0.2.3 has no such model of openai" in problems[2]
    assert 'Did you mean "gpt-4"?' in problems[2]
