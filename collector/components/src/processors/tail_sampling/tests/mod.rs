mod limits;
mod policies;
mod properties;
mod traces;

use super::*;
use collector_config::{Errors, Node};
use collector_engine::Collected;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use std::collections::BTreeMap;

const ERRORS: &str = "policies: [{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}]";

/// A processor, what it gave out, and a clock of its own.
struct Stage {
    processor: TailSampling,
    out: Collected,
    begun: Instant,
}

fn read(settings: &str) -> (Settings, Errors) {
    let node = Node::parse(settings, "").unwrap();
    let mut errors = Errors::default();
    let mut section = Section::open("", &node, &mut errors);
    let settings = Settings::read(&mut section);
    section.finish();
    (settings, errors)
}

impl Stage {
    fn new(settings: &str) -> Self {
        let (settings, errors) = read(settings);
        assert!(errors.is_empty(), "{errors}");
        let processor = TailSampling::new(settings);
        Stage {
            begun: processor.begun,
            processor,
            out: Collected::default(),
        }
    }

    fn at(&self, milliseconds: u64) -> Instant {
        self.begun + Duration::from_millis(milliseconds)
    }

    fn process(&mut self, milliseconds: u64, payload: Payload) {
        let now = self.at(milliseconds);
        self.processor.process(payload, now, &mut self.out.sink());
    }

    /// As the engine does: not before the deadline.
    fn tick(&mut self, milliseconds: u64) {
        let now = self.at(milliseconds);
        if self.processor.deadline().is_some_and(|deadline| deadline <= now) {
            self.processor.tick(now, &mut self.out.sink());
        }
    }

    fn flush(&mut self) {
        self.processor.flush(&mut self.out.sink());
    }

    fn requests(&self) -> Vec<ExportTraceServiceRequest> {
        let chunks = self.out.payloads.iter().flat_map(Payload::chunks);
        chunks
            .map(|chunk| ExportTraceServiceRequest::decode(chunk.clone()).unwrap())
            .collect()
    }

    fn spans(&self) -> Vec<Span> {
        let resources = self.requests().into_iter().flat_map(|request| request.resource_spans);
        let scopes = resources.flat_map(|resource| resource.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }

    /// The first bytes of the trace's and the span's id, of all spans that were kept, sorted.
    fn kept(&self) -> Vec<(u8, u8)> {
        let mut kept: Vec<_> = self
            .spans()
            .iter()
            .map(|span| (span.trace_id[0], span.span_id[0]))
            .collect();
        kept.sort_unstable();
        let items: usize = self.out.payloads.iter().map(Payload::items).sum();
        assert_eq!(kept.len(), items, "the payloads say how many spans they have");
        kept
    }

    fn dropped(&self) -> BTreeMap<&'static str, u64> {
        self.out.dropped()
    }

    fn held(&self) -> usize {
        self.processor.held.len()
    }
}

/// The span `id` of a trace. Span 1 is the root, and others have it as their parent.
fn span(trace: u8, id: u8) -> Span {
    Span {
        trace_id: vec![trace; 16],
        span_id: vec![id; 8],
        parent_span_id: if id == 1 { Vec::new() } else { vec![1; 8] },
        name: "work".to_owned(),
        start_time_unix_nano: 1_000_000_000,
        end_time_unix_nano: 1_050_000_000,
        ..Span::default()
    }
}

fn failed(span: Span) -> Span {
    Span {
        status: Some(Status {
            code: 2,
            ..Status::default()
        }),
        ..span
    }
}

fn with(span: Span, key: &str, value: Value) -> Span {
    let attributes = vec![attribute(key, value)];
    Span { attributes, ..span }
}

fn text(value: &str) -> Value {
    Value::StringValue(value.to_owned())
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
    }
}

fn request(service: &str, spans: Vec<Span>) -> Payload {
    let items = spans.len();
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: vec![attribute("service.name", text(service))],
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                spans,
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    };
    Payload::new(Signal::Traces, request.encode_to_vec().into(), items)
}

/// The value of a text attribute.
fn text_of<'s>(span: &'s Span, key: &str) -> Option<&'s str> {
    let found = span.attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}
