"""The processor round the normaliser: its configuration, and what it counts."""

import pytest

from spanmill.component import Settings
from spanmill.names import ComponentId, Kind
from spanmill.processors.gen_ai_normalizer.config import GenAiNormalizerProcessorConfig
from spanmill.processors.gen_ai_normalizer.processor import UNREADABLE, GenAiNormalizerProcessor
from spanmill.signal import Signal
from spanmill.telemetry.metrics import Metrics
from tests.llm.rows import Row, spans
from tests.logs import CapturedLog


def _misfits(**config: object) -> list[tuple[tuple[str | int, ...], str, str]]:
    found = GenAiNormalizerProcessorConfig.model_validate(config).misfits(Signal.TRACES)
    return [(misfit.path, misfit.problem, misfit.hint) for misfit in found]


def test_values_that_cannot_be_read_are_counted_by_column() -> None:
    metrics = Metrics()
    settings = Settings(Kind.PROCESSORS, ComponentId("gen_ai_normalizer"), CapturedLog(), metrics, Signal.TRACES)
    processor = GenAiNormalizerProcessor(GenAiNormalizerProcessorConfig(), settings)
    rows = [Row({"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": text}) for text in ("x", "x", "y", "5")]
    assert processor(spans(*rows)).column("input_tokens").to_pylist() == [None, None, None, 5]
    counter = metrics.counter(UNREADABLE, processor="gen_ai_normalizer", column="input_tokens")
    assert counter.value == 2


def test_a_mapping_of_ones_own_is_used() -> None:
    metrics = Metrics()
    settings = Settings(Kind.PROCESSORS, ComponentId("gen_ai_normalizer"), CapturedLog(), metrics, Signal.TRACES)
    config = GenAiNormalizerProcessorConfig.model_validate({"custom_mappings": {"feature": ["app.part"]}})
    batch = GenAiNormalizerProcessor(config, settings)(spans(Row({"app.part": "search"})))
    assert batch.column("feature").to_pylist() == ["search"]


@pytest.mark.parametrize(
    ("config", "misfit"),
    [
        ({"dialects": ["langfsue"]}, (("dialects", 0), "no dialect 'langfsue'", "did you mean langfuse?")),
        (
            {"custom_mappings": {"featrue": ["x"]}},
            (("custom_mappings", "featrue"), "no column 'featrue' can be mapped", "did you mean feature?"),
        ),
        (
            {"custom_mappings": {"feature": [{"atribute": "x"}]}},
            (("custom_mappings", "feature", 0, "atribute"), "Extra inputs are not permitted", ""),
        ),
    ],
)
def test_a_mistyped_name_is_named_with_the_one_that_was_meant(
    config: dict[str, object], misfit: tuple[tuple[str | int, ...], str, str]
) -> None:
    assert misfit in _misfits(**config)


def test_a_source_in_two_places_is_refused() -> None:
    (misfit,) = _misfits(custom_mappings={"feature": [{"attribute": "x", "resource": "y"}]})
    assert "a source is in one place" in misfit[1]
