//! What a span costs in `tail_sampling`, and how much memory held traces take: `cargo bench -p collector-components --bench
//! tail_sampling`.
//!
//! Requests of 100 spans of some 438 bytes, ten a trace, one trace in a hundred with an error; the policies keep errors and
//! a tenth of the others. The clock is passed in: 200 000 spans come in one of its seconds.

#[path = "../../pdata/benches/cpu/mod.rs"]
mod cpu;

use collector_components::processors::tail_sampling::FACTORY;
use collector_config::{Errors, Node, Section};
use collector_engine::{Collected, Processor};
use collector_pdata::{Payload, Signal};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use std::fs;
use std::time::{Duration, Instant};

const SPANS: usize = 100;
const SPANS_A_TRACE: usize = 10;
const BETWEEN: Duration = Duration::from_micros(500);
const ID: [u8; 16] = *b"thisisthetraceid";

const POLICIES: &str = "policies: [{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}, \
    {name: prob, type: probabilistic, probabilistic: {sampling_percentage: 10}}]";

fn processor(settings: &str) -> Box<dyn Processor> {
    let node = Node::parse(&format!("{{{settings}, {POLICIES}}}"), "").expect("this is YAML");
    let mut errors = Errors::default();
    let recipe = (FACTORY.configure)(&mut Section::open("", &node, &mut errors));
    assert!(errors.is_empty(), "{errors}");
    (recipe.make)(Signal::Traces)
}

fn text(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            value: Some(Value::StringValue(value.to_owned())),
        }),
    }
}

fn span(index: usize, fails: bool) -> Span {
    let attributes = [
        ("http.request.method", "GET"),
        ("url.scheme", "https"),
        ("url.path", "/api/v1/orders/12345"),
        ("http.route", "/api/v1/orders/{id}"),
        ("http.response.status_code", "200"),
        ("server.address", "shop.example.com"),
        ("server.port", "443"),
        (
            "user_agent.original",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
        ),
        ("network.peer.address", "10.32.7.11"),
        ("thread.id", "41"),
    ];
    Span {
        trace_id: ID.to_vec(),
        span_id: vec![index as u8 + 1; 8],
        parent_span_id: if index.is_multiple_of(SPANS_A_TRACE) {
            Vec::new()
        } else {
            vec![1; 8]
        },
        name: "GET /api/v1/orders/{id}".to_owned(),
        kind: 2,
        start_time_unix_nano: 1_700_000_000_000_000_000,
        end_time_unix_nano: 1_700_000_000_005_000_000,
        attributes: attributes.iter().map(|(key, value)| text(key, value)).collect(),
        status: fails.then(|| Status {
            code: 2,
            ..Status::default()
        }),
        ..Span::default()
    }
}

/// A request, and where its traces' ids are to be written.
struct Template {
    bytes: Vec<u8>,
    ids: Vec<usize>,
    random: fastrand::Rng,
    turn: usize,
}

impl Template {
    fn new() -> Self {
        let resource = [
            "service.name",
            "k8s.namespace.name",
            "k8s.pod.name",
            "k8s.node.name",
            "host.name",
        ];
        let request = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(Resource {
                    attributes: resource
                        .iter()
                        .map(|key| text(key, "checkout-6d9f7c5b8d-x2x7k"))
                        .collect(),
                    ..Resource::default()
                }),
                scope_spans: vec![ScopeSpans {
                    spans: (0..SPANS).map(|index| span(index, index == 5)).collect(),
                    ..ScopeSpans::default()
                }],
                ..ResourceSpans::default()
            }],
        };
        let bytes = request.encode_to_vec();
        let is_id = |at: &usize| bytes[*at..].starts_with(&ID);
        Template {
            ids: (0..bytes.len()).filter(is_id).collect(),
            bytes,
            random: fastrand::Rng::with_seed(7),
            turn: 0,
        }
    }

    /// With new traces. Only every tenth request has an error.
    fn next(&mut self) -> Payload {
        let mut bytes = self.bytes.clone();
        for ids in self.ids.chunks(SPANS_A_TRACE) {
            let id = self.random.u128(..).to_ne_bytes();
            ids.iter().for_each(|at| bytes[*at..*at + 16].copy_from_slice(&id));
        }
        self.turn += 1;
        if !self.turn.is_multiple_of(10) {
            let status = bytes.windows(4).position(|field| field == [0x7a, 2, 0x18, 2]);
            status.iter().for_each(|at| bytes[at + 3] = 0);
        }
        Payload::new(Signal::Traces, bytes.into(), SPANS)
    }
}

/// Resident bytes of this process.
fn resident() -> usize {
    let pages = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: usize = pages
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .unwrap_or(0);
    pages * rustix::param::page_size()
}

/// Nanoseconds of CPU time a span, once as many traces are held as are to be.
fn speed(template: &mut Template) {
    let mut processor = processor("decision_wait: 1s, num_traces: 200000, max_bytes: 1GiB");
    let (mut now, mut spent, mut kept, mut requests) = (Instant::now(), 0, 0, 0);
    for request in 0..8_000 {
        let payload = template.next();
        let mut out = Collected::default();
        let begun = cpu::time();
        processor.process(payload, now, &mut out.sink());
        if processor.deadline().is_some_and(|deadline| deadline <= now) {
            processor.tick(now, &mut out.sink());
        }
        if request >= 4_000 {
            spent += cpu::time() - begun;
            requests += 1;
            kept += out.payloads.iter().map(Payload::items).sum::<usize>();
        }
        now += BETWEEN;
    }
    let spans = requests * SPANS;
    let (nanoseconds, percent) = (spent as f64 / spans as f64, 100.0 * kept as f64 / spans as f64);
    println!("hold, decide and assemble: {nanoseconds:.0} ns/span, {percent:.1} % kept");
}

/// The resident memory that held traces take, beside their encoded bytes.
fn memory(template: &mut Template, traces: usize) {
    let mut processor = processor("decision_wait: 100s, num_traces: 1000000, max_bytes: 4GiB");
    let (now, mut out) = (Instant::now(), Collected::default());
    let (before, mut bytes) = (resident(), 0);
    for _ in 0..traces * SPANS_A_TRACE / SPANS {
        let payload = template.next();
        bytes += payload.bytes();
        processor.process(payload, now, &mut out.sink());
    }
    let taken = resident() - before;
    println!(
        "{traces} traces of {SPANS_A_TRACE} spans: {} MiB resident for {} MiB encoded, {:.3} times as much",
        taken >> 20,
        bytes >> 20,
        taken as f64 / bytes as f64
    );
}

fn main() {
    let mut template = Template::new();
    println!("a span has {} bytes", template.bytes.len() / SPANS);
    memory(&mut template, 100_000);
    speed(&mut template);
}
