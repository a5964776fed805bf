// emit.js PROTOCOL ENDPOINT: ten spans, ten log records and a counter of 10, by the SDK's exporters.
const { BasicTracerProvider, BatchSpanProcessor } = require('@opentelemetry/sdk-trace-node');
const { MeterProvider, PeriodicExportingMetricReader } = require('@opentelemetry/sdk-metrics');
const { LoggerProvider, BatchLogRecordProcessor } = require('@opentelemetry/sdk-logs');

const [protocol, endpoint] = process.argv.slice(2);
const kind = { grpc: 'grpc', proto: 'proto', json: 'http' }[protocol];
const load = (signal) => require(`@opentelemetry/exporter-${signal}-otlp-${kind}`);
const options = (path) => ({ url: protocol === 'grpc' ? endpoint : `${endpoint}/v1/${path}` });

async function main() {
  const spans = new BatchSpanProcessor(new (load('trace').OTLPTraceExporter)(options('traces')));
  const records = new BatchLogRecordProcessor({ exporter: new (load('logs').OTLPLogExporter)(options('logs')) });
  const reader = new PeriodicExportingMetricReader({
    exporter: new (load('metrics').OTLPMetricExporter)(options('metrics')), exportIntervalMillis: 3600000,
  });
  const traces = new BasicTracerProvider({ spanProcessors: [spans] });
  const logs = new LoggerProvider({ processors: [records] });
  const metrics = new MeterProvider({ readers: [reader] });
  const counter = metrics.getMeter('emit').createCounter('emitted', { valueType: 0 });
  for (let number = 0; number < 10; number++) {
    traces.getTracer('emit').startSpan(String(number)).end();
    logs.getLogger('emit').emit({ body: String(number) });
    counter.add(1);
  }
  for (const provider of [traces, logs, metrics]) {
    await provider.forceFlush();
    await provider.shutdown();
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
