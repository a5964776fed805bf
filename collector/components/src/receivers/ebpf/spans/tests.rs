use super::*;
use collector_pdata::encode::put_resource_text;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use probe_wire::layout;
use prost::Message;

/// An HTTP/1 record as the kernel lays it out.
fn record(entity: u32, pid: u32, flags: u16, request: &[u8]) -> Vec<u8> {
    let mut record = vec![0; layout::HTTP1_REQUEST];
    let mut put = |at: usize, bytes: &[u8]| record[at..at + bytes.len()].copy_from_slice(bytes);
    put(layout::HEADER_KIND, &layout::KIND_HTTP1.to_ne_bytes());
    put(layout::HEADER_FLAGS, &flags.to_ne_bytes());
    put(layout::HEADER_ENTITY, &entity.to_ne_bytes());
    put(layout::HEADER_PID, &pid.to_ne_bytes());
    put(layout::HEADER_START, &1_000u64.to_ne_bytes());
    put(layout::HEADER_END, &3_000u64.to_ne_bytes());
    put(layout::HEADER_TRACE_ID, &[7; 16]);
    put(layout::HEADER_SPAN_ID, &[8; 8]);
    put(layout::HEADER_PARENT_SPAN_ID, &[9; 8]);
    put(layout::HTTP1_REMOTE, &[192, 0, 2, 1]);
    put(layout::HTTP1_REMOTE + layout::ENDPOINT_PORT, &443u16.to_ne_bytes());
    put(
        layout::HTTP1_REMOTE + layout::ENDPOINT_FAMILY,
        &layout::AF_INET.to_ne_bytes(),
    );
    put(layout::HTTP1_RESPONSE_BODY, &u64::MAX.to_ne_bytes());
    put(layout::HTTP1_STATUS, &200u16.to_ne_bytes());
    put(layout::HTTP1_CAPTURED, &(request.len() as u16).to_ne_bytes());
    record.extend_from_slice(request);
    record
}

const REQUEST: &[u8] = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

fn resource(service: &str) -> Vec<u8> {
    let mut resource = Vec::new();
    put_resource_text(&mut resource, "service.name", service);
    resource
}

struct Fixture {
    spans: Spans,
    counts: Arc<RingSource>,
    now: Instant,
}

impl Fixture {
    fn new() -> Self {
        let counts = Arc::new(RingSource::default());
        let mut spans = Spans::new(counts.clone());
        spans.entities.set(1, resource("shop"));
        spans.begin_pass();
        Fixture {
            spans,
            counts,
            now: Instant::now(),
        }
    }

    fn take(&mut self) -> Vec<ResourceSpans> {
        let Some(payload) = self.spans.take() else {
            return Vec::new();
        };
        assert_eq!(payload.chunks().len(), 1);
        let request = ExportTraceServiceRequest::decode(&payload.chunks()[0][..]).unwrap();
        let spans: usize = request
            .resource_spans
            .iter()
            .flat_map(|resource| &resource.scope_spans)
            .map(|scope| scope.spans.len())
            .sum();
        assert_eq!(payload.items(), spans);
        request.resource_spans
    }

    fn undecided(&self) -> u64 {
        self.counts.undecided.load(Ordering::Relaxed)
    }

    fn unknown(&self) -> u64 {
        self.counts.unknown_entity.load(Ordering::Relaxed)
    }
}

/// `key=value` for each attribute of the resource.
fn attributes(resource: &ResourceSpans) -> Vec<String> {
    let attributes = &resource.resource.as_ref().unwrap().attributes;
    let shown = |value: Option<&Value>| match value {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    attributes
        .iter()
        .map(|pair| {
            format!(
                "{}={}",
                pair.key,
                shown(pair.value.as_ref().and_then(|value| value.value.as_ref()))
            )
        })
        .collect()
}

#[test]
fn spans_are_grouped_by_entity_and_process() {
    let mut fixture = Fixture::new();
    let mut other = resource("other");
    collector_pdata::encode::put_resource_integer(&mut other, "process.pid", 77);
    fixture.spans.entities.set(2, other);
    for (entity, pid) in [(1, 10), (2, 20), (1, 11), (1, 10)] {
        let now = fixture.now;
        fixture.spans.record(&record(entity, pid, 0, REQUEST), now);
    }
    let found: Vec<(Vec<String>, usize)> = fixture
        .take()
        .iter()
        .map(|resource| (attributes(resource), resource.scope_spans[0].spans.len()))
        .collect();
    let expected = |service: &str, pid: u32| vec![format!("service.name={service}"), format!("process.pid={pid}")];
    // The pid that the resource names itself is left alone.
    assert_eq!(
        found,
        [
            (expected("shop", 10), 2),
            (expected("other", 77), 1),
            (expected("shop", 11), 1)
        ]
    );
    assert!(fixture.take().is_empty());
    assert_eq!(fixture.counts.decoded.load(Ordering::Relaxed), 4);
}

#[test]
fn a_record_becomes_a_span_with_its_scope_ids_and_times() {
    let mut fixture = Fixture::new();
    let flags = layout::FLAG_CONTEXT | layout::FLAG_PARENT | layout::FLAG_CLIENT;
    fixture.spans.record(&record(1, 10, flags, REQUEST), fixture.now);
    let resources = fixture.take();
    let scope = &resources[0].scope_spans[0];
    assert_eq!(scope.scope.as_ref().unwrap().name, "io.odigos.http1");
    assert_eq!(scope.scope.as_ref().unwrap().version, env!("CARGO_PKG_VERSION"));
    let span = &scope.spans[0];
    assert_eq!(
        (&span.trace_id[..], &span.span_id[..], &span.parent_span_id[..]),
        (&[7; 16][..], &[8; 8][..], &[9; 8][..])
    );
    assert_eq!(span.end_time_unix_nano - span.start_time_unix_nano, 2_000);
    assert_eq!((span.name.as_str(), span.kind), ("GET", 3));
}

#[test]
fn the_header_joins_a_span_that_has_no_ids_of_its_own() {
    let mut fixture = Fixture::new();
    let request = b"GET / HTTP/1.1\r\ntraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n";
    fixture.spans.record(&record(1, 10, 0, request), fixture.now);
    let resources = fixture.take();
    let span = &resources[0].scope_spans[0].spans[0];
    assert_eq!(span.trace_id[..2], [0x4b, 0xf9]);
    assert_eq!(span.parent_span_id[..2], [0x00, 0xf0]);
    assert_ne!(span.span_id, [8; 8]);
}

#[test]
fn a_record_waits_for_its_entity_but_not_for_ever() {
    let mut fixture = Fixture::new();
    let now = fixture.now;
    fixture.spans.record(&record(5, 50, 0, REQUEST), now);
    fixture.spans.record(&record(6, 60, 0, REQUEST), now);
    fixture.spans.release(now, false);
    assert!(fixture.take().is_empty(), "a span went out before its entity came");
    fixture.spans.entities.set(5, resource("late"));
    fixture.spans.release(now, false);
    assert_eq!(attributes(&fixture.take()[0]), ["service.name=late", "process.pid=50"]);
    assert_eq!(fixture.unknown(), 0);
    fixture.spans.release(now + ENTITY_WAIT, false);
    assert_eq!(attributes(&fixture.take()[0]), ["process.pid=60"]);
    assert_eq!(fixture.unknown(), 1);
}

#[test]
fn what_waits_is_bounded_and_nothing_of_it_is_lost() {
    let mut fixture = Fixture::new();
    let now = fixture.now;
    let record = record(5, 50, 0, &[b'x'; 1000]);
    let total = 3 * MAX_HELD_BYTES / record.len();
    for _ in 0..total {
        fixture.spans.record(&record, now);
    }
    assert!(fixture.spans.held_bytes <= MAX_HELD_BYTES);
    fixture.spans.release(now, true);
    assert_eq!(fixture.take()[0].scope_spans[0].spans.len(), total);
    assert_eq!(fixture.unknown(), total as u64);
    assert_eq!(fixture.spans.held_bytes, 0);
}

#[test]
fn under_a_selection_what_nobody_answers_for_is_dropped_and_counted() {
    let mut fixture = Fixture::new();
    fixture.spans.set_selective(true);
    let now = fixture.now;
    let long = record(5, 50, 0, &[b'x'; 1000]);
    let total = 2 * MAX_HELD_BYTES / long.len();
    for _ in 0..total {
        fixture.spans.record(&long, now);
    }
    let refused_room = fixture.undecided();
    assert!((1..total as u64).contains(&refused_room), "{refused_room} of {total}");
    assert_eq!(fixture.spans.held.len() as u64 + refused_room, total as u64);
    assert!(
        fixture.take().is_empty(),
        "a span that may be of a process that nobody asked for"
    );
    // The kernel's "none", for which there is no waiting.
    fixture.spans.record(&record(0, 60, 0, REQUEST), now);
    assert_eq!(fixture.undecided(), refused_room + 1);
    fixture.spans.release(now + ENTITY_WAIT, false);
    assert!(fixture.take().is_empty(), "a span whose entity did not come in time");
    assert_eq!(fixture.undecided(), total as u64 + 1);
    // The end comes before the answer; and what is answered for is exported, and what is refused is counted as that.
    for entity in [5, 6, 7] {
        fixture.spans.record(&record(entity, 50, 0, REQUEST), now);
    }
    fixture.spans.entities.set(6, resource("late"));
    fixture.spans.entities.refuse(7);
    fixture.spans.release(now, true);
    assert_eq!(attributes(&fixture.take()[0]), ["service.name=late", "process.pid=50"]);
    let counted = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
    let counts = &fixture.counts;
    assert_eq!(
        [
            &counts.undecided,
            &counts.not_selected,
            &counts.decoded,
            &counts.unknown_entity
        ]
        .map(counted),
        [total as u64 + 2, 1, 1, 0]
    );
    assert!(!fixture.spans.holds_records());
}

#[test]
fn an_entity_that_is_gone_serves_until_the_ring_is_empty() {
    let mut fixture = Fixture::new();
    fixture.spans.entities.mark_gone(1);
    fixture.spans.record(&record(1, 10, 0, REQUEST), fixture.now);
    assert_eq!(attributes(&fixture.take()[0])[0], "service.name=shop");
    fixture.spans.entities.forget_gone();
    assert!(!fixture.spans.entities.is_known(1));
}

#[test]
fn entities_that_are_gone_are_bounded_and_one_that_came_back_stays() {
    let mut entities = Entities::default();
    for id in 1..=20_000 {
        entities.set(id, resource("shop"));
        entities.mark_gone(id);
        entities.mark_gone(id);
    }
    assert!(!entities.is_known(1));
    assert!(entities.is_known(20_000));
    entities.set(19_999, resource("shop"));
    entities.forget_gone();
    assert!(entities.is_known(19_999));
    assert!(!entities.is_known(20_000));
}

#[test]
fn hostile_records_and_resources_are_counted_or_left_out() {
    let mut fixture = Fixture::new();
    let now = fixture.now;
    let mut lying = record(1, 10, 0, b"GET");
    lying[layout::HTTP1_CAPTURED] = 255;
    for bytes in [&b""[..], &[0; 64], &lying, &[255; 300]] {
        fixture.spans.record(bytes, now);
    }
    assert!(fixture.take().is_empty());
    assert_eq!(fixture.counts.undecodable.load(Ordering::Relaxed), 4);
    fixture.spans.entities.set(9, vec![0xff; 3]);
    assert!(!fixture.spans.entities.is_known(9));
}

#[test]
fn a_go_exchange_gives_the_route_and_the_peer() {
    let span = header(&decode(&record(1, 10, 0, b"")).unwrap()).to_owned();
    let go = GoHttp {
        span,
        status: Some(500),
        protocol: (2, 0),
        request_body: None,
        response_body: Some(4),
        method: b"",
        target: b"/hello/7?a=b",
        host: b"h:8080",
        scheme: b"",
        peer: b"[::ffff:192.0.2.7]:999",
        pattern: b"GET example.com/hello/{id}",
        user_agent: b"",
        traceparent: b"",
    };
    let mut fixture = Fixture::new();
    fixture.spans.encoder.encode(&Event::GoHttp(go));
    let resources = fixture.take();
    let scope = &resources[0].scope_spans[0];
    assert_eq!(scope.scope.as_ref().unwrap().name, "io.odigos.go.net_http");
    assert_eq!(scope.spans[0].name, "GET /hello/{id}");
    let text = format!("{:?}", scope.spans[0].attributes);
    for part in ["192.0.2.7", "IntValue(999)", "/hello/7", "a=b"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}
