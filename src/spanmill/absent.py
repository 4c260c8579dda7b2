"""Types that Collector users know and Spanmill lacks: what to say, and the nearest thing that Spanmill has."""

from typing import Final

from spanmill.names import Kind

_OTLP_HTTP: Final = "It takes OTLP: use the otlp_http exporter"
_NO_STORE: Final = "Use the parquet or duckdb exporter, or send OTLP on with otlp_grpc to a Collector that has it."
_NO_SCRAPE: Final = "Spanmill receives OTLP only; let a Collector collect this and send OTLP here."
_NO_OTTL: Final = "Spanmill has no OTTL: use attributes or resource to change attributes, and filter to drop rows."
_NO_ENRICH: Final = "Set what is known with the resource processor, or let the SDK's resource detectors find it."
_NO_AUTH: Final = "Use bearertokenauth with a token file, basicauth, or mTLS (`tls.client_ca_file`)."

_ABSENT: Final[dict[Kind, dict[str, str]]] = {
    Kind.RECEIVERS: {
        **dict.fromkeys(
            ("prometheus", "hostmetrics", "filelog", "docker_stats", "httpcheck", "redis", "nginx", "postgresql"),
            _NO_SCRAPE,
        ),
        **dict.fromkeys(
            ("kubeletstats", "k8s_cluster", "k8s_events", "syslog", "tcplog", "udplog", "statsd"), _NO_SCRAPE
        ),
        **dict.fromkeys(("fluentforward", "loki", "file", "kafka", "mysql", "mongodb", "journald", "nop"), _NO_SCRAPE),
        "jaeger": "Jaeger's clients are retired: send OTLP from the OpenTelemetry SDK to the otlp receiver.",
        "zipkin": "Send OTLP from the OpenTelemetry SDK to the otlp receiver, or let a Collector translate.",
        "opencensus": "OpenCensus is retired: send OTLP from the OpenTelemetry SDK to the otlp receiver.",
    },
    Kind.PROCESSORS: {
        "transform": _NO_OTTL,
        "metricstransform": _NO_OTTL,
        "metricsgeneration": _NO_OTTL,
        "groupbyattrs": _NO_OTTL,
        "span": "Not in Spanmill: set the name in the SDK.",
        "groupbytrace": "Not needed: rows of a trace are put together by queries.",
        "resourcedetection": _NO_ENRICH,
        "k8sattributes": _NO_ENRICH,
        "k8s_attributes": _NO_ENRICH,
        "routing": "List several exporters in a pipeline, and use filter in pipelines of their own.",
        "cumulativetodelta": "Not in Spanmill: the prometheus exporter takes both.",
        "deltatocumulative": "Not needed before the prometheus exporter, which does it itself.",
        "queued_retry": "Retired by the Collector: exporters have `retry_on_failure`.",
        "spanmetrics": "Query the spans with SQL, or let a Collector with the spanmetrics connector make metrics.",
    },
    Kind.EXPORTERS: {
        "jaeger": "Jaeger takes OTLP: use the otlp_grpc exporter with Jaeger's port 4317.",
        "loki": f"{_OTLP_HTTP} with endpoint http://<loki>:3100/otlp.",
        "zipkin": "Send OTLP with otlp_grpc to a Collector that has a zipkin exporter.",
        "prometheusremotewrite": f"{_OTLP_HTTP} with metrics_endpoint http://<prometheus>:9090/api/v1/otlp/v1/metrics, "
        "or let Prometheus scrape the prometheus exporter.",
        "elasticsearch": f"{_OTLP_HTTP} with Elastic's OTLP endpoint.",
        "datadog": f"{_OTLP_HTTP} with Datadog's OTLP intake, or a Datadog agent.",
        "splunk_hec": _NO_STORE,
        "kafka": _NO_STORE,
        "clickhouse": _NO_STORE,
        "opensearch": _NO_STORE,
        "googlecloud": _NO_STORE,
        "awss3": "Use the parquet exporter on a mounted bucket.",
        "awsxray": _NO_STORE,
        "awsemf": _NO_STORE,
        "azuremonitor": _NO_STORE,
        "opencensus": "OpenCensus is retired: use the otlp_grpc exporter.",
        "loadbalancing": "Not in Spanmill: put a gRPC-aware load balancer in between.",
        "nop": "Use the debug exporter with verbosity basic.",
    },
    Kind.CONNECTORS: {
        "spanmetrics": "Query the spans with SQL, or let a Collector with this connector make metrics.",
        "servicegraph": "Query the spans with SQL.",
        "count": "Query the rows with SQL.",
        "routing": "Use forward to several pipelines, each with a filter of its own.",
        "datadog": "Query the spans with SQL.",
    },
    Kind.EXTENSIONS: {
        "oidc": _NO_AUTH,
        "oauth2client": _NO_AUTH,
        "headers_setter": "Not in Spanmill: `headers` on an exporter sets fixed ones.",
        "healthcheckv2": "Use health_check, which reports readiness that follows the exporters.",
        "memory_ballast": "Retired by the Collector: remove it; `memory_limiter` is enough.",
        "memory_limiter": "Use the memory_limiter processor; requests are admitted by size before that.",
    },
}


def instead_of(kind: Kind, name: str) -> str:
    """What to use instead of a Collector type that Spanmill lacks; empty for unknown names."""
    return _ABSENT[kind].get(name, "")
