//! What looking at, and changing, encoded spans costs: `cargo bench -p collector-pdata`.
//!
//! One core, no I/O; the median of several runs, in nanoseconds of CPU time a span.

mod cpu;

use bytes::Bytes;
use collector_pdata::attributes::{Editor, find, modify, put, put_text};
use collector_pdata::by_trace::{Grouper, assemble};
use collector_pdata::edit::{Change, Edit, rewrite};
use collector_pdata::encode::{SpanKind, SpanStart, SpanWriter, put_resource_spans, put_resource_text, scope};
use collector_pdata::{ItemKind, Malformed, Payload, Signal, count, split};
use std::hint::black_box;

const SPANS: usize = 100;
const ROUNDS: usize = 50;

/// A request of spans of some 438 bytes: ten attributes, one of which is to be hashed.
fn request() -> Vec<u8> {
    let mut writer = SpanWriter::default();
    let mut group = Vec::new();
    for index in 0..SPANS {
        let start = SpanStart {
            trace_id: [index as u8 + 1; 16],
            span_id: [index as u8 + 1; 8],
            parent_span_id: Some([7; 8]),
            flags: 0x101,
            kind: SpanKind::Server,
            start_unix_nano: 1_700_000_000_000_000_000,
            end_unix_nano: 1_700_000_000_000_001_000,
        };
        let mut span = writer.begin(&start, &["GET ", "/orders/{id}"]);
        span.text("http.request.method", "GET");
        span.integer("http.response.status_code", 200);
        span.text("url.path", "/orders/1234567");
        span.text("user.id", "0123456789abcdef0123456789abcdef");
        span.text("url.scheme", "https");
        span.text("server.address", "shop.example.com");
        span.integer("server.port", 8443);
        span.text("network.protocol.version", "1.1");
        span.text("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64)");
        span.text("client.address", "192.0.2.17");
        span.finish(&mut group);
    }
    let mut resource = Vec::new();
    for key in ["service.name", "service.version", "k8s.pod.name", "k8s.node.name"] {
        put_resource_text(&mut resource, key, "shop-backend");
    }
    let mut request = Vec::new();
    put_resource_spans(&mut request, &resource, &scope("io.odigos.bench", "1"), &group);
    request
}

fn measure(what: &str, work: impl FnMut()) {
    cpu::measure(what, SPANS, ROUNDS, work);
}

/// As long as a SHA-256, without hashing.
const HASH: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Replaces one attribute by another text.
struct Hash;

impl Edit for Hash {
    fn looks_at_scopes(&self) -> bool {
        false
    }

    fn item(&mut self, kind: ItemKind, item: &[u8], out: &mut Vec<u8>) -> Result<Change, Malformed> {
        modify(item, kind.attributes_field(), b"user.id", out, |_, new| {
            put_text(new, black_box(HASH));
            Ok(Change::Replace)
        })
    }
}

/// Replaces one attribute, removes one and adds one.
#[derive(Default)]
struct Three(Editor);

impl Edit for Three {
    fn looks_at_scopes(&self) -> bool {
        false
    }

    fn item(&mut self, kind: ItemKind, item: &[u8], out: &mut Vec<u8>) -> Result<Change, Malformed> {
        let mut open = self.0.open(item, kind.attributes_field())?;
        open.modify(b"user.id", |_, new| {
            put_text(new, black_box(HASH));
            Ok(Change::Replace)
        })?;
        open.delete(b"url.scheme");
        open.insert(b"deployment.environment.name", b"\x0a\x04prod");
        Ok(open.finish(out))
    }
}

/// Adds an attribute to each resource, and looks at nothing else.
struct Resources;

impl Edit for Resources {
    fn looks_at_scopes(&self) -> bool {
        false
    }

    fn looks_at_items(&self) -> bool {
        false
    }

    fn resource(&mut self, resource: &[u8], out: &mut Vec<u8>) -> Result<Change, Malformed> {
        out.extend_from_slice(resource);
        put(out, 1, b"k8s.cluster.name", b"\x0a\x01a");
        Ok(Change::Replace)
    }
}

/// Drops what has a status of 500, which is nothing, or every second span.
struct Filter {
    key: &'static [u8],
    every_second: bool,
    turn: bool,
}

impl Edit for Filter {
    fn looks_at_scopes(&self) -> bool {
        false
    }

    fn item(&mut self, kind: ItemKind, item: &[u8], _: &mut Vec<u8>) -> Result<Change, Malformed> {
        let found = find(item, kind.attributes_field(), self.key)?;
        self.turn = !self.turn;
        let drop = found.is_none() || self.every_second && self.turn;
        Ok(if drop { Change::Drop } else { Change::Keep })
    }
}

fn main() {
    let request = Bytes::from(request());
    println!("a span has {} bytes", request.len() / SPANS);
    measure("count", || {
        let _ = black_box(count(Signal::Traces, black_box(&request)));
    });
    measure("copy, for comparison", || {
        black_box(black_box(&request).to_vec());
    });
    measure("replace an attribute of each span", || {
        let _ = black_box(rewrite(Signal::Traces, black_box(&request), &mut Hash));
    });
    let mut three = Three::default();
    measure("replace, remove and add an attribute of each span", || {
        let _ = black_box(rewrite(Signal::Traces, black_box(&request), &mut three));
    });
    measure("add an attribute to the resource", || {
        let _ = black_box(rewrite(Signal::Traces, black_box(&request), &mut Resources));
    });
    for (what, every_second) in [
        ("look at an attribute of each span", false),
        ("drop every second span", true),
    ] {
        let mut filter = Filter {
            key: b"client.address",
            every_second,
            turn: false,
        };
        measure(what, || {
            let _ = black_box(rewrite(Signal::Traces, black_box(&request), &mut filter));
        });
    }
    measure("cut into parts of 30 spans", || {
        let payload = Payload::new(Signal::Traces, request.clone(), SPANS);
        let _ = black_box(split::parts(payload, 30, usize::MAX));
    });
    let mut grouper = Grouper::default();
    measure("take apart by trace", || {
        let _ = black_box(grouper.take(black_box(&request)));
    });
    let taken = grouper.take(&request).unwrap_or_default();
    measure("assemble traces", || {
        black_box(assemble(taken.iter().map(|taken| &taken.segment), SPANS));
    });
}
