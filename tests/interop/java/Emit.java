import io.opentelemetry.exporter.otlp.http.logs.OtlpHttpLogRecordExporter;
import io.opentelemetry.exporter.otlp.http.metrics.OtlpHttpMetricExporter;
import io.opentelemetry.exporter.otlp.http.trace.OtlpHttpSpanExporter;
import io.opentelemetry.exporter.otlp.logs.OtlpGrpcLogRecordExporter;
import io.opentelemetry.exporter.otlp.metrics.OtlpGrpcMetricExporter;
import io.opentelemetry.exporter.otlp.trace.OtlpGrpcSpanExporter;
import io.opentelemetry.sdk.logs.SdkLoggerProvider;
import io.opentelemetry.sdk.logs.export.BatchLogRecordProcessor;
import io.opentelemetry.sdk.logs.export.LogRecordExporter;
import io.opentelemetry.sdk.metrics.SdkMeterProvider;
import io.opentelemetry.sdk.metrics.export.MetricExporter;
import io.opentelemetry.sdk.metrics.export.PeriodicMetricReader;
import io.opentelemetry.sdk.trace.SdkTracerProvider;
import io.opentelemetry.sdk.trace.export.BatchSpanProcessor;
import io.opentelemetry.sdk.trace.export.SpanExporter;
import java.time.Duration;

/** Emit PROTOCOL ENDPOINT: ten spans, ten log records and a counter of 10, by the SDK's exporters. */
public class Emit {
  public static void main(String[] arguments) {
    boolean grpc = arguments[0].equals("grpc");
    String endpoint = arguments[1];
    var traces = SdkTracerProvider.builder()
        .addSpanProcessor(BatchSpanProcessor.builder(spans(grpc, endpoint)).build()).build();
    var logs = SdkLoggerProvider.builder()
        .addLogRecordProcessor(BatchLogRecordProcessor.builder(records(grpc, endpoint)).build()).build();
    var metrics = SdkMeterProvider.builder()
        .registerMetricReader(PeriodicMetricReader.builder(metrics(grpc, endpoint)).setInterval(Duration.ofHours(1)).build())
        .build();
    var counter = metrics.get("emit").counterBuilder("emitted").build();
    for (int number = 0; number < 10; number++) {
      traces.get("emit").spanBuilder(String.valueOf(number)).startSpan().end();
      logs.get("emit").logRecordBuilder().setBody(String.valueOf(number)).emit();
      counter.add(1);
    }
    traces.close();
    logs.close();
    metrics.close();
  }

  private static SpanExporter spans(boolean grpc, String endpoint) {
    return grpc
        ? OtlpGrpcSpanExporter.builder().setEndpoint(endpoint).build()
        : OtlpHttpSpanExporter.builder().setEndpoint(endpoint + "/v1/traces").setCompression("gzip").build();
  }

  private static LogRecordExporter records(boolean grpc, String endpoint) {
    return grpc
        ? OtlpGrpcLogRecordExporter.builder().setEndpoint(endpoint).build()
        : OtlpHttpLogRecordExporter.builder().setEndpoint(endpoint + "/v1/logs").setCompression("gzip").build();
  }

  private static MetricExporter metrics(boolean grpc, String endpoint) {
    return grpc
        ? OtlpGrpcMetricExporter.builder().setEndpoint(endpoint).build()
        : OtlpHttpMetricExporter.builder().setEndpoint(endpoint + "/v1/metrics").setCompression("gzip").build();
  }
}
