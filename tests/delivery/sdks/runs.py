"""The SDKs: the environment of each, its program, how it is told where to send, and where its rows must differ."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.delivery.sdks.provider import CHAT_MODEL

_PROGRAMS: Final = Path(__file__).parent / "programs"
_ENVIRONMENTS: Final = Path(__file__).parents[3] / ".deps" / "sdks"
_RUN_SECONDS: Final = 90.0
LANGFUSE_PATH: Final = "/api/public/otel/v1/traces"


@dataclass(frozen=True)
class Difference:
    """Columns that the SDK leaves null, or says in its own words, and why; on `calls`, or on every call."""

    columns: tuple[str, ...]
    why: str
    calls: tuple[str, ...] = ()
    instead: Any = None

    def applies(self, column: str, call: str) -> bool:
        return column in self.columns and (not self.calls or call in self.calls)


@dataclass(frozen=True)
class Sdk:
    """An SDK, or one way of setting it up."""

    name: str
    environment: str
    program: str
    variables: Mapping[str, str] = field(default_factory=dict)
    differs: tuple[Difference, ...] = ()
    content_in_logs: bool = False
    """Messages are log records; theirs is why a message ended, even where the span does not say it."""

    @property
    def python(self) -> Path:
        return _ENVIRONMENTS / self.environment / "bin" / "python"

    @property
    def installed(self) -> bool:
        return self.python.parents[1].joinpath("installed").exists()

    def difference(self, column: str, call: str) -> Difference | None:
        """Why a column is not what the provider said; None: it is."""
        return next((each for each in self.differs if each.applies(column, call)), None)

    def run(self, api: str, otlp: str, langfuse: str, home: Path) -> None:
        """Run the application against the provider at `api`; it has sent everything when this returns."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "OPENAI_API_KEY": "sk-test",
            "OPENAI_BASE_URL": api,
            "OTEL_EXPORTER_OTLP_ENDPOINT": otlp,
            "OTEL_SERVICE_NAME": self.name,
            "TRACELOOP_API_KEY": "tl-test",
            "TRACELOOP_BASE_URL": otlp,
            "TRACELOOP_METRICS_ENABLED": "false",
            "LANGFUSE_PUBLIC_KEY": "pk-lf-test",
            "LANGFUSE_SECRET_KEY": "sk-lf-test",
            "LANGFUSE_BASE_URL": langfuse,
            **self.variables,
        }
        command = [str(self.python), str(_PROGRAMS / self.program)]
        done = subprocess.run(
            command, check=False, cwd=home, env=environment, capture_output=True, text=True, timeout=_RUN_SECONDS
        )
        assert done.returncode == 0, done.stdout + done.stderr


_WHOLE = ("plain", "asks for a tool", "uses the result", "response", "agent asks", "agent answers")
_STREAMS = ("streamed", "streamed without usage")
_CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_EMBEDDED_TEXT = Difference(("input",), "the text of an embedding is not recorded", ("embedding",))
_VECTOR_SIZE = r'[{"role":"assistant","parts":[{"type":"text","content":"{\"dimensions\":3,\"count\":1}"}]}]'
_NAME_WITH_MODULE = Difference(
    ("error_type",), "the exception's name is sent with its module's", ("fails",), instead="openai.RateLimitError"
)
_NO_FIRST_TOKEN = Difference(("time_to_first_token_ms",), "no attribute of the span has it", _STREAMS)
_OPENAI_V2_LATEST = (
    _NO_FIRST_TOKEN,
    Difference(("cache_read_tokens", "reasoning_tokens"), "only the totals of input and output are recorded"),
    _EMBEDDED_TEXT,
)
_OPENAI_V2 = (*_OPENAI_V2_LATEST, Difference(("finish_reason",), "a stream's span ends without it", _STREAMS))
_OPENINFERENCE = (
    _NAME_WITH_MODULE,
    Difference(("finish_reason",), "an answer of the Responses API is recorded without it", ("response",)),
)
_GENAI_OPENAI = (_NAME_WITH_MODULE, _EMBEDDED_TEXT)
_TRACELOOP = (Difference(("reasoning_tokens",), "a stream's span has only the totals and the cached tokens", _STREAMS),)
_LANGFUSE = (
    Difference(("response_id",), "the answer's id is not recorded"),
    Difference(("finish_reason",), "only streams have it", _WHOLE),
    Difference(("request_model",), "the model that answered takes its place", (*_WHOLE, *_STREAMS), instead=CHAT_MODEL),
    Difference(("response_model",), "the model is the one that was asked", ("fails",), instead="gpt-4o-mini"),
    Difference(("output",), "the vector's size is recorded for it", ("embedding",), instead=_VECTOR_SIZE),
    Difference(("error_type",), "the status is all that is in its message", ("fails",), instead="429"),
)

SDKS: Final = (
    Sdk("openinference", "openai-3", "with_openinference.py", differs=_OPENINFERENCE),
    Sdk("genai-openai", "openai-3", "with_genai_openai.py", {_CONTENT: "SPAN_ONLY"}, _GENAI_OPENAI),
    Sdk(
        "openai-v2",
        "openai-2",
        "with_openai_v2.py",
        {_CONTENT: "true"},
        _OPENAI_V2,
        content_in_logs=True,
    ),
    Sdk(
        "openai-v2-latest",
        "openai-2",
        "with_openai_v2.py",
        {_CONTENT: "SPAN_ONLY", "OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental"},
        _OPENAI_V2_LATEST,
    ),
    Sdk("traceloop", "openai-3", "with_traceloop.py", differs=_TRACELOOP),
    Sdk("langfuse", "openai-3", "with_langfuse.py", differs=_LANGFUSE),
)
TWO_AT_ONCE: Final = Sdk("two-at-once", "openai-3", "with_two.py", {_CONTENT: "SPAN_ONLY"})
"""Two instrumentations of one client: every call is reported twice."""
