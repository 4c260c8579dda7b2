"""`kill -9` while a judge waits for a slow model: every chosen call has one verdict of each judge in the end."""

import asyncio
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import orjson
import pytest

from spanmill.exit_codes import ExitCode
from spanmill.generate.collector import Collector, free_ports, own_page, storing_configuration
from spanmill.generate.options import Protocol
from spanmill.query.session import open_session
from tests.delivery.judged import traffic
from tests.delivery.judged.gateway import until, verdict
from tests.judge.model_server import ModelServer, model_server

EVALUATORS = ("relevance", "safety")
CONCURRENCY = 4
ANSWER_SECONDS = 0.05
ANSWER_TOKENS = 120
"""That the model server says a question takes."""
UNDER_WAY = 8 * CONCURRENCY
"""Most questions that a kill may catch: those that are asked, and those whose verdicts wait a moment for others."""
MOST_TOKENS = 3_000
"""Above what a question is expected to take: some 1,300 of text, and 1,024 of answer."""
STARTING_SECONDS, EARLY = 1.5, 0.2
"""A part of the runs is cut short while it is still starting."""


class Found(NamedTuple):
    """What a judge that was killed again and again leaves behind."""

    expected: set[tuple[str, str]]
    """Evaluator and span of every verdict that there should be."""
    verdicts: Counter[tuple[str, str]]
    asked: Counter[str]
    """The texts of the requests that the model saw."""
    spent_tokens: int
    """In the state file."""


def configuration(directory: Path, ports: dict[str, int], model: str) -> dict[str, Any]:
    made = storing_configuration(ports, parquet={"directory": str(directory / "parquet"), "max_age": "200ms"})
    made["processors"] = {
        "gen_ai_normalizer": None,
        "llm_judge": {
            "model": {"model": "gpt-4o-mini", "base_url": model},
            "evaluators": list(EVALUATORS),
            "share": 1.0,
            "concurrency": CONCURRENCY,
            "budget": {"monthly_tokens": 10**9},
        },
    }
    made["service"]["pipelines"]["traces"]["processors"] = list(made["processors"])
    return made


async def kill_again_and_again(directory: Path, kills: int, calls: int, seed: int) -> Found:
    """So many calls come before each kill, and once more before the end."""
    random, expected = Random(seed), set[tuple[str, str]]()
    ports = dict(zip(("grpc", "http", "health", "metrics"), free_ports(4), strict=True))
    async with model_server(always=verdict, seconds=ANSWER_SECONDS) as server:
        collector = Collector(directory, configuration(directory, ports, server.url), ports["health"])
        try:
            for number in range(kills + 1):
                if 0 < number < kills and random.random() < EARLY:
                    await asyncio.to_thread(collector.spawn)
                    await asyncio.sleep(random.uniform(0, STARTING_SECONDS))
                    collector.kill()
                await asyncio.to_thread(collector.start)
                first = number * calls
                target, numbers = f"http://127.0.0.1:{ports['grpc']}", range(first, first + calls)
                sent = await asyncio.to_thread(traffic.send, Protocol.GRPC, target, numbers, seed + number)
                expected |= {(name, each.call_id) for each in sent for name in EVALUATORS}
                if number < kills:
                    await _in_the_middle(server, random)
                    collector.kill()
            await until(lambda: asyncio.to_thread(_is_done, ports, directory, len(expected)), collector)
            assert await asyncio.to_thread(collector.stop) == ExitCode.OK
        finally:
            collector.kill()
        asked = Counter(repr(body["messages"]) for body in server.requests)
    return Found(expected, Counter(_verdicts(directory)), asked, _spent(directory))


async def _in_the_middle(server: ModelServer, random: Random) -> None:
    """Wait until the model is being asked, and a moment more."""
    await server.until(len(server.requests) + 1)
    await asyncio.sleep(random.uniform(0, 6 * ANSWER_SECONDS))


def _is_done(ports: dict[str, int], directory: Path, count: int) -> bool:
    return not own_page(ports["metrics"])["spanmill_llm_judge_waiting_samples"] and len(_verdicts(directory)) >= count


def _verdicts(directory: Path) -> list[tuple[str, str]]:
    with open_session(directory / "parquet", progress=False) as session:
        found: list[tuple[str, str]] = session.execute(
            "SELECT name, span_id FROM evaluations WHERE source = 'judge' AND outcome = 'scored'"
        ).fetchall()
    return found


def _spent(directory: Path) -> int:
    body = (directory / "data/journal/judges/llm_judge/state.json").read_bytes().split(b"\n", 1)[1]
    tokens: int = sum(tokens for period, _, tokens, _ in orjson.loads(body)["spent"] if period == "month")
    return tokens


def check(found: Found, kills: int) -> None:
    """One verdict for each; nobody asked again but for what was under way; and all of it counted as spent."""
    assert found.verdicts == dict.fromkeys(found.expected, 1)
    requests, under_way = found.asked.total(), kills * UNDER_WAY
    assert len(found.asked) == len(found.expected)
    assert requests - len(found.expected) <= under_way
    assert 0 <= found.spent_tokens - requests * ANSWER_TOKENS <= under_way * MOST_TOKENS


def test_after_kill_9_every_call_has_one_verdict_and_what_was_spent_is_known(tmp_path: Path) -> None:
    check(asyncio.run(kill_again_and_again(tmp_path, kills=2, calls=12, seed=7)), 2)


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_after_many_kill_9_every_call_has_one_verdict_and_what_was_spent_is_known(tmp_path: Path) -> None:
    check(asyncio.run(kill_again_and_again(tmp_path, kills=30, calls=20, seed=8)), 30)
