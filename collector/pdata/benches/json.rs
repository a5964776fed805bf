//! What a span costs between OTLP/JSON and protobuf: `cargo bench -p collector-pdata`.
//!
//! One core, no I/O; the median of several runs, in nanoseconds of CPU time a span. Beside it the same by the types of
//! opentelemetry-proto, with serde and prost.

mod cpu;

use collector_pdata::Signal;
use collector_pdata::encode::{SpanKind, SpanStart, SpanWriter, put_resource_spans, put_resource_text, scope};
use collector_pdata::json::{self, Limits};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use std::hint::black_box;

const SPANS: usize = 1000;

/// Spans as an instrumented web service has them.
fn request() -> Vec<u8> {
    let mut writer = SpanWriter::default();
    let mut group = Vec::new();
    for index in 0..SPANS as u64 {
        let start = SpanStart {
            trace_id: u128::from(index + 1)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
                .to_be_bytes(),
            span_id: (index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes(),
            parent_span_id: Some([7; 8]),
            flags: 0x301,
            kind: SpanKind::Server,
            start_unix_nano: 1_700_000_000_000_000_000 + index,
            end_unix_nano: 1_700_000_000_004_000_000 + index,
        };
        let mut span = writer.begin(&start, &["GET /api/v1/orders/{id}"]);
        span.text("http.request.method", "GET");
        span.text("url.path", "/api/v1/orders/8f14e45fceea167a");
        span.text("url.scheme", "https");
        span.text("server.address", "orders.shop.svc.cluster.local");
        span.text("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101");
        span.text("network.protocol.version", "1.1");
        span.text("client.address", "198.51.100.17");
        span.integer("server.port", 8443);
        span.integer("http.response.status_code", 200);
        span.integer("http.response.body.size", 18_231);
        span.finish(&mut group);
    }
    let mut resource = Vec::new();
    put_resource_text(&mut resource, "service.name", "orders");
    let mut request = Vec::new();
    put_resource_spans(&mut request, &resource, &scope("io.odigos.bench", "1"), &group);
    request
}

fn measure(what: &str, work: impl FnMut()) {
    cpu::measure(what, SPANS, 1, work);
}

fn main() {
    let request = request();
    let mut text = Vec::new();
    json::put(Signal::Traces, &mut text, [&request[..]]).expect("the request is well formed");
    assert_eq!(collector_pdata::count(Signal::Traces, &request), Ok(SPANS));
    println!(
        "a span has {} bytes, and {} in JSON",
        request.len() / SPANS,
        text.len() / SPANS
    );
    let mut out = Vec::new();
    measure("protobuf to JSON", || {
        out.clear();
        let _ = black_box(json::put(Signal::Traces, &mut out, [black_box(&request[..])]));
    });
    measure("JSON to protobuf", || {
        let _ = black_box(json::decode(Signal::Traces, black_box(&text), &Limits::default()));
    });
    measure("protobuf to JSON, prost and serde", || {
        let request = ExportTraceServiceRequest::decode(black_box(&request[..]));
        let _ = black_box(request.map(|request| serde_json::to_vec(&request)));
    });
    measure("JSON to protobuf, serde and prost", || {
        let request = serde_json::from_slice::<ExportTraceServiceRequest>(black_box(&text));
        let _ = black_box(request.map(|request| request.encode_to_vec()));
    });
}
