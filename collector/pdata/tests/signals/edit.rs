use crate::disorder::{UNKNOWN, disorder, unknown};
use crate::generate::{Request, request, traces};
use bytes::Bytes;
use collector_pdata::attributes::{self, Editor};
use collector_pdata::edit::{Change, Edit, rewrite};
use collector_pdata::proto::{Field, fields};
use collector_pdata::{ItemKind, Malformed, Payload, Signal};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric::Data};
use opentelemetry_proto::tonic::resource::v1::Resource;
use proptest::prelude::*;
use prost::Message;

/// Decides by numbers that the messages hold, so that an oracle can decide the same.
#[derive(Debug, Clone, Copy)]
struct ByNumbers {
    scopes: bool,
    metrics: bool,
    items: bool,
}

fn verdict(number: u64) -> Change {
    match number % 4 {
        1 => Change::Replace,
        2 => Change::Drop,
        _ => Change::Keep,
    }
}

fn last(message: &[u8], number: u32) -> Option<Field<'_>> {
    fields(message)
        .map(Result::unwrap)
        .filter(|field| field.number == number)
        .last()
}

/// Adds an attribute to a message whose verdict is so.
fn mark(verdict: Change, message: &[u8], attributes: u32, out: &mut Vec<u8>) -> Change {
    if verdict == Change::Replace {
        out.extend_from_slice(message);
        attributes::put(out, attributes, b"edited", b"\x10\x01");
    }
    verdict
}

fn edited() -> KeyValue {
    let value = Some(AnyValue {
        value: Some(Value::BoolValue(true)),
    });
    KeyValue {
        key: "edited".into(),
        value,
    }
}

impl Edit for ByNumbers {
    fn looks_at_scopes(&self) -> bool {
        self.scopes
    }

    fn looks_at_metrics(&self) -> bool {
        self.metrics
    }

    fn looks_at_items(&self) -> bool {
        self.items
    }

    fn resource(&mut self, resource: &[u8], out: &mut Vec<u8>) -> Result<Change, Malformed> {
        let number = last(resource, 2).map_or(Ok(0), |field| field.varint())?;
        Ok(mark(verdict(number), resource, attributes::field::RESOURCE, out))
    }

    fn scope(&mut self, scope: &[u8], out: &mut Vec<u8>) -> Result<Change, Malformed> {
        let number = last(scope, 4).map_or(Ok(0), |field| field.varint())?;
        Ok(mark(verdict(number), scope, attributes::field::SCOPE, out))
    }

    fn metric(&mut self, metric: &[u8], out: &mut Vec<u8>) -> Result<Change, Malformed> {
        let name = last(metric, 1).map_or(Ok(&b""[..]), |field| field.bytes())?;
        let verdict = verdict(name.len() as u64);
        if verdict == Change::Replace {
            out.extend_from_slice(b"\x0a\x03new");
        }
        Ok(verdict)
    }

    fn item(&mut self, kind: ItemKind, item: &[u8], out: &mut Vec<u8>) -> Result<Change, Malformed> {
        let number = match kind {
            ItemKind::Span => 7,
            ItemKind::LogRecord => 1,
            _ => 3,
        };
        let number = last(item, number).map_or(Ok(0), |field| field.fixed64())?;
        Ok(mark(verdict(number), item, kind.attributes_field(), out))
    }
}

/// The same decisions over decoded messages.
impl ByNumbers {
    fn expected(self, request: &mut Request) {
        match request {
            Request::Traces(request) => request.resource_spans.retain_mut(|resource| {
                resource.scope_spans.retain_mut(|scope| {
                    scope
                        .spans
                        .retain_mut(|span| self.keeps(span.start_time_unix_nano, &mut span.attributes));
                    self.keeps_scope(&mut scope.scope) && !scope.spans.is_empty()
                });
                self.keeps_resource(&mut resource.resource) && !resource.scope_spans.is_empty()
            }),
            Request::Logs(request) => request.resource_logs.retain_mut(|resource| {
                resource.scope_logs.retain_mut(|scope| {
                    let records = &mut scope.log_records;
                    records.retain_mut(|record| self.keeps(record.time_unix_nano, &mut record.attributes));
                    self.keeps_scope(&mut scope.scope) && !scope.log_records.is_empty()
                });
                self.keeps_resource(&mut resource.resource) && !resource.scope_logs.is_empty()
            }),
            Request::Metrics(request) => request.resource_metrics.retain_mut(|resource| {
                resource.scope_metrics.retain_mut(|scope| {
                    if self.looks_into_scopes() {
                        scope.metrics.retain_mut(|metric| self.keeps_metric(metric));
                    }
                    let has_points = scope.metrics.iter().any(|metric| crate::generate::points(metric) > 0);
                    self.keeps_scope(&mut scope.scope) && has_points
                });
                self.keeps_resource(&mut resource.resource) && !resource.scope_metrics.is_empty()
            }),
        }
    }

    /// If not, a metric without points is not even seen.
    fn looks_into_scopes(self) -> bool {
        self.scopes || self.metrics || self.items
    }

    fn keeps(self, number: u64, attributes: &mut Vec<KeyValue>) -> bool {
        let verdict = if self.items { verdict(number) } else { Change::Keep };
        if verdict == Change::Replace {
            attributes.push(edited());
        }
        verdict != Change::Drop
    }

    fn keeps_resource(self, resource: &mut Option<Resource>) -> bool {
        let number = resource
            .as_ref()
            .map_or(0, |resource| resource.dropped_attributes_count);
        if verdict(u64::from(number)) == Change::Replace {
            resource.get_or_insert_default().attributes.push(edited());
        }
        verdict(u64::from(number)) != Change::Drop
    }

    fn keeps_scope(self, scope: &mut Option<InstrumentationScope>) -> bool {
        let number = scope.as_ref().map_or(0, |scope| scope.dropped_attributes_count);
        if self.scopes && verdict(u64::from(number)) == Change::Replace {
            scope.get_or_insert_default().attributes.push(edited());
        }
        !self.scopes || verdict(u64::from(number)) != Change::Drop
    }

    fn keeps_metric(self, metric: &mut Metric) -> bool {
        match verdict(metric.name.len() as u64) {
            Change::Drop if self.metrics => return false,
            Change::Replace if self.metrics => {
                *metric = Metric {
                    name: "new".into(),
                    data: metric.data.take(),
                    ..Metric::default()
                };
            }
            _ => {}
        }
        match &mut metric.data {
            Some(Data::Gauge(data)) => {
                data.data_points
                    .retain_mut(|point| self.keeps(point.time_unix_nano, &mut point.attributes));
            }
            Some(Data::Sum(data)) => {
                data.data_points
                    .retain_mut(|point| self.keeps(point.time_unix_nano, &mut point.attributes));
            }
            Some(Data::Histogram(data)) => {
                data.data_points
                    .retain_mut(|point| self.keeps(point.time_unix_nano, &mut point.attributes));
            }
            Some(Data::ExponentialHistogram(data)) => {
                data.data_points
                    .retain_mut(|point| self.keeps(point.time_unix_nano, &mut point.attributes));
            }
            Some(Data::Summary(data)) => {
                data.data_points
                    .retain_mut(|point| self.keeps(point.time_unix_nano, &mut point.attributes));
            }
            None => {}
        }
        crate::generate::points(metric) > 0
    }
}

struct KeepAll;
impl Edit for KeepAll {}

proptest! {
    #[test]
    fn an_edit_does_what_it_does_to_decoded_messages(
        request in request(), (scopes, metrics, items) in any::<(bool, bool, bool)>(), disordered in any::<bool>()
    ) {
        let mut edit = ByNumbers { scopes, metrics, items };
        let bytes = if disordered { disorder(&request) } else { request.encode() };
        let rewritten = rewrite(request.signal(), &bytes, &mut edit).unwrap();
        let mut expected = request.clone();
        edit.expected(&mut expected);
        let after = rewritten.request.as_deref().unwrap_or(&bytes);
        prop_assert_eq!(Request::decode(request.signal(), after), expected.clone());
        prop_assert_eq!(rewritten.kept, expected.items());
        prop_assert_eq!(rewritten.kept + rewritten.dropped, request.items());
    }

    #[test]
    fn what_is_kept_as_it_is_is_not_copied(request in request(), disordered in any::<bool>()) {
        let bytes = if disordered { disorder(&request) } else { request.encode() };
        // The first pass removes what is empty.
        let first = rewrite(request.signal(), &bytes, &mut KeepAll).unwrap();
        prop_assert_eq!((first.kept, first.dropped), (request.items(), 0));
        let first = first.request.map_or(bytes, Vec::from);
        prop_assert_eq!(rewrite(request.signal(), &first, &mut KeepAll).unwrap().request, None);
    }

    #[test]
    fn unknown_fields_outlive_an_edit(request in traces()) {
        struct Mark;
        impl Edit for Mark {
            fn item(&mut self, kind: ItemKind, item: &[u8], out: &mut Vec<u8>) -> Result<Change, Malformed> {
                Ok(mark(Change::Replace, item, kind.attributes_field(), out))
            }
        }
        let bytes = disorder(&Request::Traces(request));
        let before = rewrite(Signal::Traces, &bytes, &mut KeepAll).unwrap().request.map_or(bytes, Vec::from);
        let after = rewrite(Signal::Traces, &before, &mut Mark).unwrap();
        prop_assert_eq!(unknown(&after.request.map_or(before.clone(), Vec::from)), unknown(&before));
    }

    #[test]
    fn damaged_bytes_are_an_error_and_never_a_panic(
        request in request(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()
    ) {
        struct Attributes(Editor);
        impl Edit for Attributes {
            fn item(&mut self, kind: ItemKind, item: &[u8], out: &mut Vec<u8>) -> Result<Change, Malformed> {
                let mut open = self.0.open(item, kind.attributes_field())?;
                open.upsert(b"a", b"");
                open.delete(b"b");
                Ok(open.finish(out))
            }
        }
        let mut bytes = request.encode();
        if !bytes.is_empty() {
            let index = at.index(bytes.len());
            bytes[index] = byte;
            bytes.truncate(cut.index(bytes.len()) + 1);
        }
        if let Ok(rewritten) = rewrite(request.signal(), &bytes, &mut Attributes(Editor::default())) {
            let after = rewritten.request.as_deref().unwrap_or(&bytes);
            prop_assert_eq!(collector_pdata::count(request.signal(), after), Ok(rewritten.kept));
        }
    }
}

/// Lengths that were one byte and become two or three, in every enclosing message.
#[test]
fn lengths_that_outgrow_their_room_move_what_follows() {
    struct Grow(usize);
    impl Edit for Grow {
        fn item(&mut self, _: ItemKind, item: &[u8], out: &mut Vec<u8>) -> Result<Change, Malformed> {
            out.extend_from_slice(item);
            attributes::put(out, attributes::field::SPAN, &vec![b'k'; self.0], b"");
            Ok(Change::Replace)
        }
    }
    // A resource, a scope and a span with nothing but a name.
    let request = b"\x0a\x09\x12\x07\x12\x02\x2a\x00\x1a\x01s";
    for size in [1, 100, 130, 16_000, 17_000, 2_100_000] {
        let after = rewrite(Signal::Traces, request, &mut Grow(size))
            .unwrap()
            .request
            .unwrap();
        let after = opentelemetry_proto::tonic::trace::v1::TracesData::decode(after).unwrap();
        let scope = &after.resource_spans[0].scope_spans[0];
        assert_eq!(scope.spans[0].attributes[0].key.len(), size);
        assert_eq!(scope.schema_url, "s");
    }
}

#[test]
fn a_resource_in_pieces_is_shown_whole_and_replaced_once() {
    struct Look(Vec<u8>);
    impl Edit for Look {
        fn resource(&mut self, resource: &[u8], out: &mut Vec<u8>) -> Result<Change, Malformed> {
            self.0 = resource.to_vec();
            out.extend_from_slice(b"\x10\x05");
            Ok(Change::Replace)
        }
    }
    let request = b"\x0a\x0e\x0a\x02\x10\x01\x12\x04\x12\x02\x2a\x00\x0a\x02\x10\x02";
    let mut look = Look(Vec::new());
    let after = rewrite(Signal::Traces, request, &mut look).unwrap().request.unwrap();
    assert_eq!(look.0, b"\x10\x01\x10\x02");
    assert_eq!(&after[..], b"\x0a\x0a\x0a\x02\x10\x05\x12\x04\x12\x02\x2a\x00");
}

#[test]
fn a_request_whose_items_all_go_keeps_only_what_is_unknown() {
    struct DropAll;
    impl Edit for DropAll {
        fn item(&mut self, _: ItemKind, _: &[u8], _: &mut Vec<u8>) -> Result<Change, Malformed> {
            Ok(Change::Drop)
        }
    }
    let request = [b"\x0a\x06\x12\x04\x12\x02\x2a\x00", UNKNOWN].concat();
    let after = rewrite(Signal::Traces, &request, &mut DropAll).unwrap();
    assert_eq!((after.kept, after.dropped), (0, 1));
    assert_eq!(after.request.unwrap(), UNKNOWN);
}

#[test]
fn a_piece_that_is_not_otlp_does_not_take_the_others_along() {
    struct DropErrors;
    impl Edit for DropErrors {
        fn item(&mut self, _: ItemKind, item: &[u8], _: &mut Vec<u8>) -> Result<Change, Malformed> {
            let failed = last(item, 15).is_some();
            Ok(if failed { Change::Drop } else { Change::Keep })
        }
    }
    let (good, failed) = (b"\x0a\x06\x12\x04\x12\x02\x2a\x00", b"\x0a\x06\x12\x04\x12\x02\x7a\x00");
    let both = [&good[..], &failed[..]].concat();
    let mut payload = Payload::new(Signal::Traces, Bytes::from_static(good), 1);
    for (chunk, items) in [(both, 2), (failed.to_vec(), 1), (b"\x0a\x06\x12".to_vec(), 5)] {
        payload.append(Payload::new(Signal::Traces, chunk.into(), items));
    }
    let edited = payload.edit(&mut DropErrors);
    assert_eq!(edited.payload.chunks(), [&good[..], &good[..]]);
    assert_eq!((edited.payload.items(), edited.payload.bytes()), (2, 16));
    assert_eq!((edited.dropped, edited.malformed), (2, 5));
    assert_eq!(edited.error, Some(Malformed::Truncated));
}
