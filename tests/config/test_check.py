"""What is wrong with a configuration that is good YAML: keys, values, references, clashes."""

from pathlib import Path

import pytest

from spanmill.config import render_configuration
from spanmill.exporters.debug.config import DebugExporterConfig
from spanmill.names import ComponentId, Kind, PipelineId
from spanmill.receivers.otlp.config import OtlpReceiverConfig
from spanmill.signal import Signal
from tests.config.conftest import RUNNABLE, Problems, Read

HERE = Path(__file__).parent


def test_every_problem_is_told_at_once_in_the_order_of_the_file(problems: Problems) -> None:
    text = """\
receivers:
  otlp:
    protocols: {grcp: }
exporters:
  parquet: {compression: zst}
  debug: {verbosity: 5}
service:
  pipelines:
    traces: {receivers: [otlp], processors: [bach], exporters: [debug]}
    metrics: {receivers: [otlp]}
"""
    assert problems(text) == (HERE / "all_at_once.txt").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("exporters: {debug: 5}", "exporters.debug: wrong type; expected a map; found 5"),
        ("exporters: {debug: {sampling_initial: -1}}", "too small; expected 0 or more; found -1"),
        ("exporters: {debug: {sampling_initial: many}}", 'wrong type; expected a whole number; found "many"'),
        ("exporters: {debug: {sampling_initial: true}}", "wrong type; expected a whole number; found true"),
        (
            "exporters: {debug: {use_internal_logger: yes}}",
            'wrong type; expected true or false; found "yes". Write true.',
        ),
        ("exporters: {debug: [a]}", "wrong type; expected a map; found a list"),
        ("exporters: {file: {path: true}}", "wrong type; expected text; found true. Put it in quotes."),
        ("exporters: {file: {path: {HOME}}}", "is it a placeholder that was never filled in?"),
        ("exporters: {file: {path: ''}}", "exporters.file.path: is empty; expected text"),
        ("exporters: {debug: {auth: {authenticator: x}}}", "unknown key `auth`"),
        ("exporters: {otlp_grpc: {endpoint: localhost}}", "the endpoint has no port; expected host:port"),
        ("exporters: {otlp_http: {}}", "exporters.otlp_http: there is no endpoint; expected `endpoint`"),
        (
            "exporters: {otlp_http: {endpoint: 'localhost:4318'}}",
            "Write http://localhost:4318 or https://localhost:4318.",
        ),
        (
            "exporters: {duckdb: {path: x, max_age: 1m}}",
            "the age is out of range; expected more than 0 and at most 10s; found",
        ),
        ("receivers: {otlp: {protocols: {grpc: {transport: unix}}}}", "`transport: unix` without a socket; expected"),
        ("exporters: {de bug: }", "exporters.de bug: not an id; expected type or type/name"),
        ("exporters: {debug/: }", "not an id; expected type or type/name"),
        ("exporters: {debg: }", "Spanmill has no exporter of type `debg`"),
        ("exporters: {batch: }", "There is a processor of this name: it stands under `processors`."),
        ("exporters: {loki: }", "use the otlp_http exporter with endpoint http://<loki>:3100/otlp"),
        ("processors: [batch]", "processors: wrong type; expected a map of processors by id; found a list"),
        (
            "exporter: {}",
            'connectors, extensions or service. Did you mean "exporters"?',
        ),
        ("processors: {batch: {timeout: 5}}", "found 5. For 5 seconds write 5s."),
        ("processors: {batch: {timeout: -5s}}", "the duration is negative"),
        (
            "processors: {batch: {send_batch_max_size: 5}}",
            "processors.batch.send_batch_max_size: `send_batch_max_size` is below",
        ),
        (
            "processors: {memory_limiter: {check_interval: 1s}}",
            "there is no limit; expected `limit_mib` or `limit_percentage`",
        ),
        (
            "processors: {memory_limiter: {check_interval: 1s, limit_mib: 5, spike_limit_mib: 5}}",
            "expected less than 5; found 5",
        ),
        (
            "processors: {resource: {attributes: []}}",
            "processors.resource.attributes: is empty; expected at least 1 entry",
        ),
        (
            "processors: {resource: {attributes: [{action: insert}]}}",
            "attributes[0]: the insert action does not say which",
        ),
        ("processors: {attributes: {actions: [{action: instert, key: a}]}}", 'Did you mean "insert"?'),
        ("processors: {attributes: {actions: [{action: insert, key: a}]}}", "insert needs one source and has neither"),
        (
            "processors: {attributes: {actions: [{action: delete, pattern: '('}]}}",
            "actions[0].pattern: not a regular expression",
        ),
        (
            "processors: {attributes: {actions: [{action: insert, key: a, from_context: x}]}}",
            "`from_context` is not supported",
        ),
        ("processors: {filter: {drop: [5]}}", "filter.drop.any[0]: wrong type; expected text"),
        (
            "receivers: {otlp: {protocols: {grpc: {tls: {cert_file: a}}}}}",
            "tls: a certificate without its key; expected `key_file`",
        ),
        ("receivers: {otlp: {protocols: {grpc: {tls: {min_version: '1.1'}}}}}", "expected 1.2 or 1.3"),
        ("receivers: {otlp: {protocols: {grpc: {endpoint: 'localhost'}}}}", "grpc.endpoint: the endpoint has no port"),
        ("receivers: {prometheus: }", "let a Collector collect this and send OTLP here"),
        ("extensions: {oidc: }", "Use bearertokenauth with a token file, basicauth, or mTLS"),
        (
            "connectors: {spanmetrics: }",
            "Spanmill has no connector of type `spanmetrics`; expected forward. Query the spans",
        ),
        ("service: {telemetry: {logs: {level: loud}}}", "expected debug, info, warn or error"),
        (
            "service: {telemetry: {metrics: {readers: [{}]}}}",
            "service.telemetry.metrics.readers: not a reader; expected pull:",
        ),
        ("service: {shutdown: 5s}", "unknown key `shutdown`"),
        (
            "service: {extensions: health_check}",
            'wrong type; expected a list; found "health_check". Write [health_check].',
        ),
        (
            "service: {extensions: [zpages]}",
            "`zpages` is not defined under `extensions`. Add `zpages:` under `extensions`.",
        ),
    ],
)
def test_a_wrong_key_or_value_is_explained(problems: Problems, text: str, message: str) -> None:
    (line,) = (line for line in problems(RUNNABLE, text) if "warning:" not in line)
    assert message in line


PIPELINES = """
receivers: {otlp: , otlp/two: {protocols: {grpc: {endpoint: 'localhost:5317'}}}}
processors: {batch: , llm_cost: , memory_limiter: {check_interval: 1s, limit_mib: 10}}
exporters: {debug: }
connectors: {forward: , forward/two: }
service:
  pipelines:
"""


@pytest.mark.parametrize(
    ("pipelines", "message"),
    [
        (
            "traces: {receivers: otlp, exporters: [debug]}",
            'receivers: wrong type; expected a list; found "otlp". Write [otlp].',
        ),
        ("traces: {receivers: [otlp, otlp], exporters: [debug]}", "receivers[1]: `otlp` stands twice in the list"),
        (
            "traces: {receivers: [otlp], exporters: [debgu]}",
            '`debgu` is not defined under `exporters` or `connectors`. Did you mean "debug"?',
        ),
        (
            "traces: {receivers: [otlp], exporters: [batch]}",
            "`batch` is not defined under `exporters` or `connectors`. It is a processor.",
        ),
        ("traces: {receivers: [otlp], exporters: []}", "traces: the pipeline has no exporter"),
        ("traces: ", "traces: the pipeline has no receiver"),
        ("trace: {receivers: [otlp], exporters: [debug]}", 'found "trace". Did you mean "traces"?'),
        (
            "logs: {receivers: [otlp], processors: [llm_cost], exporters: [debug]}",
            "the processor llm_cost takes traces and stands in a pipeline of logs",
        ),
        (
            "traces: {receivers: [otlp], exporters: [forward]}",
            "connectors.forward: the connector is used as an exporter only",
        ),
        (
            "{traces: {receivers: [otlp], exporters: [forward]}, logs: {receivers: [forward], exporters: [debug]}}",
            "nothing takes traces from it; expected a pipeline of traces with forward as a receiver",
        ),
        (
            "{traces: {receivers: [otlp, forward], exporters: [forward]}}",
            "service.pipelines.traces: the pipelines form a circle: traces -> traces",
        ),
        (
            (
                "{logs: {receivers: [otlp, forward/two], exporters: [forward]}, "
                "logs/b: {receivers: [forward], exporters: [forward/two]}}"
            ),
            "the pipelines form a circle: logs -> logs/b -> logs; expected data to flow one way",
        ),
        ("", "service.pipelines: nothing would run; expected at least one pipeline"),
    ],
)
def test_a_pipeline_that_cannot_run_is_explained(problems: Problems, pipelines: str, message: str) -> None:
    body = pipelines if pipelines.startswith("{") else f"{{{pipelines}}}" if pipelines else ""
    assert any(message in line for line in problems(f"{PIPELINES.rstrip()} {body}"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "receivers: {otlp: {protocols: {grpc: {endpoint: ':5'}, http: {endpoint: 'localhost:5'}}}}",
            "taken already by the receiver otlp (grpc)",
        ),
        (
            "receivers: {otlp: {protocols: {http: {endpoint: ':8888'}}}}",
            "service.telemetry.metrics.address: the port 8888 is taken",
        ),
        (
            "{extensions: {health_check: {endpoint: ':4317'}}, service: {extensions: [health_check]}}",
            "the port 4317 is taken",
        ),
        (
            (
                "{exporters: {prometheus: {endpoint: ':5'}, prometheus/b: {endpoint: ':5'}}, "
                "service: {pipelines: {metrics: {receivers: [otlp], exporters: [prometheus, prometheus/b]}}}}"
            ),
            "exporters.prometheus/b.endpoint: the port 5 is taken already by the exporter prometheus",
        ),
        (
            (
                "{exporters: {parquet: {directory: x}, parquet/b: {directory: ./x/}}, "
                "service: {pipelines: {logs: {receivers: [otlp], exporters: [parquet, parquet/b]}}}}"
            ),
            "is written already by the exporter parquet",
        ),
        (
            (
                "{exporters: {otlp_http: {traces_endpoint: 'http://x'}}, "
                "service: {pipelines: {logs: {receivers: [otlp], exporters: [otlp_http]}}}}"
            ),
            "there is no endpoint for logs, which pipeline logs sends; expected `endpoint` or `logs_endpoint`",
        ),
    ],
)
def test_what_two_components_would_take_is_an_error(problems: Problems, text: str, message: str) -> None:
    assert any(message in line for line in problems(RUNNABLE, text))


def test_an_exporter_is_checked_against_the_pipelines_that_use_it(problems: Problems, read: Read) -> None:
    def using(signal: str) -> str:
        pipelines = f"{{{signal}: {{receivers: [otlp], exporters: [prometheus]}}}}"
        exporters = "{prometheus: {endpoint: ':9464', llm: {labels: [promt]}}}"
        return f"{{exporters: {exporters}, service: {{pipelines: {pipelines}}}}}"

    (line,) = problems(RUNNABLE, using("traces"))
    assert "exporters.prometheus.llm.labels.promt: `promt` is no column that can be a label" in line
    read(RUNNABLE, using("metrics"))


def test_the_prometheus_exporter_may_share_the_page_of_the_own_metrics(read: Read) -> None:
    pipelines = "{metrics: {receivers: [otlp], exporters: [prometheus]}}"
    text = f"{{exporters: {{prometheus: {{endpoint: ':8888'}}}}, service: {{pipelines: {pipelines}}}}}"
    assert not read(RUNNABLE, text).warnings


def test_what_no_pipeline_uses_is_checked_but_not_built(read: Read) -> None:
    configuration = read(RUNNABLE, "{receivers: {otlp/idle: }, exporters: {parquet: {directory: x}}}")
    assert ComponentId("parquet") in configuration.exporters
    assert list(configuration.used(Kind.EXPORTERS)) == [ComponentId("debug")]
    assert list(configuration.used(Kind.RECEIVERS)) == [ComponentId("otlp")]


@pytest.mark.parametrize("body", ["", "{}", "{protocols: }", "{protocols: {}}", "{protocols: {grpc: , http: }}"])
def test_an_otlp_receiver_without_a_word_listens_for_both(read: Read, body: str) -> None:
    otlp = read(RUNNABLE, f"receivers: {{otlp: {body}}}").receivers[ComponentId("otlp")]
    assert isinstance(otlp, OtlpReceiverConfig)
    assert otlp.protocols.grpc is not None
    assert otlp.protocols.http is not None
    assert (str(otlp.protocols.grpc.endpoint), str(otlp.protocols.http.endpoint)) == (
        "localhost:4317",
        "localhost:4318",
    )


def test_a_protocol_that_is_not_named_is_off(read: Read) -> None:
    otlp = read(RUNNABLE, "receivers: {otlp: {protocols: {http: }}}").receivers[ComponentId("otlp")]
    assert isinstance(otlp, OtlpReceiverConfig)
    assert otlp.protocols.grpc is None


@pytest.mark.parametrize(
    ("level", "verbosity"),
    [("debug", "detailed"), ("DEBUG", "detailed"), ("info", "normal"), ("warn", "basic"), ("error", "basic")],
)
def test_the_logging_exporter_is_debug_with_other_words(read: Read, level: str, verbosity: str) -> None:
    for key in ("loglevel", "logLevel"):
        configuration = read(RUNNABLE, f"exporters: {{logging: {{{key}: {level}}}}}")
        config = configuration.exporters[ComponentId("logging")]
        assert isinstance(config, DebugExporterConfig)
        assert config.verbosity == verbosity
        assert [warning.path for warning in configuration.warnings] == ["exporters.logging", f"exporters.logging.{key}"]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("exporters: {otlp: {endpoint: 'a:1'}}", "exporters.otlp"),
        ("exporters: {otlphttp: {endpoint: 'http://a'}}", "exporters.otlphttp"),
        ("exporters: {otlp_grpc: {endpoint: 'a:1', insecure: true}}", "exporters.otlp_grpc.insecure"),
        (
            "receivers: {otlp: {protocols: {http: {cors_allowed_origins: ['*']}}}}",
            "receivers.otlp.protocols.http.cors_allowed_origins",
        ),
        ("processors: {memory_limiter: {limit_mib: 5}}", "processors.memory_limiter.check_interval"),
        (
            "processors: {memory_limiter: {check_interval: 0s, limit_mib: 5}}",
            "processors.memory_limiter.check_interval",
        ),
        ("extensions: {pprof: {endpoint: ':1777'}}", "extensions.pprof"),
        ("service: {telemetry: {metrics: {readers: [{periodic: {}}]}}}", "service.telemetry.metrics.readers"),
        ("service: {telemetry: {traces: {level: none}}}", "service.telemetry.traces"),
        (
            "exporters: {prometheus: {endpoint: ':1', add_metric_suffixes: false}}",
            "exporters.prometheus.add_metric_suffixes",
        ),
    ],
)
def test_what_the_collector_has_retired_works_with_a_warning(read: Read, text: str, path: str) -> None:
    assert [warning.path for warning in read(RUNNABLE, text).warnings] == [path]


def test_own_metrics_take_the_address_of_a_pull_reader(read: Read) -> None:
    reader = "{pull: {exporter: {prometheus: {host: 0.0.0.0, port: 9999, without_units: true}}}}"
    configuration = read(
        RUNNABLE,
        f"service: {{telemetry: {{metrics: {{level: Detailed, readers: [{reader}]}}, logs: {{level: WARN}}}}}}",
    )
    telemetry = configuration.service.telemetry
    assert (str(telemetry.metrics.address), telemetry.metrics.level, telemetry.logs.level) == (
        "0.0.0.0:9999",
        "detailed",
        "warn",
    )
    assert not configuration.warnings


def test_batch_before_memory_limiter_is_a_warning(read: Read) -> None:
    text = "traces: {receivers: [otlp], processors: [batch, memory_limiter], exporters: [debug]}"
    (warning,) = read(f"{PIPELINES.rstrip()} {{{text}}}").warnings
    assert "memory_limiter stands after batch" in warning.message


def test_pipelines_are_read_as_typed_ids(read: Read) -> None:
    first = "{receivers: [otlp], processors: [memory_limiter, batch], exporters: [debug, forward]}"
    text = f"traces/all: {first}, traces: {{receivers: [forward], exporters: [debug]}}"
    configuration = read(f"{PIPELINES.rstrip()} {{{text}}}")
    pipeline = configuration.service.pipelines[PipelineId(Signal.TRACES, "all")]
    assert pipeline.processors == (ComponentId("memory_limiter"), ComponentId("batch"))
    assert list(configuration.used(Kind.CONNECTORS)) == [ComponentId("forward")]


@pytest.mark.parametrize(
    ("conditions", "sql"),
    [
        (
            "traces: {span: ['attributes[\"http.status_code\"] == 200']}",
            "drop: {traces: [\"attributes['http.status_code'] = 200\"]}",
        ),
        (
            "trace_conditions: ['span.kind == SPAN_KIND_SERVER and not IsMatch(span.name, \"^h\")']",
            "kind = 'server' and not regexp_matches(name, '^h')",
        ),
        ("logs: {log_record: ['severity_number < 13']}", 'drop: {logs: ["severity_number < 13"]}'),
        ("traces: {span: ['resource.attributes[\"a\"] != nil', 'Len(name) > 3']}", "Not translated: Len(name) > 3."),
    ],
)
def test_an_ottl_filter_gets_the_sql_to_write_instead(problems: Problems, conditions: str, sql: str) -> None:
    (line,) = problems(RUNNABLE, f"processors: {{filter: {{{conditions}}}}}")
    assert "OTTL conditions are not supported, unless they are simple; expected SQL under `drop`" in line
    assert sql in line


def test_filter_conditions_may_be_one_list_or_one_for_each_signal(read: Read) -> None:
    text = "processors: {filter: {drop: [a]}, filter/each: {drop: {logs: [b], any: [c]}}}"
    processors = read(RUNNABLE, text).processors
    flat, each = (processors[ComponentId("filter", name)] for name in ("", "each"))
    assert flat.conditions(Signal.TRACES) == ("a",)  # type: ignore[attr-defined]
    assert each.conditions(Signal.LOGS) == ("c", "b")  # type: ignore[attr-defined]
    assert each.conditions(Signal.TRACES) == ("c",)  # type: ignore[attr-defined]


SECRETIVE = """
receivers: {otlp: }
exporters:
  otlp_grpc: {endpoint: 'a:1', headers: {authorization: 'Bearer $$ecret'}, tls: {key_pem: kkk, cert_pem: ccc}}
  otlp_http: {endpoint: 'https://me:hunter2@host/x'}
service: {pipelines: {traces: {receivers: [otlp], exporters: [otlp_grpc, otlp_http]}}}
"""


def test_rendering_hides_secrets_unless_asked(read: Read) -> None:
    text = str(render_configuration(read(SECRETIVE)))
    assert not any(secret in text for secret in ("ecret", "kkk", "hunter2"))
    assert "$$ecret" in str(render_configuration(read(SECRETIVE), redacted=False))


@pytest.mark.parametrize("text", [SECRETIVE, RUNNABLE])
def test_what_is_rendered_reads_back_as_the_same(read: Read, text: str) -> None:
    import yaml

    configuration = read(text)
    assert read(yaml.safe_dump(render_configuration(configuration, redacted=False))) == configuration
