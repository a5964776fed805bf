use crate::disorder::disorder;
use crate::generate::{Request, traces};
use collector_pdata::by_trace::{Grouper, Place, Segment, assemble, places};
use collector_pdata::{Malformed, Signal, count};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use proptest::prelude::*;
use prost::Message;
use std::collections::BTreeMap;

type Whole = (Option<Resource>, String, Option<InstrumentationScope>, String, Vec<u8>);

/// Each span with all that it is in, sorted.
fn spans(request: &ExportTraceServiceRequest) -> Vec<(Whole, Span)> {
    let mut spans = Vec::new();
    for resource in &request.resource_spans {
        for scope in &resource.scope_spans {
            for span in &scope.spans {
                let whole = (
                    resource.resource.clone(),
                    resource.schema_url.clone(),
                    scope.scope.clone(),
                    scope.schema_url.clone(),
                    span.encode_to_vec(),
                );
                spans.push((whole, span.clone()));
            }
        }
    }
    spans.sort_by_key(|(whole, _)| format!("{whole:?}"));
    spans
}

/// Few traces, so that some have several spans.
fn few_traces(request: &mut ExportTraceServiceRequest) {
    let scopes = request
        .resource_spans
        .iter_mut()
        .flat_map(|resource| &mut resource.scope_spans);
    for span in scopes.flat_map(|scope| &mut scope.spans) {
        if let Some(first) = span.trace_id.first().copied() {
            span.trace_id = vec![first % 4 + 1; 16];
        }
    }
}

proptest! {
    #[test]
    fn every_span_is_placed_in_its_trace(request in traces(), disordered in any::<bool>()) {
        let bytes = if disordered { disorder(&Request::Traces(request.clone())) } else { request.encode_to_vec() };
        let mut found: Vec<Place> = Vec::new();
        places(&bytes, &mut found).unwrap();
        let mut scope_index = 0;
        let mut expected = Vec::new();
        for (resource_index, resource) in request.resource_spans.iter().enumerate() {
            for scope in &resource.scope_spans {
                expected.extend(scope.spans.iter().map(|span| (resource_index, scope_index, span)));
                scope_index += 1;
            }
        }
        prop_assert_eq!(found.len(), expected.len());
        for (place, (resource, scope, span)) in found.iter().zip(expected) {
            prop_assert_eq!((place.resource, place.scope), (resource, scope));
            let trace_id = if span.trace_id.is_empty() { &[0; 16][..] } else { &span.trace_id };
            prop_assert_eq!(&place.trace_id[..], trace_id);
            prop_assert_eq!(place.is_root, span.parent_span_id.is_empty());
            // The field is one of ScopeSpans.
            let scope = opentelemetry_proto::tonic::trace::v1::ScopeSpans::decode(&bytes[place.field.clone()]).unwrap();
            prop_assert_eq!(&scope.spans[0], span);
        }
    }

    #[test]
    fn what_is_taken_apart_is_assembled_again(mut first in traces(), mut second in traces()) {
        few_traces(&mut first);
        few_traces(&mut second);
        let mut grouper = Grouper::default();
        let mut held: BTreeMap<[u8; 16], (usize, Vec<Segment>)> = BTreeMap::new();
        for request in [&first, &second] {
            for taken in grouper.take(&request.encode_to_vec()).unwrap() {
                prop_assert_eq!(taken.segment.spans().count(), taken.spans);
                let root = taken.segment.spans().any(|span| span.unwrap().parent_span_id.is_none());
                prop_assert_eq!(taken.has_root, root);
                prop_assert!(taken.segment.spans().all(|span| span.unwrap().trace_id == taken.trace_id));
                let trace = held.entry(taken.trace_id).or_default();
                trace.0 += taken.spans;
                trace.1.push(taken.segment);
            }
        }
        let mut expected = first;
        expected.resource_spans.extend(second.resource_spans);
        let items = held.values().map(|(items, _)| items).sum();
        let all = assemble(held.values().flat_map(|(_, segments)| segments), items);
        let mut bytes = Vec::new();
        all.chunks().iter().for_each(|chunk| bytes.extend_from_slice(chunk));
        prop_assert_eq!(count(Signal::Traces, &bytes), Ok(items));
        let found = ExportTraceServiceRequest::decode(&bytes[..]).unwrap();
        prop_assert_eq!(found.encoded_len(), bytes.len());
        prop_assert_eq!(spans(&found), spans(&expected));
    }

    #[test]
    fn any_bytes_are_an_error_or_segments(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Grouper::default().take(&bytes);
    }
}

fn request(name: &str, trace: u8) -> Vec<u8> {
    use collector_pdata::encode::{SpanKind, SpanStart, SpanWriter, put_resource_spans, put_resource_text, scope};
    let (mut resource, mut group, mut request) = (Vec::new(), Vec::new(), Vec::new());
    put_resource_text(&mut resource, "service.name", name);
    let start = SpanStart {
        trace_id: [trace; 16],
        span_id: [2; 8],
        parent_span_id: None,
        flags: 0,
        kind: SpanKind::Server,
        start_unix_nano: 5,
        end_unix_nano: 6,
    };
    SpanWriter::default().begin(&start, &[name]).finish(&mut group);
    put_resource_spans(&mut request, &resource, &scope("s", "1"), &group);
    request
}

#[test]
fn equal_origins_are_held_once_and_forgotten_with_their_last_segment() {
    let mut grouper = Grouper::default();
    let first = grouper.take(&request("shop", 1)).unwrap();
    let second = grouper.take(&request("shop", 2)).unwrap();
    assert!(std::ptr::eq(first[0].segment.origin(), second[0].segment.origin()));
    let origin = first[0].segment.origin();
    let resource = Resource::decode(origin.encoded_resource().unwrap()).unwrap();
    assert_eq!(resource.attributes[0].key, "service.name");
    let scope = InstrumentationScope::decode(origin.encoded_scope().unwrap()).unwrap();
    assert_eq!(scope.name, "s");
    let one = grouper.bytes();
    for round in 0..1000 {
        grouper.take(&request(&format!("shop-{round:04}"), 1)).unwrap();
    }
    assert!(grouper.bytes() < 100 * one, "{} bytes of {one}", grouper.bytes());
    // What still has a segment is known.
    let third = grouper.take(&request("shop", 3)).unwrap();
    assert!(std::ptr::eq(first[0].segment.origin(), third[0].segment.origin()));
}

#[test]
fn traces_of_one_origin_share_it_again_when_they_are_assembled() {
    let mut grouper = Grouper::default();
    let mut segments = Vec::new();
    for (name, trace) in [("a", 1), ("b", 1), ("a", 2), ("a", 3)] {
        segments.extend(
            grouper
                .take(&request(name, trace))
                .unwrap()
                .into_iter()
                .map(|taken| taken.segment),
        );
    }
    let payload = assemble(&segments, 4);
    let found = ExportTraceServiceRequest::decode(payload.chunks()[0].clone()).unwrap();
    let mut spans: Vec<usize> = found
        .resource_spans
        .iter()
        .map(|resource| resource.scope_spans[0].spans.len())
        .collect();
    spans.sort_unstable();
    assert_eq!(spans, [1, 3]);
}

#[test]
fn an_id_of_wrong_length_is_an_error() {
    assert_eq!(
        Grouper::default()
            .take(b"\x0a\x09\x12\x07\x12\x05\x0a\x03abc")
            .unwrap_err(),
        Malformed::IdLength(3)
    );
}

/// A holder's pointers are what is left beside the bytes: at most 1.2 times the encoded spans for spans of 438 bytes.
#[test]
fn a_segment_takes_little_more_than_its_spans() {
    assert!(size_of::<Segment>() <= 24, "{}", size_of::<Segment>());
    let taken = Grouper::default().take(&request("shop", 1)).unwrap();
    let encoded: usize = taken[0].segment.encoded().map(|span| span.unwrap().len() + 2).sum();
    assert_eq!(taken[0].segment.len(), encoded);
}
