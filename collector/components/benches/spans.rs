//! What a span costs on its way from the ring to bytes: `cargo bench -p collector-components`.
//!
//! One core, no I/O; the median of several runs, in nanoseconds of CPU time a span.

#[path = "../../pdata/benches/cpu/mod.rs"]
mod cpu;

use collector_components::receivers::ebpf::{RingSource, Spans, http::head};
use collector_pdata::encode::put_resource_text;
use collector_pdata::{Signal, count, json};
use probe_wire::layout;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

const REQUEST: &[u8] = b"GET /orders/7?full=1 HTTP/1.1\r\nHost: shop.example:8080\r\nUser-Agent: wrk/4.2\r\n\
    Accept: application/json\r\nAccept-Encoding: gzip\r\nX-Request-Id: 5f2b7a\r\n\r\n";
const SPANS: usize = 2000;

/// An HTTP/1 record as the kernel lays it out.
fn record(pid: u32) -> Vec<u8> {
    let mut record = vec![0; layout::HTTP1_REQUEST];
    let mut put = |at: usize, bytes: &[u8]| record[at..at + bytes.len()].copy_from_slice(bytes);
    put(layout::HEADER_KIND, &layout::KIND_HTTP1.to_ne_bytes());
    put(layout::HEADER_ENTITY, &1u32.to_ne_bytes());
    put(layout::HEADER_PID, &pid.to_ne_bytes());
    put(layout::HEADER_START, &1_000u64.to_ne_bytes());
    put(layout::HEADER_END, &3_000u64.to_ne_bytes());
    for at in [layout::HTTP1_LOCAL, layout::HTTP1_REMOTE] {
        put(at, &[192, 0, 2, 1]);
        put(at + layout::ENDPOINT_PORT, &8080u16.to_ne_bytes());
        put(at + layout::ENDPOINT_FAMILY, &layout::AF_INET.to_ne_bytes());
    }
    put(layout::HTTP1_RESPONSE_BODY, &13u64.to_ne_bytes());
    put(layout::HTTP1_STATUS, &200u16.to_ne_bytes());
    put(layout::HTTP1_CAPTURED, &(REQUEST.len() as u16).to_ne_bytes());
    record.extend_from_slice(REQUEST);
    record
}

fn measure(what: &str, work: impl FnMut()) {
    cpu::measure(what, SPANS, 1, work);
}

fn main() {
    let records: Vec<Vec<u8>> = (0..SPANS).map(|index| record(index as u32 / 50)).collect();
    let mut spans = Spans::new(Arc::new(RingSource::default()));
    let mut resource = Vec::new();
    put_resource_text(&mut resource, "service.name", "shop");
    spans.entities.set(1, resource);
    let mut pass = || {
        spans.begin_pass();
        let now = Instant::now();
        records.iter().for_each(|record| spans.record(record, now));
        spans.take().expect("spans went in")
    };
    let payload = pass();
    println!("a span has {} bytes", payload.bytes() / payload.items());
    measure("parse the request's head", || {
        for _ in &records {
            black_box(head::parse(black_box(REQUEST)));
        }
    });
    measure("from records to a payload", || {
        black_box(pass());
    });
    let chunk = &payload.chunks()[0];
    measure("count the spans of a payload", || {
        let _ = black_box(count(Signal::Traces, chunk));
    });
    let mut text = Vec::new();
    measure("turn a payload into JSON", || {
        text.clear();
        let _ = black_box(json::put(Signal::Traces, &mut text, [&chunk[..]]));
    });
}
