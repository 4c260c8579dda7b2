"""Whatever valid OTLP comes in, the page stays one that scrapers accept."""

import shutil
import subprocess
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from spanmill.otlp.codec import decode
from spanmill.signal import Signal
from spanmill.telemetry.exposition import Format
from tests.exporters.prometheus.points import Page
from tests.strategies import REQUESTS

CONFIGS = st.fixed_dictionaries(
    {},
    optional={
        "send_timestamps": st.booleans(),
        "enable_open_metrics": st.booleans(),
        "translation_strategy": st.sampled_from(
            [
                "UnderscoreEscapingWithSuffixes",
                "UnderscoreEscapingWithoutSuffixes",
                "NoUTF8EscapingWithSuffixes",
                "NoTranslation",
            ]
        ),
        "resource_to_telemetry_conversion": st.just({"enabled": True}),
        "const_labels": st.just({"le": "x", "quantile": "y", "job": "z"}),
        "namespace": st.sampled_from(["", "ns", "9.x"]),
    },
)


@given(st.lists(REQUESTS[Signal.METRICS], min_size=1, max_size=3), CONFIGS)
def test_any_metrics_give_a_page_with_one_type_for_each_name_and_each_series_once(
    requests: list[ExportMetricsServiceRequest], config: dict[str, object]
) -> None:
    page = Page(**config)
    dropped = Counter[str]()
    for one in requests:
        dropped += page.exporter._accumulator.consume(decode(Signal.METRICS, [one.SerializeToString()]).records)
    text = page.text()
    types = Counter(line.split()[2] for line in text.splitlines() if line.startswith("# TYPE"))
    assert all(count == 1 for count in types.values())
    families = list(text_string_to_metric_families(text))
    series = Counter((s.name, tuple(sorted(s.labels.items()))) for family in families for s in family.samples)
    assert all(count == 1 for count in series.values())
    assert sum(series.values()) <= page.exporter._store.lines
    page.text(Format(open_metrics=True, utf8=True, version="1.0.0"))
    if shutil.which("promtool"):
        check = subprocess.run(["promtool", "check", "metrics"], input=text.encode(), capture_output=True, check=False)
        assert b"error" not in check.stderr, check.stderr
