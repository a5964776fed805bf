//! Encoder, views, JSON and cuts, with prost's types as the oracle.

#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use collector_pdata::encode::{SpanKind, SpanStart, SpanWriter, put_resource_spans, put_resource_text, scope};
use collector_pdata::traces::{AnyValue as View, MAX_DEPTH, Span as SpanView, resource_spans};
use collector_pdata::{Malformed, Payload, Signal, count, json, split};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

fn value() -> impl Strategy<Value = Option<AnyValue>> {
    let leaf = prop_oneof![
        ".{0,12}".prop_map(Value::StringValue),
        any::<bool>().prop_map(Value::BoolValue),
        any::<i64>().prop_map(Value::IntValue),
        any::<f64>()
            .prop_filter("NaN equals nothing", |double| !double.is_nan())
            .prop_map(Value::DoubleValue),
        vec(any::<u8>(), 0..9).prop_map(Value::BytesValue),
    ]
    .prop_map(|value| AnyValue { value: Some(value) });
    let nested = leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|values| Value::ArrayValue(ArrayValue { values })),
            vec((".{0,4}", inner), 0..4).prop_map(|pairs| {
                let values = pairs.into_iter().map(|(key, value)| pair(key, Some(value))).collect();
                Value::KvlistValue(KeyValueList { values })
            }),
        ]
        .prop_map(|value| AnyValue { value: Some(value) })
    });
    proptest::option::of(nested)
}

fn pair(key: String, value: Option<AnyValue>) -> KeyValue {
    KeyValue { key, value }
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    vec((".{0,6}", value()).prop_map(|(key, value)| pair(key, value)), 0..4)
}

fn id(length: usize) -> impl Strategy<Value = Vec<u8>> {
    // An id of zeros is how an empty one is shown, so it is left to the hostile tests.
    vec(1u8.., length)
}

prop_compose! {
    fn span()(
        trace_id in id(16), span_id in id(8), parent_span_id in prop_oneof![Just(vec![]), id(8)],
        trace_state in "[a-z=,]{0,8}", flags in any::<u32>(), name in ".{0,20}", kind in 0..6i32,
        start_time_unix_nano in any::<u64>(), end_time_unix_nano in any::<u64>(),
        attributes in attributes(), dropped in any::<u32>(),
        events in vec((any::<u64>(), ".{0,5}", attributes()), 0..3),
        links in vec((id(16), id(8), attributes(), any::<u32>()), 0..3),
        status in proptest::option::of((".{0,5}", 0..3i32)),
    ) -> Span {
        Span {
            trace_id, span_id, parent_span_id, trace_state, flags, name, kind, start_time_unix_nano,
            end_time_unix_nano, attributes,
            dropped_attributes_count: dropped,
            events: events.into_iter().map(|(time_unix_nano, name, attributes)| Event {
                time_unix_nano, name, attributes, dropped_attributes_count: dropped,
            }).collect(),
            dropped_events_count: dropped / 2,
            links: links.into_iter().map(|(trace_id, span_id, attributes, flags)| Link {
                trace_id, span_id, attributes, flags, ..Link::default()
            }).collect(),
            dropped_links_count: dropped / 3,
            status: status.map(|(message, code)| Status { message, code }),
        }
    }
}

prop_compose! {
    fn request()(resources in vec(
        (attributes(), vec((".{0,8}", attributes(), vec(span(), 0..4), "[a-z]{0,3}"), 0..3), any::<u32>()), 0..3
    )) -> ExportTraceServiceRequest {
        let scope_spans = |(name, attributes, spans, schema_url): (String, _, _, _)| ScopeSpans {
            scope: Some(InstrumentationScope { version: name.clone(), name, attributes, dropped_attributes_count: 3 }),
            spans,
            schema_url,
        };
        let resource_spans = |(attributes, scopes, dropped): (_, Vec<_>, u32)| ResourceSpans {
            resource: Some(Resource { attributes, dropped_attributes_count: dropped, ..Resource::default() }),
            scope_spans: scopes.into_iter().map(scope_spans).collect(),
            schema_url: "https://example.com/s".to_owned(),
        };
        ExportTraceServiceRequest { resource_spans: resources.into_iter().map(resource_spans).collect() }
    }
}

fn spans_of(request: &ExportTraceServiceRequest) -> Vec<&Span> {
    request
        .resource_spans
        .iter()
        .flat_map(|resource| &resource.scope_spans)
        .flat_map(|scope| &scope.spans)
        .collect()
}

fn payload(request: &ExportTraceServiceRequest) -> Payload {
    Payload::new(Signal::Traces, request.encode_to_vec().into(), spans_of(request).len())
}

fn decoded(payload: &Payload) -> ExportTraceServiceRequest {
    let bytes: Vec<u8> = payload.chunks().iter().flat_map(|chunk| chunk.to_vec()).collect();
    ExportTraceServiceRequest::decode(&bytes[..]).unwrap()
}

/// Walks all that a view can show.
fn walk(bytes: &[u8]) -> Result<usize, Malformed> {
    fn value(view: Option<View<'_>>) -> Result<(), Malformed> {
        match view {
            Some(View::Array(nested)) => nested.values().try_for_each(|inner| value(inner?)),
            Some(View::Map(nested)) => nested.attributes().try_for_each(|inner| value(inner?.value)),
            _ => Ok(()),
        }
    }
    let mut spans = 0;
    for resource in resource_spans(bytes) {
        let resource = resource?;
        resource
            .resource()?
            .attributes()
            .try_for_each(|attribute| value(attribute?.value))?;
        resource.schema_url()?;
        for scope in resource.scope_spans() {
            let scope = scope?;
            scope
                .scope()?
                .attributes()
                .try_for_each(|attribute| value(attribute?.value))?;
            for span in scope.spans() {
                let span: SpanView<'_> = span?;
                span.attributes().try_for_each(|attribute| value(attribute?.value))?;
                span.events()
                    .try_for_each(|event| event?.attributes().try_for_each(|a| value(a?.value)))?;
                span.links()
                    .try_for_each(|link| link?.attributes().try_for_each(|a| value(a?.value)))?;
                spans += 1;
            }
        }
    }
    Ok(spans)
}

proptest! {
    #[test]
    fn the_view_reads_what_prost_wrote(request in request()) {
        let bytes = request.encode_to_vec();
        let expected = spans_of(&request);
        prop_assert_eq!(count(Signal::Traces, &bytes), Ok(expected.len()));
        prop_assert_eq!(walk(&bytes), Ok(expected.len()));
        let mut found = Vec::new();
        for resource in resource_spans(&bytes) {
            for scope in resource.unwrap().scope_spans() {
                found.extend(scope.unwrap().spans().map(Result::unwrap));
            }
        }
        for (found, expected) in found.iter().zip(&expected) {
            prop_assert_eq!(&found.trace_id[..], &expected.trace_id[..]);
            prop_assert_eq!(&found.span_id[..], &expected.span_id[..]);
            prop_assert_eq!(&found.parent_span_id.map(Vec::from).unwrap_or_default(), &expected.parent_span_id);
            prop_assert_eq!(found.name, expected.name.as_bytes());
            prop_assert_eq!(found.flags, expected.flags);
            prop_assert_eq!(found.start_unix_nano, expected.start_time_unix_nano);
            prop_assert_eq!(found.end_unix_nano, expected.end_time_unix_nano);
            prop_assert_eq!(found.status.map(|status| status.code), expected.status.as_ref().map(|status| status.code));
            prop_assert_eq!(found.attributes().count(), expected.attributes.len());
        }
    }

    #[test]
    fn the_json_is_read_back_as_the_same_request(mut request in request()) {
        fill_in(&mut request);
        let mut out = Vec::new();
        json::put(Signal::Traces, &mut out, [&request.encode_to_vec()[..]]).unwrap();
        let read: ExportTraceServiceRequest = serde_json::from_slice(&out)
            .map_err(|error| TestCaseError::fail(format!("{error}: {}", String::from_utf8_lossy(&out))))?;
        prop_assert_eq!(read, request);
    }

    #[test]
    fn a_cut_payload_holds_the_same_spans_in_order(first in request(), second in request(), most in 1usize..5) {
        let mut whole = payload(&first);
        whole.append(payload(&second));
        let before = decoded(&whole);
        let items = whole.items();
        let parts = split::parts(whole, most, usize::MAX).unwrap();
        let after: Vec<ExportTraceServiceRequest> = parts.iter().map(decoded).collect();
        for (part, request) in parts.iter().zip(&after) {
            prop_assert_eq!(part.items(), spans_of(request).len());
            prop_assert!(part.items() <= most);
            prop_assert!(part.items() > 0 || items == 0);
        }
        let mut expected = Vec::new();
        let mut found = Vec::new();
        for resource in &before.resource_spans {
            for scope in &resource.scope_spans {
                expected.extend(scope.spans.iter().map(|span| (&resource.resource, &scope.scope, &scope.schema_url, span)));
            }
        }
        for resource in after.iter().flat_map(|request| &request.resource_spans) {
            for scope in &resource.scope_spans {
                found.extend(scope.spans.iter().map(|span| (&resource.resource, &scope.scope, &scope.schema_url, span)));
            }
        }
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn damaged_bytes_are_an_error_and_never_a_panic(request in request(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let mut bytes = request.encode_to_vec();
        if !bytes.is_empty() {
            let index = at.index(bytes.len());
            bytes[index] = byte;
            bytes.truncate(cut.index(bytes.len()) + 1);
        }
        let mut out = b"kept".to_vec();
        if json::put(Signal::Traces, &mut out, [&bytes[..]]).is_err() {
            prop_assert_eq!(&out[..], b"kept");
        }
        let _ = walk(&bytes);
        let _ = split::parts(Payload::new(Signal::Traces, bytes.into(), 9), 2, usize::MAX);
    }

    #[test]
    fn any_bytes_are_an_error_or_a_walk(bytes in vec(any::<u8>(), 0..200)) {
        let _ = walk(&bytes);
        let _ = json::put(Signal::Traces, &mut Vec::new(), [&bytes[..]]);
    }
}

/// Gives a value to what has none: the oracle's JSON reader takes neither an empty value nor an absent status.
fn fill_in(request: &mut ExportTraceServiceRequest) {
    fn all(attributes: &mut [KeyValue]) {
        attributes
            .iter_mut()
            .for_each(|attribute| one(attribute.value.get_or_insert_default()));
    }
    fn one(value: &mut AnyValue) {
        match value.value.get_or_insert(Value::BoolValue(true)) {
            Value::ArrayValue(array) => array.values.iter_mut().for_each(one),
            Value::KvlistValue(list) => all(&mut list.values),
            _ => {}
        }
    }
    for resource in &mut request.resource_spans {
        resource
            .resource
            .iter_mut()
            .for_each(|resource| all(&mut resource.attributes));
        for scope in &mut resource.scope_spans {
            scope.scope.iter_mut().for_each(|scope| all(&mut scope.attributes));
            for span in &mut scope.spans {
                all(&mut span.attributes);
                span.events.iter_mut().for_each(|event| all(&mut event.attributes));
                span.links.iter_mut().for_each(|link| all(&mut link.attributes));
                span.status.get_or_insert_default();
            }
        }
    }
}

fn text(value: &str) -> Option<AnyValue> {
    Some(AnyValue {
        value: Some(Value::StringValue(value.to_owned())),
    })
}

#[test]
fn prost_reads_what_the_encoder_wrote() {
    let mut writer = SpanWriter::default();
    let mut group = Vec::new();
    let start = SpanStart {
        trace_id: [1; 16],
        span_id: [2; 8],
        parent_span_id: Some([3; 8]),
        flags: 0x301,
        kind: SpanKind::Server,
        start_unix_nano: 5,
        end_unix_nano: u64::MAX,
    };
    let mut span = writer.begin(&start, &["GET", " ", "/é"]);
    span.text("url.path", &"x".repeat(300));
    span.text_lossy("odd", b"a\xffb");
    span.integer("size", -1);
    span.integer("zero", 0);
    span.error();
    span.finish(&mut group);
    let root = SpanStart {
        parent_span_id: None,
        flags: 0,
        kind: SpanKind::Client,
        ..start
    };
    writer.begin(&root, &[]).finish(&mut group);
    let mut resource = Vec::new();
    put_resource_text(&mut resource, "service.name", "shop");
    let mut request = Vec::new();
    put_resource_spans(&mut request, &resource, &scope("io.odigos.test", "1"), &group);

    let found = ExportTraceServiceRequest::decode(&request[..]).unwrap();
    let int = |value| {
        Some(AnyValue {
            value: Some(Value::IntValue(value)),
        })
    };
    let first = &found.resource_spans[0];
    assert_eq!(
        first.resource.as_ref().unwrap().attributes,
        [pair("service.name".into(), text("shop"))]
    );
    assert_eq!(first.scope_spans[0].scope.as_ref().unwrap().name, "io.odigos.test");
    let expected = Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        parent_span_id: vec![3; 8],
        flags: 0x301,
        name: "GET /é".to_owned(),
        kind: 2,
        start_time_unix_nano: 5,
        end_time_unix_nano: u64::MAX,
        attributes: vec![
            pair("url.path".into(), text(&"x".repeat(300))),
            pair("odd".into(), text("a\u{fffd}b")),
            pair("size".into(), int(-1)),
            pair("zero".into(), int(0)),
        ],
        status: Some(Status {
            code: 2,
            message: String::new(),
        }),
        ..Span::default()
    };
    assert_eq!(first.scope_spans[0].spans[0], expected);
    assert_eq!(first.scope_spans[0].spans[1].parent_span_id, Vec::<u8>::new());
    assert_eq!(first.scope_spans[0].spans[1].kind, 3);
    assert_eq!(count(Signal::Traces, &request), Ok(2));
    // Encoded without a detour, so prost writes the same number of bytes.
    assert_eq!(found.encoded_len(), request.len());
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| {
        let mut value = AnyValue {
            value: Some(Value::BoolValue(true)),
        };
        for _ in 0..depth {
            value = AnyValue {
                value: Some(Value::ArrayValue(ArrayValue { values: vec![value] })),
            };
        }
        let span = Span {
            attributes: vec![pair("deep".into(), Some(value))],
            ..Span::default()
        };
        let scope_spans = vec![ScopeSpans {
            spans: vec![span],
            ..ScopeSpans::default()
        }];
        let resource_spans = vec![ResourceSpans {
            scope_spans,
            ..ResourceSpans::default()
        }];
        ExportTraceServiceRequest { resource_spans }.encode_to_vec()
    };
    assert_eq!(walk(&nested(MAX_DEPTH)), Ok(1));
    assert_eq!(walk(&nested(MAX_DEPTH + 1)), Err(Malformed::TooDeep));
    assert_eq!(walk(&nested(2000)), Err(Malformed::TooDeep));
}

#[test]
fn hostile_fields_are_errors() {
    for (bytes, error) in [
        (&b"\x0a"[..], Malformed::Truncated),
        (b"\x0a\xff\xff\xff\xff\x0f", Malformed::Truncated),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", Malformed::Truncated),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", Malformed::Varint),
        (b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80", Malformed::Varint),
        (b"\x00\x00", Malformed::FieldNumber),
        (b"\x0b", Malformed::WireType(3)),
        (b"\x08\x01", Malformed::FieldType(1)),
        // A span whose trace id has three bytes.
        (b"\x0a\x09\x12\x07\x12\x05\x0a\x03abc", Malformed::IdLength(3)),
    ] {
        assert_eq!(walk(bytes), Err(error), "{bytes:x?}");
    }
}

#[test]
fn json_escapes_what_could_do_harm() {
    let span = Span {
        name: "a\"\\\u{1b}\n\u{7f}é".to_owned(),
        trace_id: vec![0xab; 16],
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans {
        spans: vec![span],
        ..ScopeSpans::default()
    }];
    let resource_spans = vec![ResourceSpans {
        scope_spans,
        ..ResourceSpans::default()
    }];
    let mut out = Vec::new();
    let bytes = Bytes::from(ExportTraceServiceRequest { resource_spans }.encode_to_vec());
    json::put(Signal::Traces, &mut out, [&bytes[..]]).unwrap();
    let expected = "{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\
        \"traceId\":\"abababababababababababababababab\",\"spanId\":\"\",\
        \"name\":\"a\\\"\\\\\\u001b\\u000a\\u007fé\",\"startTimeUnixNano\":\"0\",\"endTimeUnixNano\":\"0\",\
        \"status\":{}}]}]}]}";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}
