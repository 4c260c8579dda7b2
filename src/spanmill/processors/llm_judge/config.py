"""Configuration of the llm_judge processor."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, field_validator

from spanmill.config.base import Misfit, Model
from spanmill.config.blocks import RetryOnFailure
from spanmill.config.values import Duration, Flag, Positive, Share, Whole, invalid
from spanmill.config.webhook import Webhook
from spanmill.judge.config import EvaluatorConfig
from spanmill.judge.model_config import ModelConfig, price_misfits
from spanmill.judge.spending_config import SpendingConfig
from spanmill.signal import Signal

_RETRY = RetryOnFailure.model_validate({"initial_interval": "1s", "multiplier": 2, "max_interval": "60s"})


class AlertsConfig(Model):
    """Who is told of scores below their evaluator's threshold."""

    webhook: Webhook
    """Where it is told."""
    repeat_after: Duration = 3600.0
    """Scores of the same evaluator, model and feature are told again only after so long, with their number."""
    max_per_hour: Positive = 20
    """Most messages in an hour, whatever they are about."""
    text_characters: Whole = 300
    """How much of the judge's reasons and of the judged answer is told, in characters of each. They are masked where
    the pipeline has `pii_masking`. 0: nothing."""


class LlmJudgeProcessorConfig(Model):
    """Has a model score a share of the calls, beside the flow: every batch passes at once and untouched. Scores leave
    as log events `gen_ai.evaluation.result` to those exporters of the pipeline that take logs, and the judge's own
    calls as spans to those that take traces. It sees what the
    exporters see: masked texts where the pipeline has `pii_masking`, wherever it stands. Not in the Collector."""

    model: ModelConfig
    """The model that judges."""
    models: dict[str, ModelConfig] = Field(default_factory=dict)
    """Other models, by the name that evaluators call them in `model`, where they are elsewhere or have prices of
    their own. One that is not here is asked at the same endpoint."""
    evaluators: Annotated[tuple[EvaluatorConfig, ...], Field(min_length=1)]
    """What is scored: names of the pack, such as `relevance`, or evaluators of your own."""
    where: Annotated[str, Field(min_length=1)] | None = None
    """A SQL condition over `spans` for what is judged at all, beside each evaluator's own: `environment =
    'production'`. None: no other."""
    share: Share = 0.05
    """How many of the spans that fit are judged: 0.05 is one in twenty, for evaluators that do not say themselves. By
    the span's id: the same ones whenever they come again."""
    budget: SpendingConfig | None = None
    """What may be spent. Then nothing is asked until the next period, and samples are skipped. None: no limit."""
    concurrency: Positive = 4
    """Most requests under way, for each model. Fewer while its server asks for fewer (429)."""
    requests_per_minute: Positive | None = None
    """Most requests in a minute, for each model. None: no limit."""
    max_age: Duration = 900.0
    """A sample that could not be judged for so long is skipped. A question that fails is asked again until then."""
    max_waiting: Positive = 2_000
    """Most samples that wait to be judged. Beyond it new ones are skipped, before they have cost anything; a model that
    answers three questions a second has as many behind it within `max_age`."""
    remember_answers: Whole = 10_000
    """How many verdicts are remembered, so that an equal question is not asked twice. 0: none."""
    retry_on_failure: RetryOnFailure = _RETRY
    """How a question is asked again whose answer failed for now."""
    trace_calls: Flag = True
    """Whether the judge's own calls are put out as spans, with their tokens and cost. They are never judged."""
    alerts: AlertsConfig | None = None
    """Who is told of low scores. None: nobody."""
    directory: Annotated[str, Field(min_length=1)] | None = None
    """Where it is kept over restarts what was spent; made if it is not there, one for each processor. None: below
    `service.journal.directory`, in `judges`."""

    @field_validator("max_age")
    @classmethod
    def leaves_time(cls, seconds: float) -> float:
        if seconds <= 0:
            raise invalid("nothing could be judged in no time", "a duration such as 15m")
        return seconds

    def model_of(self, name: str) -> ModelConfig:
        """The model that an evaluator names; the usual one for an empty name."""
        if not name or name == self.model.model:
            return self.model
        return self.models.get(name) or self.model.model_copy(update={"model": name, "prices": None})

    def misfits(self, signal: Signal) -> Iterator[Misfit]:
        from spanmill.judge.misfits import evaluator_misfits

        for misfit in evaluator_misfits(self.evaluators):
            yield misfit._replace(path=("evaluators", *misfit.path))
        if self.where is not None:
            yield from _condition_misfits(self.where, signal)
        yield from self._unused_models()
        if self.alerts is not None and not any(self._thresholds()):
            problem = "no evaluator has a threshold, and nothing would ever be told"
            yield Misfit(("alerts",), problem, "`threshold` at an evaluator", "Write {use: relevance, threshold: 0.5}.")
        if self.budget is not None and self.budget.nano_usd:
            yield from self._unknown_prices()

    def _thresholds(self) -> Iterator[bool]:
        """For each evaluator whether it has a threshold. One that the pack does not have is told elsewhere."""
        from spanmill.judge.pack import pack, resolved

        for config in self.evaluators:
            yield (config.use is not None and config.use not in pack()) or resolved(config).threshold is not None

    def _unused_models(self) -> Iterator[Misfit]:
        from spanmill.config.problems import did_you_mean, one_of

        named = sorted({each.model for each in self.evaluators if each.model} - {self.model.model})
        expected = f"one that an evaluator names in `model`: {one_of(named)}"
        for name in self.models:
            if name not in named:
                yield Misfit(("models", name), "no evaluator asks this model", expected, did_you_mean(name, named))

    def _unknown_prices(self) -> Iterator[Misfit]:
        names = {"": ("model",)} | {name: ("models", name) for name in self.models}
        for index, evaluator in enumerate(self.evaluators):
            if evaluator.model and evaluator.model not in self.models and evaluator.model != self.model.model:
                names[evaluator.model] = ("evaluators", index, "model")  # type: ignore[assignment]
        for name, path in names.items():
            for misfit in price_misfits(self.model_of(name)):
                own = path[0] != "evaluators"
                hint = misfit.hint if own else f"Write its `prices` under `models`. {misfit.hint}"
                yield misfit._replace(path=(*path, *(misfit.path if own else ())), hint=hint)


def _condition_misfits(sql: str, signal: Signal) -> Iterator[Misfit]:
    from spanmill.conditions import Condition, InvalidCondition

    try:
        Condition(sql, signal)
    except InvalidCondition as error:
        yield Misfit(("where",), error.problem, f"a SQL condition over {signal.table}", error.hint)
