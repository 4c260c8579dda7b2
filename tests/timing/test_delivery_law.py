"""The law of deliveries: what was appended was delivered, or given up with a dead letter, or is still held."""

import asyncio
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from spanmill.component import BatchPreference
from spanmill.config.blocks import RetryOnFailure
from spanmill.delivery import Delivered
from spanmill.errors import Busy, Rejected
from spanmill.names import PipelineId
from spanmill.signal import Signal
from tests.deliveries import Engine, RecordingExporter
from tests.timing.jumping_loop import JumpingLoop

PIPELINES = [PipelineId(Signal.TRACES, name) for name in ("a", "b")]


@dataclass(frozen=True)
class Story:
    """What happens to two pipelines with one exporter."""

    durable: bool
    enabled: bool
    limit: str | None
    wanted: BatchPreference
    answers: list[BaseException | None]
    events: list[tuple[int, int, float]]
    """Send so many spans to the pipeline of that index, then let so many seconds pass."""
    poisoned: set[int]
    """Ids of spans that make the exporter fail, always."""


answers = st.one_of(
    st.none(),
    st.none(),
    st.builds(Busy, st.just("down"), st.sampled_from([0.0, 1.0, 400.0])),
    st.builds(Rejected, st.just("no"), st.sampled_from([None, 1, 3, 100])),
    st.builds(ConnectionResetError, st.just("reset")),
    st.builds(ValueError, st.just("defect")),
    st.builds(asyncio.CancelledError),
)
stories = st.builds(
    Story,
    durable=st.booleans(),
    enabled=st.sampled_from([True, True, True, False]),
    limit=st.sampled_from([None, None, "0s", "20s"]),
    wanted=st.sampled_from(
        [BatchPreference(), BatchPreference(max_items=2), BatchPreference(min_items=6, max_age_seconds=5)]
    ),
    answers=st.lists(answers, max_size=30),
    events=st.lists(
        st.tuples(st.integers(0, 1), st.integers(1, 4), st.sampled_from([0.0, 0.0, 1.0, 60.0])), min_size=1, max_size=12
    ),
    poisoned=st.sets(st.integers(1, 20), max_size=2),
)


async def tell(story: Story, directory: Path) -> None:
    exporter = RecordingExporter(story.wanted)
    exporter.answers, exporter.poison = list(story.answers), story.poisoned
    engine = Engine(directory, durable=story.durable)
    retry = {"enabled": story.enabled} | ({"max_elapsed_time": story.limit} if story.limit else {})
    node = engine.node(exporter, RetryOnFailure.model_validate(retry))
    for pipeline in PIPELINES:
        engine.deliver(node, pipeline)
    await engine.start()
    appended = 0
    for index, count, seconds in story.events:
        await engine.send(count, first=appended + 1, pipeline=PIPELINES[index])
        appended += count
        await asyncio.sleep(seconds)
    await engine.stop(grace_seconds=10)
    total = Delivered()
    for delivery in engine.deliveries:
        total.sent += delivery.counted.sent
        total.failed += delivery.counted.failed
        total.kept += delivery.counted.kept
        total.held += delivery.counted.held
    assert total.sent + total.failed + total.kept + total.held == appended
    assert (total.held if story.durable else total.kept) == 0
    assert engine.metrics.value("otelcol_exporter_sent_spans") == total.sent
    assert engine.faults == []
    in_letters = [number for _, numbers in engine.letters() for number in numbers]
    assert sum(letter.refused for letter, _ in engine.letters()) == total.failed
    delivered = list(exporter.got)
    if total.kept:
        delivered += await resume(directory)
    assert not Counter(delivered) - Counter(range(1, appended + 1)), "delivered twice"
    lost = set(range(1, appended + 1)) - set(delivered) - set(in_letters)
    assert len(lost) == total.held
    for position, later in zip(exporter.positions, exporter.positions[1:], strict=False):
        assert position.journal != later.journal or position.last < later.first, "out of order"


async def resume(directory: Path) -> list[int]:
    """What the next start delivers, to an exporter that works."""
    engine, exporter = Engine(directory, durable=True), RecordingExporter()
    node = engine.node(exporter)
    for pipeline in PIPELINES:
        engine.deliver(node, pipeline)
    await engine.start()
    await engine.stop(grace_seconds=60)
    assert sum(delivery.counted.kept for delivery in engine.deliveries) == 0
    return exporter.got


@given(stories)
def test_sent_and_failed_and_held_are_what_was_appended_and_nothing_is_delivered_twice(story: Story) -> None:
    with tempfile.TemporaryDirectory() as directory, asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(tell(story, Path(directory)))
