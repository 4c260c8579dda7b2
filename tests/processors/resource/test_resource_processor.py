"""The resource processor: actions on the dictionary's values, rows untouched."""

from typing import Any

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from spanmill.batch import Batch
from spanmill.names import Kind
from spanmill.processors.resource.config import ResourceProcessorConfig
from spanmill.processors.resource.processor import ResourceProcessor
from spanmill.signal import Signal
from tests.processors.attributes.slow_actions import slow_apply
from tests.processors.attributes.test_attributes_processor import actions
from tests.processors.building import ROWS, Pairs, batch_of, pairs, request_of, settings


def run(batch: Batch, *steps: Any) -> Batch:
    config = ResourceProcessorConfig.model_validate({"attributes": list(steps)})
    return ResourceProcessor(config, settings(Kind.PROCESSORS, "resource"))(batch)


@hypothesis_settings(deadline=None, max_examples=80)
@given(st.sampled_from(Signal), ROWS, actions())
def test_actions_change_resources_and_nothing_else(signal: Signal, rows: list[Pairs], step: Any) -> None:
    result = run(batch_of(signal, rows, resource=rows[0]), step)
    assert request_of(result) == request_of(batch_of(signal, rows, resource=slow_apply(step, rows[0])))


def test_a_resource_that_was_not_sent_is_made_when_it_gets_an_attribute() -> None:
    batch = batch_of(Signal.TRACES, [pairs(a=1)])
    assert not request_of(batch).resource_spans[0].HasField("resource")
    result = run(batch, {"action": "upsert", "key": "deployment.environment", "value": "test"})
    (attribute,) = request_of(result).resource_spans[0].resource.attributes
    assert (attribute.key, attribute.value.string_value) == ("deployment.environment", "test")


def test_a_resource_that_was_not_sent_stays_away_when_nothing_is_added() -> None:
    result = run(batch_of(Signal.TRACES, [pairs(a=1)]), {"action": "update", "key": "x", "value": 1})
    assert not request_of(result).resource_spans[0].HasField("resource")


def test_the_public_columns_see_the_change() -> None:
    result = run(batch_of(Signal.TRACES, [[], []]), {"action": "upsert", "key": "service.name", "value": "shop"})
    assert result.column("service_name").to_pylist() == ["shop", "shop"]
