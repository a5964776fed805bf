use crate::disorder::disorder;
use crate::generate::{Request, logs, metrics};
use collector_pdata::logs::{self as log_view, LogRecord as LogView};
use collector_pdata::metrics::{self as view, Data as DataView, Metric as MetricView, Number};
use collector_pdata::traces::{AnyValue as ValueView, Attributes};
use collector_pdata::{Malformed, traces};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar, metric,
    number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use proptest::prelude::*;
use prost::Message;

type Read<T> = Result<T, Malformed>;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn id(id: &[u8]) -> Vec<u8> {
    if id.iter().all(|byte| *byte == 0) {
        Vec::new()
    } else {
        id.to_vec()
    }
}

fn value(view: Option<ValueView<'_>>) -> Read<AnyValue> {
    let value = match view {
        None => None,
        Some(ValueView::Text(bytes)) => Some(Value::StringValue(text(bytes))),
        Some(ValueView::Bool(value)) => Some(Value::BoolValue(value)),
        Some(ValueView::Int(value)) => Some(Value::IntValue(value)),
        Some(ValueView::Double(value)) => Some(Value::DoubleValue(value)),
        Some(ValueView::Bytes(bytes)) => Some(Value::BytesValue(bytes.to_vec())),
        Some(ValueView::Array(nested)) => {
            let values = nested.values().map(|inner| value(inner?)).collect::<Read<_>>()?;
            Some(Value::ArrayValue(ArrayValue { values }))
        }
        Some(ValueView::Map(nested)) => Some(Value::KvlistValue(KeyValueList {
            values: attributes(nested.attributes())?,
        })),
    };
    Ok(AnyValue { value })
}

fn attributes(view: Attributes<'_>) -> Read<Vec<KeyValue>> {
    view.map(|attribute| {
        let attribute = attribute?;
        Ok(KeyValue {
            key: text(attribute.key),
            value: Some(value(attribute.value)?),
        })
    })
    .collect()
}

fn resource(view: traces::Resource<'_>) -> Read<Option<Resource>> {
    Ok(Some(Resource {
        attributes: attributes(view.attributes())?,
        dropped_attributes_count: view.dropped_attributes_count()?,
        ..Resource::default()
    }))
}

fn scope(view: traces::Scope<'_>) -> Read<Option<InstrumentationScope>> {
    Ok(Some(InstrumentationScope {
        name: text(view.name),
        version: text(view.version),
        attributes: attributes(view.attributes())?,
        dropped_attributes_count: view.dropped_attributes_count,
    }))
}

fn log_record(view: LogView<'_>) -> Read<LogRecord> {
    let body = value(view.body()?)?;
    Ok(LogRecord {
        time_unix_nano: view.time_unix_nano,
        observed_time_unix_nano: view.observed_time_unix_nano,
        severity_number: view.severity_number,
        severity_text: text(view.severity_text),
        body: Some(body),
        attributes: attributes(view.attributes())?,
        dropped_attributes_count: view.dropped_attributes_count,
        flags: view.flags,
        trace_id: id(&view.trace_id),
        span_id: id(&view.span_id),
        event_name: text(view.event_name),
    })
}

fn read_logs(bytes: &[u8]) -> Read<ExportLogsServiceRequest> {
    let scopes = |scope_logs: log_view::ScopeLogs<'_>| -> Read<ScopeLogs> {
        Ok(ScopeLogs {
            scope: scope(scope_logs.scope()?)?,
            log_records: scope_logs
                .log_records()
                .map(|record| log_record(record?))
                .collect::<Read<_>>()?,
            schema_url: text(scope_logs.schema_url()?),
        })
    };
    let resources = log_view::resource_logs(bytes).map(|resource_logs| {
        let resource_logs = resource_logs?;
        Ok(ResourceLogs {
            resource: resource(resource_logs.resource()?)?,
            scope_logs: resource_logs
                .scope_logs()
                .map(|logs| scopes(logs?))
                .collect::<Read<_>>()?,
            schema_url: text(resource_logs.schema_url()?),
        })
    });
    Ok(ExportLogsServiceRequest {
        resource_logs: resources.collect::<Read<_>>()?,
    })
}

fn exemplar(view: view::Exemplar<'_>) -> Read<Exemplar> {
    Ok(Exemplar {
        filtered_attributes: attributes(view.filtered_attributes())?,
        time_unix_nano: view.time_unix_nano,
        span_id: id(&view.span_id),
        trace_id: id(&view.trace_id),
        value: view.value.map(|value| match value {
            Number::Double(value) => exemplar::Value::AsDouble(value),
            Number::Int(value) => exemplar::Value::AsInt(value),
        }),
    })
}

fn number(view: view::NumberDataPoint<'_>) -> Read<NumberDataPoint> {
    Ok(NumberDataPoint {
        attributes: attributes(view.attributes())?,
        start_time_unix_nano: view.start_time_unix_nano,
        time_unix_nano: view.time_unix_nano,
        exemplars: view.exemplars().map(|view| exemplar(view?)).collect::<Read<_>>()?,
        flags: view.flags,
        value: view.value.map(|value| match value {
            Number::Double(value) => number_data_point::Value::AsDouble(value),
            Number::Int(value) => number_data_point::Value::AsInt(value),
        }),
    })
}

fn histogram(view: view::HistogramDataPoint<'_>) -> Read<HistogramDataPoint> {
    Ok(HistogramDataPoint {
        attributes: attributes(view.attributes())?,
        start_time_unix_nano: view.start_time_unix_nano,
        time_unix_nano: view.time_unix_nano,
        count: view.count,
        sum: view.sum,
        bucket_counts: view.bucket_counts().collect::<Read<_>>()?,
        explicit_bounds: view.explicit_bounds().collect::<Read<_>>()?,
        exemplars: view.exemplars().map(|view| exemplar(view?)).collect::<Read<_>>()?,
        flags: view.flags,
        min: view.min,
        max: view.max,
    })
}

fn exponential(view: view::ExponentialHistogramDataPoint<'_>) -> Read<ExponentialHistogramDataPoint> {
    let buckets = |view: Option<view::Buckets<'_>>| -> Read<Option<Buckets>> {
        let read = |view: view::Buckets<'_>| {
            Ok(Buckets {
                offset: view.offset,
                bucket_counts: view.bucket_counts().collect::<Read<_>>()?,
            })
        };
        view.map(read).transpose()
    };
    Ok(ExponentialHistogramDataPoint {
        attributes: attributes(view.attributes())?,
        start_time_unix_nano: view.start_time_unix_nano,
        time_unix_nano: view.time_unix_nano,
        count: view.count,
        sum: view.sum,
        scale: view.scale,
        zero_count: view.zero_count,
        positive: buckets(view.positive)?,
        negative: buckets(view.negative)?,
        flags: view.flags,
        exemplars: view.exemplars().map(|view| exemplar(view?)).collect::<Read<_>>()?,
        min: view.min,
        max: view.max,
        zero_threshold: view.zero_threshold,
    })
}

fn summary(view: view::SummaryDataPoint<'_>) -> Read<SummaryDataPoint> {
    let quantile = |view: view::ValueAtQuantile| ValueAtQuantile {
        quantile: view.quantile,
        value: view.value,
    };
    Ok(SummaryDataPoint {
        attributes: attributes(view.attributes())?,
        start_time_unix_nano: view.start_time_unix_nano,
        time_unix_nano: view.time_unix_nano,
        count: view.count,
        sum: view.sum,
        quantile_values: view
            .quantile_values()
            .map(|view| view.map(quantile))
            .collect::<Read<_>>()?,
        flags: view.flags,
    })
}

fn data(view: DataView<'_>) -> Read<metric::Data> {
    Ok(match view {
        DataView::Gauge(points) => {
            let data_points = points.numbers().map(|view| number(view?)).collect::<Read<_>>()?;
            metric::Data::Gauge(Gauge { data_points })
        }
        DataView::Sum {
            points,
            aggregation_temporality,
            is_monotonic,
        } => {
            let data_points = points.numbers().map(|view| number(view?)).collect::<Read<_>>()?;
            metric::Data::Sum(Sum {
                data_points,
                aggregation_temporality,
                is_monotonic,
            })
        }
        DataView::Histogram {
            points,
            aggregation_temporality,
        } => {
            let data_points = points.histograms().map(|view| histogram(view?)).collect::<Read<_>>()?;
            metric::Data::Histogram(Histogram {
                data_points,
                aggregation_temporality,
            })
        }
        DataView::ExponentialHistogram {
            points,
            aggregation_temporality,
        } => {
            let data_points = points
                .exponential_histograms()
                .map(|view| exponential(view?))
                .collect::<Read<_>>()?;
            metric::Data::ExponentialHistogram(ExponentialHistogram {
                data_points,
                aggregation_temporality,
            })
        }
        DataView::Summary(points) => {
            let data_points = points.summaries().map(|view| summary(view?)).collect::<Read<_>>()?;
            metric::Data::Summary(Summary { data_points })
        }
    })
}

fn a_metric(view: MetricView<'_>) -> Read<Metric> {
    Ok(Metric {
        name: text(view.name),
        description: text(view.description),
        unit: text(view.unit),
        metadata: attributes(view.metadata())?,
        data: view.data.map(data).transpose()?,
    })
}

fn read_metrics(bytes: &[u8]) -> Read<ExportMetricsServiceRequest> {
    let scopes = |scope_metrics: view::ScopeMetrics<'_>| -> Read<ScopeMetrics> {
        Ok(ScopeMetrics {
            scope: scope(scope_metrics.scope()?)?,
            metrics: scope_metrics
                .metrics()
                .map(|view| a_metric(view?))
                .collect::<Read<_>>()?,
            schema_url: text(scope_metrics.schema_url()?),
        })
    };
    let resources = view::resource_metrics(bytes).map(|resource_metrics| {
        let resource_metrics = resource_metrics?;
        Ok(ResourceMetrics {
            resource: resource(resource_metrics.resource()?)?,
            scope_metrics: resource_metrics
                .scope_metrics()
                .map(|metrics| scopes(metrics?))
                .collect::<Read<_>>()?,
            schema_url: text(resource_metrics.schema_url()?),
        })
    });
    Ok(ExportMetricsServiceRequest {
        resource_metrics: resources.collect::<Read<_>>()?,
    })
}

/// A view does not tell an absent message from an empty one.
fn fill(attributes: &mut [KeyValue]) {
    attributes
        .iter_mut()
        .for_each(|attribute| fill_value(attribute.value.get_or_insert_default()));
}

fn fill_value(value: &mut AnyValue) {
    match &mut value.value {
        Some(Value::ArrayValue(array)) => array.values.iter_mut().for_each(fill_value),
        Some(Value::KvlistValue(list)) => fill(&mut list.values),
        _ => {}
    }
}

fn fill_exemplars(exemplars: &mut [Exemplar]) {
    exemplars
        .iter_mut()
        .for_each(|exemplar| fill(&mut exemplar.filtered_attributes));
}

fn fill_metric(metric: &mut Metric) {
    fill(&mut metric.metadata);
    match &mut metric.data {
        None => {}
        Some(metric::Data::Gauge(Gauge { data_points }) | metric::Data::Sum(Sum { data_points, .. })) => {
            for point in data_points {
                fill(&mut point.attributes);
                fill_exemplars(&mut point.exemplars);
            }
        }
        Some(metric::Data::Histogram(data)) => {
            for point in &mut data.data_points {
                fill(&mut point.attributes);
                fill_exemplars(&mut point.exemplars);
            }
        }
        Some(metric::Data::ExponentialHistogram(data)) => {
            for point in &mut data.data_points {
                fill(&mut point.attributes);
                fill_exemplars(&mut point.exemplars);
            }
        }
        Some(metric::Data::Summary(data)) => {
            data.data_points
                .iter_mut()
                .for_each(|point| fill(&mut point.attributes));
        }
    }
}

proptest! {
    #[test]
    fn the_view_of_logs_reads_what_prost_wrote(mut request in logs()) {
        let (bytes, disordered) = (request.encode_to_vec(), disorder(&Request::Logs(request.clone())));
        for resource in &mut request.resource_logs {
            fill(&mut resource.resource.get_or_insert_default().attributes);
            for scope in &mut resource.scope_logs {
                fill(&mut scope.scope.get_or_insert_default().attributes);
                for record in &mut scope.log_records {
                    fill(&mut record.attributes);
                    fill_value(record.body.get_or_insert_default());
                }
            }
        }
        prop_assert_eq!(read_logs(&bytes).unwrap(), request.clone());
        prop_assert_eq!(read_logs(&disordered).unwrap(), request);
    }

    #[test]
    fn the_view_of_metrics_reads_what_prost_wrote(mut request in metrics()) {
        let (bytes, disordered) = (request.encode_to_vec(), disorder(&Request::Metrics(request.clone())));
        for resource in &mut request.resource_metrics {
            fill(&mut resource.resource.get_or_insert_default().attributes);
            for scope in &mut resource.scope_metrics {
                fill(&mut scope.scope.get_or_insert_default().attributes);
                scope.metrics.iter_mut().for_each(fill_metric);
            }
        }
        prop_assert_eq!(read_metrics(&bytes).unwrap(), request.clone());
        prop_assert_eq!(read_metrics(&disordered).unwrap(), request);
    }

    #[test]
    fn any_bytes_are_an_error_or_a_view(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_logs(&bytes);
        let _ = read_metrics(&bytes);
        let _ = MetricView::read(&bytes).and_then(a_metric);
        let _ = LogView::read(&bytes).and_then(log_record);
    }

    #[test]
    fn damaged_metrics_are_an_error_and_never_a_panic(
        request in metrics(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()
    ) {
        let mut bytes = request.encode_to_vec();
        if !bytes.is_empty() {
            let index = at.index(bytes.len());
            bytes[index] = byte;
            bytes.truncate(cut.index(bytes.len()) + 1);
        }
        let _ = read_metrics(&bytes);
    }
}

#[test]
fn numbers_are_read_packed_or_not() {
    let mut point = b"\x31\x01\0\0\0\0\0\0\0\x32\x10\x02\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0".to_vec();
    let counts = |bytes: &[u8]| {
        view::HistogramDataPoint::read(bytes)
            .unwrap()
            .bucket_counts()
            .collect::<Vec<_>>()
    };
    assert_eq!(counts(&point), [Ok(1), Ok(2), Ok(3)]);
    point.extend_from_slice(b"\x32\x02\x01\x02");
    assert_eq!(counts(&point), [Ok(1), Ok(2), Ok(3), Err(Malformed::Truncated)]);
}
