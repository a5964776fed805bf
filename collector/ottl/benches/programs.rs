//! What a condition and a statement cost on an encoded span: `cargo bench -p collector-ottl`.
//!
//! One core; the least of several runs, in nanoseconds an item, since others may use the machine meanwhile.

use collector_ottl::otlp::{Layer, Layers};
use collector_ottl::{Condition, Context, Statement};
use collector_pdata::ItemKind;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::hint::black_box;
use std::time::Instant;

const ITEMS: u32 = 20_000;
const RUNS: usize = 30;

/// Ten attributes, about 440 bytes.
fn span() -> Vec<u8> {
    let attribute = |index: usize| KeyValue {
        key: format!("attribute.number.{index}"),
        value: Some(AnyValue {
            value: Some(Value::StringValue(format!("/some/value/{index}"))),
        }),
    };
    let span = Span {
        trace_id: vec![7; 16],
        span_id: vec![9; 8],
        name: "GET /orders/{id}".to_owned(),
        kind: 2,
        start_time_unix_nano: 1 << 60,
        end_time_unix_nano: (1 << 60) + 1_000_000,
        attributes: (0..10).map(attribute).collect(),
        ..Default::default()
    };
    span.encode_to_vec()
}

fn measure(what: &str, mut work: impl FnMut()) {
    let runs = (0..RUNS).map(|_| {
        let start = Instant::now();
        (0..ITEMS).for_each(|_| work());
        start.elapsed() / ITEMS
    });
    let least = runs.min().unwrap_or_default();
    println!("{what}: {} ns", least.as_nanos());
}

fn main() {
    let span = span();
    println!("a span of {} bytes", span.len());
    for text in [
        "attributes[\"attribute.number.0\"] == \"/other\"",
        "attributes[\"attribute.number.9\"] == \"/other\"",
        "attributes[\"absent\"] != nil",
        "kind == SPAN_KIND_CLIENT and name == \"x\"",
        "IsMatch(name, \"^POST \")",
    ] {
        let condition = Condition::compile(Context::Span, text).expect("compiles");
        measure(text, || {
            let inner = &mut [Layer::item(ItemKind::Span, black_box(&span))];
            let layers = Layers { outer: &mut [], inner };
            black_box(condition.holds(&layers)).ok();
        });
    }
    let mut out = Vec::new();
    for text in [
        "set(attributes[\"team\"], \"a\") where kind == SPAN_KIND_CLIENT",
        "set(attributes[\"team\"], \"a\")",
        "delete_key(attributes, \"attribute.number.5\")",
        "keep_keys(attributes, [\"attribute.number.1\", \"attribute.number.2\"])",
        "truncate_all(attributes, 4096)",
        "truncate_all(attributes, 5)",
        "replace_pattern(name, \"/[a-z]+\", \"/x\")",
    ] {
        let statement = Statement::compile(Context::Span, text).expect("compiles");
        measure(text, || {
            let mut inner = [Layer::item(ItemKind::Span, black_box(&span))];
            let mut layers = Layers {
                outer: &mut [],
                inner: &mut inner,
            };
            black_box(statement.run(&mut layers)).ok();
            out.clear();
            black_box(inner[0].finish(&mut out)).ok();
        });
    }
}
