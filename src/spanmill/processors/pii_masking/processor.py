"""The pii_masking processor."""

import asyncio
from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc

from spanmill.batch import Batch
from spanmill.component import Host, Settings
from spanmill.errors import Busy, StartError, is_defect
from spanmill.pii.batches import mask_batch
from spanmill.pii.masker import FAILED, FAILED_COUNT, Masked
from spanmill.pii.places import Counts, Masker, Options
from spanmill.pii.secret_keys import SecretKeys
from spanmill.processors.pii_masking.config import PiiMaskingProcessorConfig
from spanmill.telemetry.lines import trace_without_message

FINDINGS = "spanmill_pii_masking_findings"
FAILURES = "spanmill_pii_masking_failures"
SCANNED = "spanmill_pii_masking_scanned_bytes"
_LATER_SECONDS = 5.0


class PiiMaskingProcessor:
    """Batches with personal data and secrets masked. Fails closed: what cannot be masked is replaced, or refused."""

    masks: bool

    def __init__(self, config: PiiMaskingProcessorConfig, settings: Settings) -> None:
        self._config, self._metrics, self._log = config, settings.metrics, settings.log
        self._id = str(settings.id)
        self._scanned = settings.metrics.counter(SCANNED, processor=self._id)
        self._masker: Masker | None = None
        self.masks = config.masks

    async def start(self, host: Host) -> None:
        """Reads the key and compiles the detectors."""
        from spanmill.processors.pii_masking.masking import build_masker, build_options

        try:
            self._masker = await asyncio.to_thread(build_masker, self._config)
        except (OSError, ValueError) as error:
            raise StartError(f"processor/{self._id}", str(error)) from None
        self._options = build_options(self._config)

    async def stop(self) -> None:
        """Nothing is held."""

    def __call__(self, batch: Batch) -> Batch:
        """Raises `Busy` if not even replacing everything works."""
        if self._masker is None:
            raise Busy(f"{self._id} has not started", _LATER_SECONDS)
        try:
            masked, counts = mask_batch(batch, self._masker, self._options)
        except BaseException as error:
            if not is_defect(error):
                raise
            return self._without_texts(batch, error)
        self._scanned.add(batch.nbytes)
        self._count(counts)
        return masked

    def _count(self, counts: Counts) -> None:
        for (place, detector), findings in counts.items():
            if detector == FAILED_COUNT:
                self._failures("value_replaced", findings)
            else:
                labels = {"processor": self._id, "detector": detector, "place": place}
                self._metrics.counter(FINDINGS, **labels).add(findings)

    def _failures(self, outcome: str, count: int) -> None:
        self._metrics.counter(FAILURES, processor=self._id, outcome=outcome).add(count)

    def _without_texts(self, batch: Batch, error: BaseException) -> Batch:
        """The batch with every text replaced, whatever the scope; the error may hold one, so it is not shown."""
        trace = trace_without_message(error)
        if self._config.dry_run:
            self._failures("batch_not_counted", 1)
            self._log.error("a batch could not be searched", items=len(batch), trace=trace)
            return batch
        try:
            replaced = mask_batch(batch, _Blind(), Options(keys=self._options.keys)).batch
        except BaseException as second:
            if not is_defect(second):
                raise
            self._failures("batch_refused", 1)
            self._log.error("a batch could not be masked and is refused", items=len(batch), trace=trace)
            raise Busy("the request could not be masked", _LATER_SECONDS) from None
        self._failures("batch_replaced", 1)
        self._log.error("a batch could not be masked; every text in it is replaced", items=len(batch), trace=trace)
        return replaced


class _Blind:
    """A masker that looks at nothing: every text is replaced."""

    secret_keys = SecretKeys(())

    def mask(self, texts: pa.StringArray) -> Masked:
        replaced = pc.if_else(texts.is_valid(), FAILED, pa.scalar(None, pa.string()))
        return Masked(replaced, Counter())

    def mask_values(self, keys: pa.StringArray, texts: pa.StringArray) -> Masked:
        return self.mask(texts)
