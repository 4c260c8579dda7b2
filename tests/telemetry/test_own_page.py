"""The daemon's own metrics as families."""

import resource
import shutil
import subprocess

import pytest
from prometheus_client.parser import text_string_to_metric_families

from spanmill.config.telemetry import MetricTelemetry
from spanmill.telemetry.definitions import DEFINITIONS
from spanmill.telemetry.exposition import Format, merge, render
from spanmill.telemetry.metrics import Metrics
from spanmill.telemetry.page import OwnPage, own_resource
from spanmill.telemetry.process import measure_process, resident_bytes


def filled() -> Metrics:
    """Every metric there is."""
    metrics = Metrics()
    measure_process(metrics)
    for name, definition in DEFINITIONS.items():
        labels = {"receiver": "otlp", "transport": "grpc"}
        if definition.type == "counter":
            metrics.counter(name, **labels).add(3)
        elif definition.type == "histogram":
            metrics.histogram(name, **labels).observe(0.3)
        else:
            metrics.gauge(name, lambda: 7, **labels)
    return metrics


def page(metrics: Metrics, **options: bool) -> str:
    return render(merge(OwnPage(metrics, own_resource({"a.b": 1}), **options).families()).families, Format())


def test_names_are_the_collectors_without_suffixes_unless_asked_for() -> None:
    metrics = Metrics()
    metrics.counter("otelcol_receiver_accepted_spans", receiver="otlp").add(5)
    metrics.observed_counter("otelcol_process_uptime", lambda: 1.5)
    plain = page(metrics).splitlines()
    assert "# TYPE otelcol_receiver_accepted_spans untyped" in plain
    assert 'otelcol_receiver_accepted_spans{receiver="otlp"} 5' in plain
    assert "otelcol_process_uptime 1.5" in plain
    full = page(metrics, without_type_suffix=False, without_units=False).splitlines()
    assert "# TYPE otelcol_receiver_accepted_spans_total counter" in full
    assert "otelcol_process_uptime_seconds_total 1.5" in full


def test_what_was_recorded_is_on_the_page() -> None:
    metrics = Metrics()
    metrics.histogram("otelcol_processor_internal_duration", processor="filter").observe(0.3)
    metrics.histogram("otelcol_processor_internal_duration", processor="filter").observe(99)
    metrics.gauge("otelcol_exporter_queue_size", lambda: 12, exporter="parquet")
    samples = {
        (s.name, s.labels.get("le")): s.value for f in text_string_to_metric_families(page(metrics)) for s in f.samples
    }
    assert samples["otelcol_processor_internal_duration_bucket", "0.25"] == 0
    assert samples["otelcol_processor_internal_duration_bucket", "0.5"] == 1
    assert samples["otelcol_processor_internal_duration_bucket", "+Inf"] == 2
    assert samples["otelcol_processor_internal_duration_sum", None] == 99.3
    assert samples["otelcol_exporter_queue_size", None] == 12


def test_a_gauge_that_cannot_be_read_is_left_out_and_the_page_goes_on() -> None:
    metrics = Metrics()
    metrics.gauge("otelcol_exporter_queue_size", lambda: 1 / 0)
    metrics.gauge("otelcol_exporter_queue_capacity", lambda: 2)
    assert "otelcol_exporter_queue_capacity 2" in page(metrics)
    assert "otelcol_exporter_queue_size" not in page(metrics)


def test_the_process_is_measured() -> None:
    metrics = Metrics()
    measure_process(metrics)
    values = {reading.definition.name: reading.value for reading in metrics.read()}
    assert (values["otelcol_process_cpu_seconds"] or 0) > 0
    assert 10e6 < resident_bytes() <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 * 1.1
    assert (values["otelcol_process_uptime"] or 0) >= 0


def test_target_info_tells_service_version_and_instance() -> None:
    line = next(line for line in page(Metrics()).splitlines() if line.startswith("target_info"))
    assert 'service_name="spanmill"' in line
    assert 'a_b="1"' in line
    assert "service_instance_id=" in line


@pytest.mark.skipif(not shutil.which("promtool"), reason="needs promtool: apt-get install prometheus")
@pytest.mark.parametrize("without", [True, False])
def test_promtool_has_no_complaint_about_any_of_our_metrics(without: bool) -> None:
    text = page(filled(), without_type_suffix=without, without_units=without, without_scope_info=without)
    check = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (check.returncode, check.stderr) == (0, "")


def test_a_pull_reader_says_where_the_page_is_and_how_names_are_written() -> None:
    exporter = {"host": "0.0.0.0", "port": 9000, "without_type_suffix": False, "without_units": None}
    model = MetricTelemetry.model_validate({"readers": [{"pull": {"exporter": {"prometheus": exporter}}}]})
    assert str(model.address) == "0.0.0.0:9000"
    assert (model.without_type_suffix, model.without_units, model.without_scope_info) == (False, True, True)
