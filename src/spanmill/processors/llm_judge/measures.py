"""The metrics of one llm_judge processor."""

from collections.abc import Iterator, Mapping
from typing import Final

from spanmill.judge.asking import Asking
from spanmill.judge.model import Reply
from spanmill.judge.spending import Spending
from spanmill.processors.llm_judge.choosing import Choice
from spanmill.processors.llm_judge.outcomes import SKIPPED, Outcome
from spanmill.telemetry.metrics import Labels, Metrics

_PREFIX: Final = "spanmill_llm_judge_"
_BILLION: Final = 10**9
_UNITS: Final = {"usd": _BILLION, "tokens": 1}


class Measures:
    """Counts; every series carries the processor's id."""

    def __init__(self, metrics: Metrics, processor: str) -> None:
        self._metrics, self._processor = metrics, processor

    def chose(self, choice: Choice, left_out_because: str) -> None:
        """A batch was looked at."""
        for evaluator, count in choice.sampled.items():
            self._count("sampled_spans", count, evaluator=evaluator)
        for evaluator, count in choice.left_out.items():
            if count:
                self._count("samples", count, evaluator=evaluator, outcome=SKIPPED, reason=left_out_because)

    def queued(self, samples: Mapping[str, int], lost_because: str = "") -> None:
        """So many of each evaluator are in the queue; or they are not, for the reason."""
        for evaluator, count in samples.items():
            if lost_because:
                self._count("samples", count, evaluator=evaluator, outcome=SKIPPED, reason=lost_because)
            else:
                self._count("queued_samples", count, evaluator=evaluator)

    def ended(self, evaluator: str, outcome: Outcome, count: int = 1) -> None:
        """So many samples are done."""
        self._count("samples", count, evaluator=evaluator, outcome=outcome.result, reason=outcome.reason)

    def lost(self, reason: str) -> None:
        """A record of the queue cannot be read; how many samples it had is not known."""
        self._count("lost_records", 1, reason=reason)

    def spent(self, model: str, reply: Reply) -> None:
        """A model answered."""
        self._count("tokens", reply.input_tokens, model=model, type="input")
        self._count("tokens", reply.output_tokens, model=model, type="output")
        if reply.cost_nano_usd is not None:
            self._count("cost_usd", reply.cost_nano_usd / _BILLION, model=model)

    def lagged(self, evaluator: str, seconds: float) -> None:
        """A verdict came so long after its span."""
        name = f"{_PREFIX}lag"
        self._metrics.histogram(name, evaluator=evaluator, processor=self._processor).observe(seconds)

    def alerted(self, result: str) -> None:
        """What became of an alert."""
        self._count("alerts", 1, result=result)

    def watch(self, spending: Spending, asking: Mapping[str, Asking]) -> None:
        """Have a scrape read how the limits are."""
        self._metrics.gauges(f"{_PREFIX}budget_spent", lambda: self._spent(spending))
        self._metrics.gauges(f"{_PREFIX}budget_limit", lambda: self._limits(spending))
        self._metrics.gauges(f"{_PREFIX}concurrency", lambda: self._rates(asking, "limit"))
        self._metrics.gauges(f"{_PREFIX}requests_under_way", lambda: self._rates(asking, "under_way"))
        self._metrics.gauges(f"{_PREFIX}breaker_open", lambda: self._breakers(asking))

    def _count(self, name: str, amount: float, **labels: str) -> None:
        self._metrics.counter(_PREFIX + name, processor=self._processor, **labels).add(amount)

    def _spent(self, spending: Spending) -> Iterator[tuple[Labels, float]]:
        for period, unit in spending.limits():
            amount = spending.read(period)
            number = amount.tokens if unit == "tokens" else amount.nano_usd
            yield self._labels(period.value, unit), number / _UNITS[unit]

    def _limits(self, spending: Spending) -> Iterator[tuple[Labels, float]]:
        for (period, unit), limit in spending.limits().items():
            yield self._labels(period.value, unit), limit / _UNITS[unit]

    def _labels(self, period: str, unit: str) -> Labels:
        return ("period", period), ("processor", self._processor), ("unit", unit)

    def _rates(self, asking: Mapping[str, Asking], name: str) -> Iterator[tuple[Labels, float]]:
        for model, each in asking.items():
            yield (("model", model), ("processor", self._processor)), float(getattr(each.rates, name))

    def _breakers(self, asking: Mapping[str, Asking]) -> Iterator[tuple[Labels, float]]:
        for model, each in asking.items():
            yield (("model", model), ("processor", self._processor)), float(each.breaker.is_open)
