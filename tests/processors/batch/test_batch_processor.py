"""The batch processor asks for gathering and holds nothing."""

from typing import Any

import pytest

from spanmill.component import BatchPreference
from spanmill.names import ComponentId, Kind, PipelineId
from spanmill.pipeline import MeasuredTransform, Pipeline
from spanmill.processors.batch.config import BatchProcessorConfig
from spanmill.processors.batch.processor import BatchProcessor
from spanmill.signal import Signal
from spanmill.telemetry.metrics import Metrics
from tests.data import spans
from tests.processors.building import settings


def processor(**config: Any) -> BatchProcessor:
    return BatchProcessor(BatchProcessorConfig.model_validate(config), settings(Kind.PROCESSORS, "batch"))


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, BatchPreference(min_items=8192, max_age_seconds=0.2)),
        (
            {"send_batch_size": 100, "send_batch_max_size": 200, "timeout": "5s"},
            BatchPreference(min_items=100, max_items=200, max_age_seconds=5),
        ),
        ({"timeout": "0s"}, BatchPreference(min_items=0)),
        ({"send_batch_size": 0, "timeout": "1s"}, BatchPreference(min_items=0, max_age_seconds=1)),
    ],
)
def test_its_keys_become_the_exporters_preference(config: dict[str, Any], expected: BatchPreference) -> None:
    assert processor(**config).preference == expected


def test_every_batch_passes_at_once_and_the_pipeline_finds_the_preference() -> None:
    chosen = processor()
    batch = spans(3)
    assert chosen(batch) is batch
    identity = PipelineId(Signal.TRACES)
    pipeline = Pipeline(identity, [MeasuredTransform(ComponentId("batch"), identity, chosen, Metrics())], None)
    assert pipeline.preference == chosen.preference
