"""A started processor, made of a configuration."""

import asyncio
from typing import Any

from spanmill.component import Settings
from spanmill.names import ComponentId, Kind
from spanmill.processors.pii_masking.config import PiiMaskingProcessorConfig
from spanmill.processors.pii_masking.processor import PiiMaskingProcessor
from spanmill.signal import Signal
from spanmill.telemetry.metrics import Metrics
from tests.logs import CapturedLog
from tests.processors.building import attributes_of, batch_of, pairs

KEY = {"key": "0123456789abcdef", "key_id": "k1"}


class Running:
    """A processor with its log and its metrics."""

    def __init__(self, **config: Any) -> None:
        self.log, self.metrics = CapturedLog(), Metrics()
        settings = Settings(Kind.PROCESSORS, ComponentId("pii_masking"), self.log, self.metrics, Signal.TRACES)
        self.processor = PiiMaskingProcessor(PiiMaskingProcessorConfig.model_validate(config), settings)
        asyncio.run(self.processor.start(None))  # type: ignore[arg-type]

    def said(self, text: str, key: str = "said") -> str:
        """What becomes of a text in an attribute."""
        batch = batch_of(Signal.TRACES, [pairs(**{key: text})])
        ((_, value),) = attributes_of(self.processor(batch))[0]
        return str(value.string_value)

    def count(self, name: str, **labels: str) -> float:
        return self.metrics.value(f"spanmill_pii_masking_{name}", **labels)


def said(text: str, key: str = "said", **config: Any) -> str:
    """What a configuration makes of a text."""
    return Running(**config).said(text, key)
