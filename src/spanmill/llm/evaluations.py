"""Verdicts on LLM calls as telemetry: log events `gen_ai.evaluation.result`, tied to the span that was judged.

The names without `spanmill` are OpenTelemetry's (semantic conventions for generative AI, events); what they have no
name for stands under `spanmill.evaluation.`. Whoever makes a verdict here (a judge, a person's feedback) sends it as an
application would: as a serialized OTLP request, which is decoded like one that came in.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import SEVERITY_NUMBER_INFO, LogRecord

from spanmill import __version__
from spanmill.batch import Batch
from spanmill.otlp.codec import decode
from spanmill.signal import Signal

EVENT_NAME: Final = "gen_ai.evaluation.result"
SCOPE_NAME: Final = "spanmill.evaluations"

NAME: Final = "gen_ai.evaluation.name"
SCORE: Final = "gen_ai.evaluation.score.value"
LABEL: Final = "gen_ai.evaluation.score.label"
EXPLANATION: Final = "gen_ai.evaluation.explanation"
RESPONSE_ID: Final = "gen_ai.response.id"
ERROR_TYPE: Final = "error.type"

SOURCE: Final = "spanmill.evaluation.source"
OUTCOME: Final = "spanmill.evaluation.outcome"
JUDGE_PROVIDER: Final = "spanmill.evaluation.judge.provider"
JUDGE_MODEL: Final = "spanmill.evaluation.judge.model"
TEMPLATE_HASH: Final = "spanmill.evaluation.template.hash"
COST_USD: Final = "spanmill.evaluation.cost_usd"
SAMPLE_WEIGHT: Final = "spanmill.evaluation.sample_weight"
THRESHOLD: Final = "spanmill.evaluation.threshold"
PASSED: Final = "spanmill.evaluation.passed"
LAG_SECONDS: Final = "spanmill.evaluation.lag_seconds"
USER_ID: Final = "spanmill.evaluation.user_id"
MODEL: Final = "spanmill.evaluation.model"
FEATURE: Final = "spanmill.evaluation.feature"
PROMPT: Final = "spanmill.evaluation.prompt"
PROMPT_VERSION: Final = "spanmill.evaluation.prompt_version"
LANGUAGE: Final = "spanmill.evaluation.language"
SESSION_ID: Final = "session.id"
METADATA_PREFIX: Final = "spanmill.evaluation.metadata."

Source = Literal["judge", "person", "application"]
_NANO_USD_PER_USD = 1e9
_NUMBERS = frozenset({SCORE, COST_USD, SAMPLE_WEIGHT, THRESHOLD, LAG_SECONDS})
"""Those that are doubles, also where a whole number was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One verdict, or one attempt at a verdict that came to nothing. None means unknown, and is not sent."""

    name: str
    """What was looked at: `relevance`, `thumbs`, ..."""
    trace_id: str
    """The judged trace, 32 hexadecimal digits."""
    span_id: str | None = None
    """The judged span, 16 hexadecimal digits. None: the verdict is on the whole trace."""
    time_unix_nano: int
    """When the verdict was made, nanoseconds since 1970, UTC."""
    source: Source
    """Who made it."""
    score: float | None = None
    """0 (worst) to 1 (best). None: there is none, for example because the judge failed."""
    label: str | None = None
    """The verdict in a word: `yes`, `relevant`, `up`, ..."""
    explanation: str | None = None
    """Why, in the judge's or the person's words. Masked text."""
    outcome: str | None = None
    """What came of asking a judge: `scored`, `failed`, `skipped`, ... None: there is a verdict, and no judge."""
    error_type: str | None = None
    """Why there is no verdict, in a word of a small set: `timeout`, `unparsable`, ..."""
    response_id: str | None = None
    """The provider's id of the answer that was judged."""
    judge_provider: str | None = None
    """Who serves the model that judged."""
    judge_model: str | None = None
    """The model that judged."""
    template_hash: str | None = None
    """Hash of the evaluator's template and scale: verdicts with different hashes are not to be compared."""
    cost_nano_usd: int | None = None
    """What the verdict cost, billionths of a USD."""
    sample_weight: float | None = None
    """How many spans the verdict stands for: 1 / probability of being judged, times the span's own weight."""
    threshold: float | None = None
    """The evaluator's own limit, on the scale of `score`."""
    passed: bool | None = None
    """Whether the score is on the good side of the threshold."""
    lag_seconds: float | None = None
    """Seconds from the judged span's end to the verdict."""
    user_id: str | None = None
    """The person who gave the feedback, or the user whom the judged span served."""
    model: str | None = None
    """The model that was judged; as all below of the judged span."""
    feature: str | None = None
    """The product feature."""
    prompt: str | None = None
    """The prompt template's name."""
    prompt_version: str | None = None
    """Its version."""
    language: str | None = None
    """BCP 47 tag."""
    session_id: str | None = None
    """The conversation or session that the verdict is from."""
    metadata: Mapping[str, str | bool | int | float] = field(default_factory=dict, hash=False)
    """What else was said, by name; each becomes an attribute."""
    service_name: str | None = None
    """The service whose span was judged. None: `service.name` of the resource that the request is given."""

    def attributes(self) -> dict[str, str | bool | int | float]:
        """The event's attributes: those that are known."""
        cost_usd = None if self.cost_nano_usd is None else self.cost_nano_usd / _NANO_USD_PER_USD
        values: dict[str, str | bool | int | float | None] = {
            NAME: self.name,
            SCORE: self.score,
            LABEL: self.label,
            EXPLANATION: self.explanation,
            RESPONSE_ID: self.response_id,
            ERROR_TYPE: self.error_type,
            SOURCE: self.source,
            OUTCOME: self.outcome,
            JUDGE_PROVIDER: self.judge_provider,
            JUDGE_MODEL: self.judge_model,
            TEMPLATE_HASH: self.template_hash,
            COST_USD: cost_usd,
            SAMPLE_WEIGHT: self.sample_weight,
            THRESHOLD: self.threshold,
            PASSED: self.passed,
            LAG_SECONDS: self.lag_seconds,
            USER_ID: self.user_id,
            MODEL: self.model,
            FEATURE: self.feature,
            PROMPT: self.prompt,
            PROMPT_VERSION: self.prompt_version,
            LANGUAGE: self.language,
            SESSION_ID: self.session_id,
            **{METADATA_PREFIX + key: value for key, value in self.metadata.items()},
        }
        known = {key: value for key, value in values.items() if value is not None}
        return {key: float(value) if key in _NUMBERS else value for key, value in known.items()}

    def body(self) -> str:
        """The verdict in a line, without any text of the call: `relevance: 0.25 (off topic)`."""
        if self.score is None and self.label is None:
            reason = self.error_type or self.outcome
            return f"{self.name}: no score" + (f" ({reason})" if reason else "")
        if self.score is None:
            return f"{self.name}: {self.label}"
        return f"{self.name}: {self.score:.4g}" + (f" ({self.label})" if self.label else "")


def request_bytes(evaluations: Iterable[Evaluation], *, resource_attributes: Mapping[str, str]) -> bytes:
    """A serialized `ExportLogsServiceRequest` with a record for each evaluation.

    Records are grouped by `service_name`, in the order in which services first appear. Raises `ValueError` where an id
    is not hexadecimal.
    """
    request = ExportLogsServiceRequest()
    groups: dict[str | None, list[Evaluation]] = {}
    for evaluation in evaluations:
        groups.setdefault(evaluation.service_name, []).append(evaluation)
    for service_name, group in groups.items():
        resource = request.resource_logs.add()
        named = {"service.name": service_name} if service_name else {}
        resource.resource.attributes.extend(_entries({**resource_attributes, **named}))
        scope = resource.scope_logs.add()
        scope.scope.name, scope.scope.version = SCOPE_NAME, __version__
        scope.log_records.extend(map(_record, group))
    return request.SerializeToString()


def batch_of(evaluations: Iterable[Evaluation], *, resource_attributes: Mapping[str, str]) -> Batch:
    """The log records as a batch, exactly as `request_bytes` would come in over OTLP."""
    return Batch(
        Signal.LOGS, decode(Signal.LOGS, [request_bytes(evaluations, resource_attributes=resource_attributes)]).records
    )


def _record(evaluation: Evaluation) -> LogRecord:
    return LogRecord(
        time_unix_nano=evaluation.time_unix_nano,
        observed_time_unix_nano=evaluation.time_unix_nano,
        severity_number=SEVERITY_NUMBER_INFO,
        severity_text="INFO",
        event_name=EVENT_NAME,
        body=AnyValue(string_value=evaluation.body()),
        attributes=_entries(evaluation.attributes()),
        trace_id=bytes.fromhex(evaluation.trace_id),
        span_id=bytes.fromhex(evaluation.span_id or ""),
    )


def _entries(values: Mapping[str, str | bool | int | float]) -> Iterator[KeyValue]:
    for key, value in values.items():
        if isinstance(value, bool):
            yield KeyValue(key=key, value=AnyValue(bool_value=value))
        elif isinstance(value, str):
            yield KeyValue(key=key, value=AnyValue(string_value=value))
        elif isinstance(value, int):
            yield KeyValue(key=key, value=AnyValue(int_value=value))
        else:
            yield KeyValue(key=key, value=AnyValue(double_value=value))
