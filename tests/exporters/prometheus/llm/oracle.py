"""What the page must say of some rows, worked out one row after the other in plain Python."""

from collections import defaultdict
from math import inf

from spanmill.exporters.prometheus.llm.config import Buckets
from spanmill.telemetry.exposition import go_number
from tests.exporters.prometheus.llm.spans import Row, Series

TOKENS = ("input", "output", "cache_read", "cache_write", "reasoning")
SEMCONV_TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)
SEMCONV_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
BUCKETS = Buckets()


class Expected:
    """Lines of the page by name and labels, without empty labels."""

    def __init__(self) -> None:
        self.series: dict[Series, float] = defaultdict(float)
        self._ratios: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])

    def add(self, name: str, amount: float, **labels: str | None) -> None:
        self.series[name, frozenset((key, value) for key, value in labels.items() if value)] += amount

    def observe(self, name: str, value: float, weight: float, bounds: tuple[float, ...], **labels: str | None) -> None:
        for bound in (*bounds, inf):
            self.add(f"{name}_bucket", weight if value <= bound else 0, **labels, le=go_number(float(bound)))
        self.add(f"{name}_sum", weight * value, **labels)
        self.add(f"{name}_count", weight, **labels)

    def row(self, row: Row) -> None:
        if row.get("is_llm_call"):
            self._llm(row)
            self._gen_ai(row)

    def _llm(self, row: Row) -> None:
        weight, model, feature = _weight(row), _model(row), row.get("feature")
        failed = row.get("status") == 2 or row.get("error_type") is not None
        for status in ("ok", "error"):
            self.add("llm_requests_total", weight * ((status == "error") == failed), model=model, feature=feature,
                     status=status)  # fmt: skip
        both: dict[str, str | None] = {"model": model, "feature": feature}
        if row.get("seconds") is not None:
            self.observe("llm_latency_seconds", row["seconds"], weight, BUCKETS.latency, **both)
        for kind in TOKENS:
            if row.get(f"{kind}_tokens") is not None:
                self.add("llm_tokens_total", weight * row[f"{kind}_tokens"], model=model, type=kind)
        if row.get("cost_usd") is not None:
            self.add("llm_cost_usd_total", weight * float(row["cost_usd"]), **both)
        first = row.get("time_to_first_token_ms")
        if first is not None:
            name = "llm_time_to_first_token_seconds"
            self.observe(name, first / 1e3, weight, BUCKETS.time_to_first_token, **both)
        if (speed := _speed(row)) is not None:
            name = "llm_output_tokens_per_second"
            self.observe(name, speed, weight, BUCKETS.output_tokens_per_second, **both)
        unpriced = row.get("cost_usd") is None and (row.get("price_source") or "").startswith("unpriced")
        self.add("llm_unpriced_requests_total", weight * unpriced, model=model)
        self.add("llm_retries_total", weight * (row.get("retries") or 0), **both)
        limited = failed and ("RateLimit" in (row.get("error_type") or "") or "429" in row.get("status_message", ""))
        self.add("llm_rate_limited_requests_total", weight * limited, **both)
        if row.get("input_tokens"):
            sums = self._ratios[model]
            sums[0] += weight * min(row.get("cache_read_tokens") or 0, row["input_tokens"])
            sums[1] += weight * row["input_tokens"]
        prompt = {"prompt_name": row.get("prompt_name"), "prompt_version": row.get("prompt_version")}
        for kind in ("input", "output"):
            if (tokens := row.get(f"{kind}_tokens")) is not None:
                bounds = BUCKETS.tokens_per_request
                self.observe("llm_tokens_per_request", tokens, weight, bounds, **prompt, type=kind)

    def _gen_ai(self, row: Row) -> None:
        weight = _weight(row)
        labels = {
            "gen_ai_operation_name": row.get("operation"),
            "gen_ai_provider_name": row.get("provider"),
            "gen_ai_request_model": row.get("request_model"),
            "gen_ai_response_model": row.get("response_model"),
        }
        for kind in ("input", "output"):
            if (tokens := row.get(f"{kind}_tokens")) is not None:
                name = "gen_ai_client_token_usage"
                self.observe(name, tokens, weight, SEMCONV_TOKENS, **labels, gen_ai_token_type=kind)
        if row.get("seconds") is not None:
            name, error = "gen_ai_client_operation_duration_seconds", row.get("error_type")
            error = error or ("_OTHER" if row.get("status") == 2 else None)
            self.observe(name, row["seconds"], weight, SEMCONV_SECONDS, **labels, error_type=error)

    def lines(self) -> dict[Series, float]:
        ratios: dict[Series, float] = {
            ("llm_cache_hit_ratio", frozenset({("model", model)})): part / whole
            for model, (part, whole) in self._ratios.items()
            if whole
        }
        return self.series | ratios


def _weight(row: Row) -> float:
    weight = row.get("sample_weight")
    return 1.0 if weight is None else float(weight)


def _model(row: Row) -> str:
    return row.get("request_model") or row.get("response_model") or "unknown"


def _speed(row: Row) -> float | None:
    output, seconds, first = row.get("output_tokens"), row.get("seconds"), row.get("time_to_first_token_ms")
    if not output or seconds is None:
        return None
    if first is not None and row.get("streaming") is not False:
        seconds -= first / 1e3
    return output / seconds if seconds > 0 else None
