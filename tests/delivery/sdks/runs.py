"""The SDKs: the environment each is installed in, its program, how it is told where to send, what it does not tell."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_PROGRAMS: Final = Path(__file__).parent / "programs"
_ENVIRONMENTS: Final = Path(__file__).parents[3] / ".deps" / "sdks"
_RUN_SECONDS: Final = 90.0
LANGFUSE_PATH: Final = "/api/public/otel/v1/traces"


@dataclass(frozen=True)
class Silence:
    """Columns that stay null because the SDK does not send them, and why; on `calls`, or on every call."""

    columns: tuple[str, ...]
    why: str
    calls: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sdk:
    """An SDK, or one way of setting it up."""

    name: str
    environment: str
    program: str
    variables: Mapping[str, str] = field(default_factory=dict)
    silent: tuple[Silence, ...] = ()
    content_in_logs: bool = False

    @property
    def python(self) -> Path:
        return _ENVIRONMENTS / self.environment / "bin" / "python"

    @property
    def installed(self) -> bool:
        return self.python.parents[1].joinpath("installed").exists()

    def knows(self, column: str, call: str) -> bool:
        return not any(column in gap.columns and (not gap.calls or call in gap.calls) for gap in self.silent)

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


_STREAMS = ("streamed", "streamed without usage")
_CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_EMBEDDED_TEXT = Silence(("input",), "the text of an embedding is not recorded", ("embedding",))
_OPENAI_V2_GAPS = (
    Silence(("cache_read_tokens", "reasoning_tokens"), "only the totals of input and output are recorded"),
    Silence(("finish_reason",), "a stream's span ends without it", _STREAMS),
    _EMBEDDED_TEXT,
)

SDKS: Final = (
    Sdk("openinference", "openai-3", "with_openinference.py"),
    Sdk(
        "genai-openai",
        "openai-3",
        "with_genai_openai.py",
        {_CONTENT: "SPAN_ONLY"},
        silent=(_EMBEDDED_TEXT,),
    ),
    Sdk(
        "openai-v2",
        "openai-2",
        "with_openai_v2.py",
        {_CONTENT: "true"},
        silent=_OPENAI_V2_GAPS,
        content_in_logs=True,
    ),
    Sdk(
        "openai-v2-latest",
        "openai-2",
        "with_openai_v2.py",
        {_CONTENT: "SPAN_ONLY", "OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental"},
        silent=_OPENAI_V2_GAPS,
    ),
    Sdk(
        "traceloop",
        "openai-3",
        "with_traceloop.py",
        silent=(Silence(("reasoning_tokens",), "a stream's span has only the totals and the cached tokens", _STREAMS),),
    ),
    Sdk(
        "langfuse",
        "openai-3",
        "with_langfuse.py",
        silent=(
            Silence(("response_id",), "the answer's id is not recorded"),
            Silence(("provider",), "Langfuse has no attribute for it"),
        ),
    ),
)
