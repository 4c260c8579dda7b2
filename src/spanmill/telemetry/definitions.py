"""The list of the daemon's own metrics: every name there is, its type, and what it means.

Names are the Collector's (reference: OpenTelemetry Collector "internal telemetry"), so that dashboards and alerts made
for it work unchanged. One function for each family of components; counting is left to `metrics`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

MetricType = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class MetricDefinition:
    """One metric: `name` without a type suffix, `type`, `help`, and for histograms the bucket bounds."""

    name: str
    type: MetricType
    help: str
    buckets: tuple[float, ...] = ()
    unit: str = ""
    """`seconds` or `bytes`; part of the name only when the page is asked for units."""


DURATION_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LAG_BUCKETS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0)
SIZE_BUCKETS = (
    1.0,
    10.0,
    50.0,
    100.0,
    250.0,
    500.0,
    1_000.0,
    2_500.0,
    5_000.0,
    10_000.0,
    25_000.0,
    50_000.0,
    100_000.0,
)

_ITEMS = {"spans": "spans", "metric_points": "metric points", "log_records": "log records"}


def _item_definitions() -> Iterator[MetricDefinition]:
    for item, words in _ITEMS.items():
        yield MetricDefinition(
            f"otelcol_receiver_accepted_{item}", "counter", f"Number of {words} taken into the pipelines."
        )
        yield MetricDefinition(
            f"otelcol_receiver_refused_{item}",
            "counter",
            f"Number of {words} not taken; the sender was told to try again or never.",
        )
        yield MetricDefinition(
            f"otelcol_receiver_failed_{item}", "counter", f"Number of {words} lost by a fault of the collector."
        )
        yield MetricDefinition(f"otelcol_exporter_sent_{item}", "counter", f"Number of {words} delivered.")
        yield MetricDefinition(
            f"otelcol_exporter_send_failed_{item}", "counter", f"Number of {words} given up for good."
        )
        yield MetricDefinition(
            f"otelcol_exporter_enqueue_failed_{item}", "counter", f"Number of {words} refused by a full journal."
        )
        yield MetricDefinition(
            f"otelcol_processor_memory_limiter_accepted_{item}", "counter", f"Number of {words} let in."
        )
        yield MetricDefinition(
            f"otelcol_processor_memory_limiter_refused_{item}", "counter", f"Number of {words} refused to save memory."
        )


def _receiver_definitions() -> Iterator[MetricDefinition]:
    yield MetricDefinition(
        "otelcol_receiver_requests", "counter", "Number of requests by outcome: accepted, partial, refused, rejected."
    )
    yield MetricDefinition(
        "spanmill_receiver_bad_requests",
        "counter",
        "Number of requests and connections turned away, by reason: in_flight, memory, busy, malformed, too_large, ...",
    )


def _processor_definitions() -> Iterator[MetricDefinition]:
    yield MetricDefinition("otelcol_processor_incoming_items", "counter", "Number of items handed to the processor.")
    yield MetricDefinition("otelcol_processor_outgoing_items", "counter", "Number of items that left the processor.")
    yield MetricDefinition(
        "otelcol_processor_internal_duration",
        "histogram",
        "Seconds of one call of the processor.",
        DURATION_BUCKETS,
        "seconds",
    )
    yield MetricDefinition(
        "spanmill_processor_lost_items",
        "counter",
        "Number of acknowledged items that are lost because a processor failed on them.",
    )
    yield MetricDefinition(
        "spanmill_processor_waiting_bytes",
        "gauge",
        "Bytes in the journal that a processor which reads it has not had.",
        unit="bytes",
    )


def _exporter_definitions() -> Iterator[MetricDefinition]:
    yield MetricDefinition(
        "otelcol_exporter_queue_size", "gauge", "Bytes held in the journal for the exporter.", unit="bytes"
    )
    yield MetricDefinition("otelcol_exporter_queue_capacity", "gauge", "Bytes the journal may hold.", unit="bytes")
    yield MetricDefinition("otelcol_exporter_in_flight_requests", "gauge", "Number of exports under way.")
    yield MetricDefinition(
        "spanmill_exporter_breaker_open",
        "gauge",
        "1 while the exporter is taken to be down and is only tried once in a while, otherwise 0.",
    )
    yield MetricDefinition(
        "otelcol_exporter_queue_batch_send_size", "histogram", "Items handed to the exporter at once.", SIZE_BUCKETS
    )
    yield MetricDefinition(
        "spanmill_exporter_export_duration", "histogram", "Seconds of one export.", DURATION_BUCKETS, "seconds"
    )


def _dead_letter_definitions() -> Iterator[MetricDefinition]:
    yield MetricDefinition("spanmill_exporter_dead_letters", "counter", "Batches kept as dead letters.")
    yield MetricDefinition("spanmill_exporter_dead_letter_items", "counter", "Items in batches kept as dead letters.")
    yield MetricDefinition(
        "spanmill_exporter_lost_dead_letter_items",
        "counter",
        "Items given up whose dead letters were deleted for want of room: they are nowhere now.",
    )
    yield MetricDefinition("spanmill_dead_letters_bytes", "gauge", "Bytes of dead letters on the disk.", unit="bytes")


def _budget_definitions() -> Iterator[MetricDefinition]:
    gauges = {
        "llm_budget_spent_usd": "USD spent in the period under way, by budget and value of its column.",
        "llm_budget_limit_usd": "USD that may be spent in a period.",
        "llm_budget_unpriced_calls": "Calls in the period under way whose price is not known: `spent` lacks them.",
        "llm_cost_day_over_day_ratio": "What the last 24 hours cost over what the 24 hours before them did.",
    }
    for name, text in gauges.items():
        yield MetricDefinition(name, "gauge", text)
    yield MetricDefinition(
        "llm_budget_notifications",
        "counter",
        "Thresholds that were reached, by what became of telling it: sent, failed, late, in_doubt.",
    )
    yield MetricDefinition(
        "llm_budget_overflowed_calls",
        "counter",
        "Calls summed up as `other` because their column has too many values.",
    )
    yield MetricDefinition(
        "llm_budget_ignored_calls",
        "counter",
        "Calls that no budget counts, because they began long ago (late) or in the future (early).",
    )


def _judge_definitions() -> Iterator[MetricDefinition]:
    counters = {
        "sampled_spans": "Spans that an evaluator's share takes, that fit its conditions and are not a judge's own.",
        "queued_samples": "Samples that were put into the queue.",
        "samples": "Samples by what became of them (scored, failed, skipped) and why.",
        "lost_records": "Records of the queue that could not be read, with all their samples.",
        "tokens": "Tokens of the judge's own calls, by model and type.",
        "cost_usd": "USD that the judge's own calls cost, by model.",
        "alerts": "Scores below a threshold, by what became of telling it: sent, failed, repeated, limited.",
    }
    gauges = {
        "waiting_samples": "Questions in the queue that are not done.",
        "budget_spent": "What is spent in the period under way, with what is set aside: USD or tokens, by unit.",
        "budget_limit": "Most that may be spent in the period.",
        "concurrency": "Requests that may be under way: fewer than configured while the server asks for fewer.",
        "requests_under_way": "Requests that are under way.",
        "breaker_open": "1 while the model's server is taken to be down and is only tried once in a while, else 0.",
    }
    for name, text in counters.items():
        yield MetricDefinition(f"spanmill_llm_judge_{name}", "counter", text)
    for name, text in gauges.items():
        yield MetricDefinition(f"spanmill_llm_judge_{name}", "gauge", text)
    yield MetricDefinition(
        "spanmill_llm_judge_lag", "histogram", "Seconds from a span's end to its verdict.", LAG_BUCKETS, "seconds"
    )


def _process_definitions() -> Iterator[MetricDefinition]:
    yield MetricDefinition("otelcol_process_uptime", "counter", "Seconds since the process started.", unit="seconds")
    yield MetricDefinition(
        "otelcol_process_cpu_seconds", "counter", "CPU seconds used, user and system.", unit="seconds"
    )
    yield MetricDefinition("otelcol_process_memory_rss", "gauge", "Resident memory in bytes.", unit="bytes")
    yield MetricDefinition("spanmill_process_arrow_allocated_bytes", "gauge", "Bytes of Arrow data held.", unit="bytes")
    yield MetricDefinition("spanmill_process_threads", "gauge", "Threads of the process that Python knows of.")
    yield MetricDefinition("spanmill_process_open_files", "gauge", "Open file descriptors.")


def _llm_definitions() -> Iterator[MetricDefinition]:
    yield MetricDefinition(
        "spanmill_gen_ai_normalizer_unreadable_values",
        "counter",
        "Distinct values in a batch that were not of their column's type, by column; the column is null there.",
    )
    yield MetricDefinition(
        "llm_cost_unpriced_spans", "counter", "Calls of models that llm_cost could not price, by model and reason."
    )


def _masking_definitions() -> Iterator[MetricDefinition]:
    yield MetricDefinition(
        "spanmill_pii_masking_findings",
        "counter",
        "Personal data and secrets that were found, by detector and by the kind of place they were in.",
    )
    yield MetricDefinition(
        "spanmill_pii_masking_failures",
        "counter",
        "Values and batches that could not be masked, by outcome: their texts were replaced, or the batch was refused.",
    )
    yield MetricDefinition(
        "spanmill_pii_masking_scanned_bytes", "counter", "Bytes of the batches that were searched.", unit="bytes"
    )


def _prometheus_definitions() -> Iterator[MetricDefinition]:
    yield MetricDefinition("spanmill_prometheus_series", "gauge", "Series that a prometheus exporter holds.")
    yield MetricDefinition(
        "spanmill_prometheus_dropped_points",
        "counter",
        "Metric points that a prometheus exporter did not put on its page, by reason.",
    )


def _journal_definitions() -> Iterator[MetricDefinition]:
    names = {
        "held_bytes": "Bytes that wait for some exporter, by pipeline.",
        "capacity_bytes": "Most bytes that may wait, by pipeline.",
        "oldest_age": "Seconds that the oldest record has waited for some exporter.",
        "disk_free_bytes": "Bytes left to the collector on the journal's disk, by pipeline.",
    }
    units = {"oldest_age": "seconds"}
    for name, text in names.items():
        yield MetricDefinition(f"spanmill_journal_{name}", "gauge", text, unit=units.get(name, "bytes"))
    yield MetricDefinition("spanmill_journal_write_failures", "counter", "Writes and syncs of a journal that failed.")
    yield MetricDefinition(
        "spanmill_journal_damaged_records",
        "counter",
        "Records of a journal that cannot be read any more, or are gone: acknowledged data that is lost.",
    )
    yield MetricDefinition(
        "spanmill_journal_torn_bytes",
        "counter",
        "Bytes that were being written, and not acknowledged, when the process or the power ended.",
        unit="bytes",
    )
    yield MetricDefinition(
        "spanmill_journal_sync_duration",
        "histogram",
        "Seconds that the disk took for a sync.",
        DURATION_BUCKETS,
        "seconds",
    )
    yield MetricDefinition(
        "spanmill_journal_group_records", "histogram", "Records that one write and one sync served.", SIZE_BUCKETS
    )


def _tail_sampling_definitions() -> Iterator[MetricDefinition]:
    ours = "spanmill_tail_sampling"
    for name, text in (
        ("new_trace_id_received", "Number of traces of which spans came."),
        ("global_count_traces_sampled", "Number of traces that were decided, kept or not."),
        ("count_traces_sampled", "Number of traces that were kept, by the policy that kept them."),
        ("count_spans_sampled", "Number of spans in traces that were decided, kept or not."),
        ("sampling_policy_evaluation_error", "Number of traces that a policy could not judge."),
    ):
        yield MetricDefinition(f"otelcol_processor_tail_sampling_{name}", "counter", text)
    for name, text in (
        ("policy_matches", "Number of traces that a policy alone would have kept."),
        ("policy_drops", "Number of traces that a `drop` policy dropped."),
        ("oversized_traces", "Number of traces that a rate limit can never keep: larger than its burst."),
        ("late_spans", "Number of spans that came after the decision about their trace, which they share."),
        ("late_evaluations", "Number of evaluations of traces that had been dropped already."),
        (
            "early_decisions",
            "Number of traces decided before their time: too many, too large, or the journal nearly full.",
        ),
    ):
        yield MetricDefinition(f"{ours}_{name}", "counter", text)
    waiting = "Number of traces that wait for a decision."
    yield MetricDefinition("otelcol_processor_tail_sampling_sampling_traces_on_memory", "gauge", waiting)
    yield MetricDefinition(f"{ours}_pending_spans", "gauge", "Number of spans whose traces wait for a decision.")
    memory, journal = "Bytes that waiting spans and known traces take.", "Bytes that waiting spans keep in the journal."
    yield MetricDefinition(f"{ours}_memory_bytes", "gauge", memory, unit="bytes")
    yield MetricDefinition(f"{ours}_journal_bytes", "gauge", journal, unit="bytes")
    took = "Seconds that one decision about all traces that were due took."
    yield MetricDefinition(f"{ours}_pass_duration", "histogram", took, DURATION_BUCKETS, "seconds")


def _sampling_definitions() -> Iterator[MetricDefinition]:
    prefix = "otelcol_processor_probabilistic_sampler_count_"
    for name, words in (("traces_sampled", "spans"), ("spans_processed", "spans"), ("logs_sampled", "log records")):
        text = f"Number of {words} that were sampled or not, by what decided (`policy`)."
        yield MetricDefinition(prefix + name, "counter", text)


def _intake_definitions() -> Iterator[MetricDefinition]:
    yield MetricDefinition(
        "spanmill_intake_duplicate_requests",
        "counter",
        "Requests that were sent again within the window, byte for byte: answered as accepted, stored once.",
    )
    busy = "Share of about the last ten seconds in which requests were being worked on (0 to 1)."
    yield MetricDefinition("spanmill_intake_utilization", "gauge", busy)
    yield MetricDefinition("spanmill_intake_batch_requests", "histogram", "Requests worked on together.", SIZE_BUCKETS)
    yield MetricDefinition(
        "spanmill_intake_batch_duration",
        "histogram",
        "Seconds from taking a batch to its acknowledgement.",
        DURATION_BUCKETS,
        "seconds",
    )
    yield MetricDefinition(
        "spanmill_intake_in_flight_bytes", "gauge", "Bytes of requests received and not yet answered.", unit="bytes"
    )


def _definitions() -> Iterator[MetricDefinition]:
    yield from _item_definitions()
    yield from _receiver_definitions()
    yield from _processor_definitions()
    yield from _exporter_definitions()
    yield from _dead_letter_definitions()
    yield from _budget_definitions()
    yield from _judge_definitions()
    yield from _process_definitions()
    yield from _llm_definitions()
    yield from _masking_definitions()
    yield from _prometheus_definitions()
    yield from _sampling_definitions()
    yield from _tail_sampling_definitions()
    yield from _journal_definitions()
    yield from _intake_definitions()


DEFINITIONS: dict[str, MetricDefinition] = {definition.name: definition for definition in _definitions()}
