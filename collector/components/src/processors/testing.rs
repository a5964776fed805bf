//! What the processors' tests share: settings from YAML, and requests of each signal that differ in nothing but that.

use collector_config::{Errors, Node, Section};
use collector_pdata::edit::Edit;
use collector_pdata::{Payload, Signal};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, metric,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

/// What `read` makes of the settings, and what is wrong with them.
pub(super) fn configured<T>(yaml: &str, read: impl FnOnce(&mut Section<'_, '_>) -> T) -> (T, String) {
    let node = Node::parse(yaml, "").unwrap();
    let mut errors = Errors::default();
    let mut section = Section::open("p", &node, &mut errors);
    let value = read(&mut section);
    section.finish();
    (value, errors.to_string())
}

pub(super) fn valid<T>(yaml: &str, read: impl FnOnce(&mut Section<'_, '_>) -> T) -> T {
    let (value, errors) = configured(yaml, read);
    assert_eq!(errors, "", "{yaml}");
    value
}

/// Attributes of one kind of value or another.
pub(super) type Attributes = Vec<KeyValue>;

pub(super) fn pair(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
    }
}

pub(super) fn text(key: &str, value: &str) -> KeyValue {
    pair(key, Value::StringValue(value.to_owned()))
}

pub(super) fn int(key: &str, value: i64) -> KeyValue {
    pair(key, Value::IntValue(value))
}

/// A request with one resource, one scope and one item, or one data point of each kind.
#[derive(Debug, Clone, Default)]
pub(super) struct Sample {
    pub(super) resource: Attributes,
    pub(super) scope: (&'static str, &'static str),
    pub(super) attributes: Attributes,
    pub(super) span: Span,
    pub(super) record: LogRecord,
    pub(super) metric: &'static str,
}

impl Sample {
    pub(super) fn encode(&self, signal: Signal) -> Vec<u8> {
        match signal {
            Signal::Traces => self.traces().encode_to_vec(),
            Signal::Metrics => self.metrics().encode_to_vec(),
            Signal::Logs => self.logs().encode_to_vec(),
        }
    }

    pub(super) fn items(signal: Signal) -> usize {
        if signal == Signal::Metrics { 5 } else { 1 }
    }

    fn origin(&self) -> (Option<Resource>, Option<InstrumentationScope>) {
        let resource = Resource {
            attributes: self.resource.clone(),
            dropped_attributes_count: 3,
            ..Resource::default()
        };
        let scope = InstrumentationScope {
            name: self.scope.0.to_owned(),
            version: self.scope.1.to_owned(),
            attributes: vec![text("kept", "scope")],
            dropped_attributes_count: 1,
        };
        (Some(resource), Some(scope))
    }

    pub(super) fn traces(&self) -> ExportTraceServiceRequest {
        let (resource, scope) = self.origin();
        let span = Span {
            attributes: self.attributes.clone(),
            dropped_attributes_count: 2,
            ..self.span.clone()
        };
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource,
                scope_spans: vec![ScopeSpans {
                    scope,
                    spans: vec![span],
                    schema_url: "kept".to_owned(),
                }],
                schema_url: "kept".to_owned(),
            }],
        }
    }

    pub(super) fn logs(&self) -> ExportLogsServiceRequest {
        let (resource, scope) = self.origin();
        let record = LogRecord {
            attributes: self.attributes.clone(),
            ..self.record.clone()
        };
        ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs {
                resource,
                scope_logs: vec![ScopeLogs {
                    scope,
                    log_records: vec![record],
                    schema_url: "kept".to_owned(),
                }],
                schema_url: "kept".to_owned(),
            }],
        }
    }

    pub(super) fn metrics(&self) -> ExportMetricsServiceRequest {
        let (resource, scope) = self.origin();
        let metrics = self.data().into_iter().map(|data| Metric {
            name: self.metric.to_owned(),
            description: "kept".to_owned(),
            unit: "By".to_owned(),
            data: Some(data),
            ..Metric::default()
        });
        ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource,
                scope_metrics: vec![ScopeMetrics {
                    scope,
                    metrics: metrics.collect(),
                    schema_url: "kept".to_owned(),
                }],
                schema_url: "kept".to_owned(),
            }],
        }
    }

    fn data(&self) -> Vec<metric::Data> {
        let number = NumberDataPoint {
            attributes: self.attributes.clone(),
            flags: 1,
            ..NumberDataPoint::default()
        };
        let histogram = HistogramDataPoint {
            attributes: self.attributes.clone(),
            bucket_counts: vec![1, 2],
            ..HistogramDataPoint::default()
        };
        let exponential = ExponentialHistogramDataPoint {
            attributes: self.attributes.clone(),
            scale: -3,
            ..ExponentialHistogramDataPoint::default()
        };
        let summary = SummaryDataPoint {
            attributes: self.attributes.clone(),
            sum: 4.5,
            ..SummaryDataPoint::default()
        };
        vec![
            metric::Data::Gauge(Gauge {
                data_points: vec![number.clone()],
            }),
            metric::Data::Sum(Sum {
                data_points: vec![number],
                aggregation_temporality: 2,
                is_monotonic: true,
            }),
            metric::Data::Histogram(Histogram {
                data_points: vec![histogram],
                aggregation_temporality: 1,
            }),
            metric::Data::ExponentialHistogram(ExponentialHistogram {
                data_points: vec![exponential],
                aggregation_temporality: 1,
            }),
            metric::Data::Summary(Summary {
                data_points: vec![summary],
            }),
        ]
    }
}

/// The sample's request after an edit; `None` if nothing of it is left.
pub(super) fn edited(edit: &mut impl Edit, signal: Signal, sample: &Sample) -> Option<Vec<u8>> {
    let payload = Payload::new(signal, sample.encode(signal).into(), Sample::items(signal));
    let edited = payload.edit(edit);
    assert_eq!((edited.error, edited.malformed), (None, 0));
    assert_eq!(edited.payload.items() + edited.dropped, Sample::items(signal));
    let chunks = edited.payload.chunks();
    chunks.first().map(|chunk| chunk.to_vec())
}

/// That the request is, all of it, what `expected` would be. The order of fields makes no difference.
pub(super) fn assert_same(signal: Signal, request: &[u8], expected: &Sample, case: &str) {
    match signal {
        Signal::Traces => assert_eq!(
            ExportTraceServiceRequest::decode(request).unwrap(),
            expected.traces(),
            "{case}"
        ),
        Signal::Metrics => assert_eq!(
            ExportMetricsServiceRequest::decode(request).unwrap(),
            expected.metrics(),
            "{case}"
        ),
        Signal::Logs => assert_eq!(
            ExportLogsServiceRequest::decode(request).unwrap(),
            expected.logs(),
            "{case}"
        ),
    }
}
