"""Which labels there are, how many values they may have, and what becomes of series that nobody needs any more."""

from typing import Any

import pytest
from pydantic import ValidationError

from spanmill.exporters.prometheus.config import PrometheusExporterConfig
from spanmill.signal import Signal
from tests.exporters.prometheus.llm.spans import Counted, call, totals, usd

REQUESTS = "llm_requests_total"
OVERFLOWED = "llm_metrics_overflowed_label_values_total"


def counted(page: Counted, label: str, name: str = REQUESTS) -> dict[str, float]:
    """Calls by one label's values."""
    found: dict[str, float] = {}
    for labels, value in page.named(name).items():
        key = dict(labels).get(label, "")
        found[key] = found.get(key, 0) + value
    return found


def test_labels_come_from_columns_attributes_and_resource_attributes() -> None:
    labels = {
        "team": None,
        "user": None,
        "env": {"column": "environment"},
        "tenant": {"attribute": "tenant.id"},
        "region": {"resource_attribute": "cloud.region"},
        "service": None,
        "streaming": None,
    }
    page = Counted(labels=labels)
    page.send(
        {"is_llm_call": None, "team": "nobody"},
        call(
            team="search",
            user_id="u1",
            environment="prod",
            streaming=True,
            attributes={"tenant.id": 7, "x": "y"},
            resource={"cloud.region": "eu-1", "service.name": "shop"},
        ),
        call(),
    )
    (full,) = (
        dict(labels) for labels in page.named(REQUESTS) if ("team", "search") in labels and ("status", "ok") in labels
    )
    del full["status"]
    assert full == {
        "model": "gpt-4o", "team": "search", "user": "u1", "env": "prod", "tenant": "7", "region": "eu-1",
        "service": "shop", "streaming": "true",
    }  # fmt: skip
    assert counted(page, "team") == {"search": 1, "": 1}
    assert page.value(REQUESTS, model="gpt-4o", status="ok") == 1


def test_a_label_may_be_for_some_metrics_only() -> None:
    page = Counted(labels={"user": {"metrics": ["llm_cost_usd_total"]}})
    page.send(*(call(user_id=f"u{number}", cost_usd=usd(1)) for number in range(3)))
    assert counted(page, "user", "llm_cost_usd_total") == {"u0": 1, "u1": 1, "u2": 1}
    assert page.named("llm_latency_seconds_count") == {frozenset({("model", "gpt-4o")}): 3}


def test_opentelemetrys_own_metrics_have_the_conventions_labels_only() -> None:
    page = Counted(labels=["team"])
    page.send(call(team="search", operation="chat", provider="openai", response_model="m", input_tokens=3))
    (labels,) = page.named("gen_ai_client_token_usage_sum")
    assert dict(labels) == {
        "gen_ai_operation_name": "chat",
        "gen_ai_provider_name": "openai",
        "gen_ai_request_model": "gpt-4o",
        "gen_ai_response_model": "m",
        "gen_ai_token_type": "input",
    }


@pytest.mark.parametrize("in_one_batch", [True, False])
def test_values_beyond_the_limit_are_counted_as_other_and_said_to_be(in_one_batch: bool) -> None:
    page = Counted(labels={"team": {"max_values": 3}}, max_values={"model": 2})
    rows = [call(team=f"t{number % 8}", request_model=f"m{number % 3}") for number in range(24)]
    for some in [rows] if in_one_batch else [[row] for row in rows]:
        page.send(*some)
    assert set(counted(page, "team")) == {"t0", "t1", "t2", "other"}
    assert counted(page, "team")["other"] == 15
    assert counted(page, "model") == {"m0": 8, "m1": 8, "other": 8}
    assert page.value(OVERFLOWED, label="team") == 15
    assert page.value(OVERFLOWED, label="model") == 8
    assert page.value(OVERFLOWED, label="gen_ai_request_model") == 8
    page.send(call(team="t1"), call(team=None))
    assert counted(page, "team")["t1"] == 4
    assert page.value(OVERFLOWED, label="team") == 15


def test_a_value_that_is_called_other_is_no_overflow() -> None:
    page = Counted(labels={"team": {"max_values": 1}})
    page.send(call(team="other"), call(team="a"))
    assert counted(page, "team") == {"other": 1, "a": 1}
    assert page.named(OVERFLOWED) == {}


def test_endless_values_are_cut() -> None:
    page = Counted(labels=["team"])
    for _ in range(2):
        page.send(call(team="x" * 5_000 + "1"), call(team="x" * 5_000 + "2"))
    assert counted(page, "team") == {"x" * 200: 4}


def test_more_labels_than_fit_into_one_integer_keep_every_combination_apart() -> None:
    columns = ("team", "environment", "language", "release", "user_id", "session_id", "agent_name", "tool_name")
    labels = {name: {"column": name, "max_values": 1_000_000} for name in columns}
    page = Counted(labels=labels, max_lines=10**9)
    rows = [
        call(**{name: f"{name}-{number >> place & 1}" for place, name in enumerate(columns)}) for number in range(256)
    ]
    page.send(*rows)
    page.send(*reversed(rows))
    ok = {labels: value for labels, value in page.named(REQUESTS).items() if ("status", "ok") in labels}
    assert len(ok) == 256
    assert set(ok.values()) == {2}


def test_a_full_page_keeps_counting_what_it_has_and_says_how_many_calls_have_no_series() -> None:
    page = Counted(max_lines=400)
    lost = page.send(*(call(request_model=f"m{number}") for number in range(100)))
    held = counted(page, "gen_ai_request_model", "gen_ai_client_operation_duration_seconds_count")
    assert 1 < len(held) < 100
    assert lost == 100 - len(held)
    assert page.metrics.lines <= 400
    assert page.send(call(request_model="m0"), call(request_model="m99")) == 1
    assert counted(page, "model", "llm_latency_seconds_count")["m0"] == 2


def test_idle_series_go_away_and_begin_from_zero_when_they_come_back() -> None:
    page = Counted(idle_expiration="1h")
    page.send(call(input_tokens=5, error_type="timeout"), call(request_model="b", input_tokens=7))
    page.clock.now += 2_400
    page.send(call(request_model="b", input_tokens=7))
    page.clock.now += 2_400
    assert counted(page, "model") == {"b": 2}
    assert page.value("llm_tokens_total", model="b", type="input") == 14
    page.send(call(input_tokens=5))
    assert page.value("llm_tokens_total", model="gpt-4o", type="input") == 5
    assert page.value(REQUESTS, model="gpt-4o", status="error") == 0
    assert page.value("llm_latency_seconds_count", model="gpt-4o") == 1
    assert page.value("llm_latency_seconds_count", model="b") == 2
    page.clock.now += 7_200
    assert page.series() == {}
    assert page.metrics.lines == 0


def test_a_series_may_go_while_others_of_its_labels_stay() -> None:
    page = Counted(idle_expiration="1h")
    page.send(call(input_tokens=5, cache_read_tokens=3))
    page.clock.now += 2_400
    page.send(call(input_tokens=5))
    page.clock.now += 2_400
    page.send(call(input_tokens=5))
    assert page.value("llm_tokens_total", model="gpt-4o", type="cache_read") is None
    assert page.value("llm_tokens_total", model="gpt-4o", type="input") == 15
    page.send(call(cache_read_tokens=4))
    assert page.value("llm_tokens_total", model="gpt-4o", type="cache_read") == 4


def test_idle_values_make_room_for_others() -> None:
    page = Counted(idle_expiration="1h", max_values={"model": 1}, max_lines=300)
    page.send(call(request_model="old"))
    page.clock.now += 7_200
    for _ in range(2):
        page.send(call(request_model="new"))
    assert counted(page, "model") == {"new": 2}
    assert page.named(OVERFLOWED) == {}


def test_many_comings_and_goings_lose_nothing_of_what_stays() -> None:
    page = Counted(idle_expiration="1h", max_lines=100_000)
    for turn in range(12):
        page.send(call(request_model="stays", input_tokens=1), *(
            call(request_model=f"m{turn}-{number}", feature=f"f{number}", input_tokens=1) for number in range(turn)
        ))  # fmt: skip
        page.clock.now += 2_000
    assert page.value("llm_tokens_total", model="stays", type="input") == 12
    assert totals(page.series(), ["llm_tokens_total"])["llm_tokens_total"] == 12 + 11


def test_a_page_that_is_read_does_not_make_label_sets_be_found_out_again() -> None:
    page = Counted()
    page.send(call(), call(request_model="b"))
    known = page.metrics._combinations
    for _ in range(3):
        page.text()
        page.send(call(), call(request_model="b"))
    assert page.metrics._combinations is known
    assert len(known) == 2


def config(**llm: Any) -> PrometheusExporterConfig:
    return PrometheusExporterConfig.model_validate({"endpoint": "localhost:1", "llm": llm})


@pytest.mark.parametrize(
    ("llm", "problem"),
    [
        ({"labels": ["feature"]}, "the name `feature` is taken"),
        ({"labels": {"error_type": None}}, "the name `error_type` is taken"),
        ({"labels": {"a-b": {"attribute": "a.b"}}}, "`a-b` cannot be the name of a label"),
        ({"labels": {"gen_ai_x": {"attribute": "x"}}}, "`gen_ai_x` cannot be the name of a label"),
        ({"labels": {"a": {"attribute": "x", "column": "y"}}}, "the label has several sources"),
        ({"labels": {"team": {"max_values": 0}}}, "greater than 0"),
        ({"labels": {"team": {"metrics": ["llm_requests"]}}}, "llm_requests_total"),
        ({"buckets": {"latency": [1, 0.5]}}, "the buckets do not ascend"),
        ({"buckets": {"latency": []}}, "the buckets do not ascend"),
        ({"cache_hit_window": 0}, "the window is empty"),
        ({"idle_expiration": 0}, "series would go at once"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(llm: Any, problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        config(**llm)


def test_a_label_whose_column_does_not_exist_is_found_before_the_start() -> None:
    found = config(labels={"tenant": None, "text": "output", "tokens": {"column": "input_tokens"}, "team": None})
    assert [(misfit.path, misfit.problem) for misfit in found.misfits(Signal.TRACES)] == [
        (("llm", "labels", "tenant"), "`tenant` is no column that can be a label"),
        (("llm", "labels", "text", "column"), "`output` is no column that can be a label"),
        (("llm", "labels", "tokens", "column"), "`input_tokens` is no column that can be a label"),
    ]
    assert list(found.misfits(Signal.METRICS)) == []
