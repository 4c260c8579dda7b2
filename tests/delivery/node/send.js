// OpenTelemetry's JavaScript SDK as a sender:
//   node send.js <grpc|http/protobuf|http/json> <http://host:port> <gzip|none> <service>
// Prints, as JSON, the rows that what it handed to the exporters should become; times as decimal text.
'use strict';

const { context, trace, SpanKind, SpanStatusCode, TraceFlags, ROOT_CONTEXT } = require('@opentelemetry/api');
const { SeverityNumber } = require('@opentelemetry/api-logs');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { BasicTracerProvider, BatchSpanProcessor } = require('@opentelemetry/sdk-trace-base');
const { AggregationType, MeterProvider, PeriodicExportingMetricReader } = require('@opentelemetry/sdk-metrics');
const { BatchLogRecordProcessor, LoggerProvider } = require('@opentelemetry/sdk-logs');

const [protocol, target, compression, service] = process.argv.slice(2);
const KINDS = ['internal', 'server', 'client', 'producer', 'consumer'];
const STATUSES = ['unset', 'ok', 'error'];
const POINTS = ['histogram', 'exponential_histogram', 'gauge', 'sum'];
const TEMPORALITIES = ['delta', 'cumulative'];

const attributes = {
  text: '안녕하세요, 世界 "quoted"\nsecond line', whole: 42, negative: -7, half: 0.5, yes: true, list: ['eins', '三'], empty: '',
};

function exporter(signal, name) {
  const kind = { grpc: 'grpc', 'http/protobuf': 'proto', 'http/json': 'http' }[protocol];
  const made = require(`@opentelemetry/exporter-${signal === 'traces' ? 'trace' : signal}-otlp-${kind}`)[name];
  const url = protocol === 'grpc' ? target : `${target}/v1/${signal}`;
  return new made({ url, compression });
}

// Keeps what an exporter is handed, fails loudly when it is not accepted.
function recorded(made, rows) {
  const kept = [];
  const send = made.export.bind(made);
  made.export = (data, done) => {
    kept.push(...rows(data));
    send(data, (result) => {
      if (result.code !== 0) { console.error(result.error); process.exitCode = 1; }
      done(result);
    });
  };
  return kept;
}

const nanoseconds = ([seconds, rest]) => (BigInt(seconds) * 1000000000n + BigInt(rest)).toString();
const text = (value) => (typeof value === 'string' ? value : JSON.stringify(value));
const texts = (given) => Object.fromEntries(Object.entries(given || {}).map(([key, value]) => [key, text(value)]));
const envelope = (resource, scope) => ({
  service_name: resource.attributes['service.name'], scope_name: scope.name, scope_version: scope.version || null,
  resource_attributes: texts(resource.attributes),
});

function spanRow(span) {
  const ids = span.spanContext();
  return {
    trace_id: ids.traceId, span_id: ids.spanId, parent_span_id: span.parentSpanContext?.spanId ?? null,
    trace_state: ids.traceState?.serialize() ?? null, flags: 0x100 | ids.traceFlags, name: span.name,
    kind: KINDS[span.kind], start_time: nanoseconds(span.startTime), end_time: nanoseconds(span.endTime),
    status_code: STATUSES[span.status.code], status_message: span.status.message ?? null,
    ...envelope(span.resource, span.instrumentationScope), attributes: texts(span.attributes),
    events: span.events.map((e) => ({ time: nanoseconds(e.time), name: e.name, attributes: texts(e.attributes) })),
    links: span.links.map((l) => ({
      trace_id: l.context.traceId, span_id: l.context.spanId, trace_state: null, attributes: texts(l.attributes),
    })),
  };
}

function* metricRows(collected) {
  for (const { scope, metrics } of collected.scopeMetrics) {
    for (const metric of metrics) for (const point of metric.dataPoints) yield metricRow(collected.resource, scope, metric, point);
  }
}

function metricRow(resource, scope, metric, point) {
  const type = POINTS[metric.dataPointType];
  const plain = type === 'gauge' || type === 'sum';
  const whole = metric.descriptor.valueType === 0;
  const side = (buckets) => ({ offset: buckets.offset, bucket_counts: buckets.bucketCounts });
  const row = {
    name: metric.descriptor.name, description: metric.descriptor.description || null, unit: metric.descriptor.unit || null,
    type, temporality: type === 'gauge' ? 'unspecified' : TEMPORALITIES[metric.aggregationTemporality],
    is_monotonic: metric.isMonotonic ?? false, start_time: nanoseconds(point.startTime), time: nanoseconds(point.endTime),
    value: plain ? point.value : null, value_int: plain && whole ? point.value : null, count: null, sum: null, min: null,
    max: null, explicit_bounds: null, bucket_counts: null, scale: null, zero_count: null, positive: null, negative: null,
    flags: 0, ...envelope(resource, scope), attributes: texts(point.attributes),
  };
  if (plain) return row;
  const { count, sum, min, max } = point.value;
  Object.assign(row, { count, sum, min, max });
  if (type === 'histogram') {
    return Object.assign(row, { explicit_bounds: point.value.buckets.boundaries, bucket_counts: point.value.buckets.counts });
  }
  const { scale, zeroCount, positive, negative } = point.value;
  return Object.assign(row, { scale, zero_count: zeroCount, positive: side(positive), negative: side(negative) });
}

function logRow(record) {
  return {
    time: nanoseconds(record.hrTime), observed_time: nanoseconds(record.hrTimeObserved),
    trace_id: record.spanContext?.traceId ?? null, span_id: record.spanContext?.spanId ?? null,
    flags: record.spanContext?.traceFlags ?? 0, severity_number: record.severityNumber ?? 0,
    severity_text: record.severityText ?? null, event_name: record.eventName ?? null, body: text(record.body),
    ...envelope(record.resource, record.instrumentationScope), attributes: texts(record.attributes),
  };
}

async function sendSpans(resource) {
  const sender = exporter('traces', 'OTLPTraceExporter');
  const rows = recorded(sender, (spans) => spans.map(spanRow));
  const provider = new BasicTracerProvider({ resource, spanProcessors: [new BatchSpanProcessor(sender)] });
  const tracer = provider.getTracer('shop', '1.2.3');
  const elsewhere = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: TraceFlags.SAMPLED };
  for (const kind of Object.values(SpanKind).filter(Number.isInteger)) {
    const links = [{ context: elsewhere, attributes: { why: 'follows', n: 2 } }];
    const startTime = [Math.floor(Date.now() / 1000), 123456789];
    const parent = tracer.startSpan(`${KINDS[kind]} parent`, { kind, attributes, links, startTime }, ROOT_CONTEXT);
    parent.addEvent('looked up', { rows: 3, store: 'cache' }, [startTime[0], 200000001]);
    const inside = trace.setSpan(ROOT_CONTEXT, parent);
    tracer.startSpan('child', { startTime: [startTime[0], 123456790] }, inside)
      .setStatus({ code: SpanStatusCode.OK }).end([startTime[0], 223456791]);
    const broken = tracer.startSpan('broken', {}, inside);
    broken.recordException(new Error('no such order'));
    broken.setStatus({ code: SpanStatusCode.ERROR, message: 'no such order' }).end();
    parent.end([startTime[0] + 1, 1]);
  }
  await provider.shutdown();
  return rows;
}

async function sendMetrics(resource) {
  const sender = exporter('metrics', 'OTLPMetricExporter');
  const rows = recorded(sender, (collected) => [...metricRows(collected)]);
  const reader = new PeriodicExportingMetricReader({ exporter: sender, exportIntervalMillis: 3600000 });
  const views = [{ instrumentName: 'payload.size', aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } }];
  const provider = new MeterProvider({ resource, readers: [reader], views });
  const meter = provider.getMeter('shop', '1.2.3');
  const labels = { route: '/ask', language: 'ko' };
  meter.createCounter('requests', { unit: '{request}', description: 'Requests answered.', valueType: 0 }).add(7, labels);
  meter.createCounter('paid', { unit: 'USD' }).add(0.125, labels);
  meter.createUpDownCounter('queue.length', { valueType: 0 }).add(-3, labels);
  meter.createGauge('temperature', { unit: 'Cel' }).record(21.5, labels);
  const durations = meter.createHistogram('duration', { unit: 's', advice: { explicitBucketBoundaries: [0.1, 1, 10] } });
  const sizes = meter.createHistogram('payload.size', { unit: 'By' });
  for (const value of [0.05, 0.5, 5, 50]) { durations.record(value, labels); sizes.record(value * 1000, labels); }
  await provider.shutdown();
  return rows;
}

async function sendLogs(resource) {
  const sender = exporter('logs', 'OTLPLogExporter');
  const rows = recorded(sender, (records) => records.map(logRow));
  const provider = new LoggerProvider({ resource, processors: [new BatchLogRecordProcessor({ exporter: sender })] });
  const logger = provider.getLogger('shop', '1.2.3');
  logger.emit({ severityNumber: SeverityNumber.WARN, severityText: 'WARNING', body: '재고가 부족합니다', attributes });
  const inside = trace.setSpanContext(ROOT_CONTEXT, {
    traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: TraceFlags.SAMPLED,
  });
  logger.emit({
    eventName: 'gen_ai.evaluation.result', body: { score: 0.75, label: 'good', notes: ['short', 'kind'] }, context: inside,
  });
  await provider.shutdown();
  return rows;
}

async function main() {
  const resource = resourceFromAttributes({ 'service.name': service, 'host.cpus': 8, zones: ['a', 'b'] });
  const spans = await sendSpans(resource);
  const metrics = await sendMetrics(resource);
  const logs = await sendLogs(resource);
  process.stdout.write(JSON.stringify({ spans, metrics, logs }));
}

main();
