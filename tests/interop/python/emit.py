"""emit.py PROTOCOL ENDPOINT: ten spans, ten log records and a counter of 10, by the SDK's exporters."""
import sys
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

protocol, endpoint = sys.argv[1:]
if protocol == "grpc":
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    paths = {signal: {"endpoint": endpoint, "insecure": True} for signal in ("traces", "metrics", "logs")}
else:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    paths = {signal: {"endpoint": f"{endpoint}/v1/{signal}"} for signal in ("traces", "metrics", "logs")}

traces, logs = TracerProvider(), LoggerProvider()
traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(**paths["traces"])))
logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(**paths["logs"])))
metrics = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter(**paths["metrics"]), 3_600_000)])
counter = metrics.get_meter("emit").create_counter("emitted")
for number in range(10):
    traces.get_tracer("emit").start_span(str(number)).end()
    logs.get_logger("emit").emit(body=str(number))
    counter.add(1)
for provider in (traces, logs, metrics):
    provider.shutdown()
