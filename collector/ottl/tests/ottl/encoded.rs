//! Programs on encoded messages, with the types that prost generates as the oracle.

use collector_ottl::otlp::{Layer, Layers};
use collector_ottl::{Condition, Context, Statement};
use collector_pdata::ItemKind;
use collector_pdata::edit::Change;
use opentelemetry_proto::tonic::common::v1::any_value::Value as V;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogramDataPoint, Gauge, HistogramDataPoint, Metric, NumberDataPoint, Sum, SummaryDataPoint,
    exponential_histogram_data_point::Buckets, metric::Data, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{Span, Status, span};
use proptest::prelude::*;
use prost::Message;

fn attribute(key: &str, value: V) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
    }
}

fn string(value: &str) -> V {
    V::StringValue(value.to_owned())
}

fn list(values: Vec<V>) -> V {
    let values = values
        .into_iter()
        .map(|value| AnyValue { value: Some(value) })
        .collect();
    V::ArrayValue(ArrayValue { values })
}

fn span_message() -> Span {
    Span {
        trace_id: (1..=16).collect(),
        span_id: (1..=8).collect(),
        trace_state: "a=1,b=2".to_owned(),
        flags: 0x101,
        name: "GET /".to_owned(),
        kind: 2,
        start_time_unix_nano: 1_000,
        end_time_unix_nano: 5_000,
        attributes: vec![
            attribute("http.method", string("GET")),
            attribute("n", V::IntValue(-3)),
            attribute("l", list(vec![string("x"), V::DoubleValue(1.5)])),
            attribute(
                "m",
                V::KvlistValue(KeyValueList {
                    values: vec![attribute("in", V::BoolValue(true))],
                }),
            ),
            attribute("b", V::BytesValue(vec![1, 2])),
        ],
        dropped_attributes_count: 4,
        events: vec![span::Event {
            name: "e".to_owned(),
            ..Default::default()
        }],
        dropped_events_count: 5,
        dropped_links_count: 6,
        status: Some(Status {
            message: "bad".to_owned(),
            code: 2,
        }),
        ..Default::default()
    }
}

fn outer() -> Vec<Layer<'static>> {
    let resource = Resource {
        attributes: vec![attribute("host", string("n1"))],
        dropped_attributes_count: 9,
        ..Default::default()
    };
    let scope = InstrumentationScope {
        name: "lib".to_owned(),
        version: "1.2".to_owned(),
        ..Default::default()
    };
    vec![
        Layer::resource(&resource.encode_to_vec()),
        Layer::scope(&scope.encode_to_vec()),
    ]
}

fn check_holds(context: Context, mut inner: Layer<'_>, conditions: &[&str]) {
    let mut outer = outer();
    let layers = Layers {
        outer: &mut outer,
        inner: std::slice::from_mut(&mut inner),
    };
    for text in conditions {
        let condition = Condition::compile(context, text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(condition.holds(&layers), Ok(true), "{text}");
    }
}

/// Runs statements on an encoded span; the bytes after them, which are none if nothing was changed.
fn run(message: &[u8], statements: &[&str]) -> Option<Vec<u8>> {
    let mut outer = outer();
    let mut inner = [Layer::item(ItemKind::Span, message)];
    let mut layers = Layers {
        outer: &mut outer,
        inner: &mut inner,
    };
    for text in statements {
        let statement = Statement::compile(Context::Span, text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(statement.run(&mut layers), Ok(true), "{text}");
    }
    let mut out = Vec::new();
    match inner[0].finish(&mut out).expect("well formed") {
        Change::Replace => Some(out),
        _ => None,
    }
}

fn after(statements: &[&str]) -> Span {
    let message = span_message().encode_to_vec();
    let out = run(&message, statements).expect("changed");
    Span::decode(&*out).expect("is a span")
}

#[test]
fn a_span_is_read_where_it_lies() {
    let message = span_message().encode_to_vec();
    let conditions = [
        "trace_id == TraceID(0x0102030405060708090a0b0c0d0e0f10)",
        "trace_id.string == \"0102030405060708090a0b0c0d0e0f10\"",
        "span_id.string == \"0102030405060708\"",
        "parent_span_id == SpanID(0x0000000000000000)",
        "parent_span_id.string == \"0000000000000000\"",
        "IsRootSpan()",
        "trace_state == \"a=1,b=2\" and trace_state[\"b\"] == \"2\" and trace_state[\"c\"] == \"\"",
        "flags == 257",
        "name == \"GET /\" and span.name == name",
        "kind == SPAN_KIND_SERVER and kind.string == \"Server\" and kind.deprecated_string == \"SPAN_KIND_SERVER\"",
        "end_time_unix_nano - start_time_unix_nano == 4000",
        "dropped_attributes_count == 4 and dropped_events_count == 5 and dropped_links_count == 6",
        "status.code == STATUS_CODE_ERROR and status.message == \"bad\"",
        "attributes[\"http.method\"] == \"GET\" and attributes[\"n\"] == -3",
        "attributes[\"l\"] == [\"x\", 1.5] and attributes[\"l\"][1] == 1.5",
        "attributes[\"m\"][\"in\"] == true and attributes[\"b\"] == 0x0102",
        "attributes[\"absent\"] == nil and Len(attributes) == 5",
        "resource.attributes[\"host\"] == \"n1\" and resource.dropped_attributes_count == 9",
        "instrumentation_scope.name == \"lib\" and scope.version == \"1.2\"",
    ];
    check_holds(Context::Span, Layer::item(ItemKind::Span, &message), &conditions);
}

#[test]
fn every_field_of_a_span_is_written() {
    let changed = after(&[
        "set(trace_id, TraceID(0x0f0e0d0c0b0a09080706050403020100))",
        "set(span_id.string, \"ffffffffffffffff\")",
        "set(parent_span_id, SpanID(0x0000000000000001))",
        "set(trace_state[\"b\"], \"3\")",
        "set(flags, 1)",
        "set(name, Concat([name, kind.string], \" \"))",
        "set(kind.string, \"Client\")",
        "set(start_time_unix_nano, 7)",
        "set(end_time_unix_nano, start_time_unix_nano + 1)",
        "set(dropped_attributes_count, 0)",
        "set(dropped_events_count, 1)",
        "set(dropped_links_count, 2)",
        "set(status.message, \"worse\")",
        "set(attributes[\"n\"], 1)",
        "set(attributes[\"new\"], [1, \"a\"])",
        "delete_key(attributes, \"m\")",
    ]);
    let mut expected = span_message();
    expected.trace_id = (0..16).rev().collect();
    expected.span_id = vec![0xff; 8];
    expected.parent_span_id = vec![0, 0, 0, 0, 0, 0, 0, 1];
    expected.trace_state = "b=3,a=1".to_owned();
    expected.flags = 1;
    expected.name = "GET / Server".to_owned();
    expected.kind = 3;
    (expected.start_time_unix_nano, expected.end_time_unix_nano) = (7, 8);
    expected.dropped_attributes_count = 0;
    (expected.dropped_events_count, expected.dropped_links_count) = (1, 2);
    expected.status = Some(Status {
        message: "worse".to_owned(),
        code: 2,
    });
    expected.attributes[1] = attribute("n", V::IntValue(1));
    expected.attributes.remove(3);
    expected
        .attributes
        .push(attribute("new", list(vec![V::IntValue(1), string("a")])));
    assert_eq!(changed, expected);
}

#[test]
fn nil_is_written_where_there_can_be_nothing_and_is_an_error_elsewhere() {
    let span = after(&[
        "set(attributes[\"new\"], nil)",
        "set(cache, nil)",
        "set(attributes[\"cached\"], cache[\"k\"])",
    ]);
    for key in ["new", "cached"] {
        let found = span.attributes.iter().find(|attribute| attribute.key == key).unwrap();
        let value = found.value.as_ref().and_then(|value| value.value.as_ref());
        assert_eq!(value, None, "{key}");
    }
    assert_eq!(after(&["set(attributes, nil)"]).attributes, []);
    let message = span_message().encode_to_vec();
    for path in [
        "name",
        "kind",
        "status.code",
        "trace_state[\"a\"]",
        "start_time_unix_nano",
        "trace_id.string",
    ] {
        let statement = Statement::compile(Context::Span, &format!("set({path}, cache[\"absent\"])")).unwrap();
        let mut layers = Layers {
            outer: &mut outer(),
            inner: &mut [Layer::item(ItemKind::Span, &message)],
        };
        assert!(statement.run(&mut layers).is_err(), "{path}");
    }
}

#[test]
fn a_status_is_written_where_there_was_none() {
    let message = Span::default().encode_to_vec();
    let out = run(&message, &["set(status.code, STATUS_CODE_OK)"]).expect("changed");
    let status = Some(Status {
        code: 1,
        ..Default::default()
    });
    assert_eq!(
        Span::decode(&*out),
        Ok(Span {
            status,
            ..Default::default()
        })
    );
}

#[test]
fn whole_maps_are_edited() {
    let keys = |statements: &[&str]| {
        let attributes = after(statements).attributes.into_iter();
        attributes.map(|attribute| attribute.key).collect::<Vec<_>>().join(" ")
    };
    let cases = [
        ("keep_keys(attributes, [\"n\", \"b\"])", "n b"),
        ("delete_matching_keys(attributes, \"^.$\")", "http.method"),
        ("limit(attributes, 2, [\"b\"])", "http.method b"),
        (
            "replace_all_patterns(attributes, \"key\", \"\\\\.\", \"_\")",
            "http_method n l m b",
        ),
        ("truncate_all(attributes, 2)", "http.method n l m b"),
        (
            "merge_maps(attributes, resource.attributes, \"insert\")",
            "http.method n l m b host",
        ),
        ("set(attributes, {\"only\": 1})", "only"),
        ("set(attributes[\"m\"][\"out\"], 1)", "http.method n l m b"),
    ];
    for (statement, expected) in cases {
        assert_eq!(keys(&[statement]), expected, "{statement}");
    }
    let twice = keys(&[
        "delete_key(attributes, \"n\")",
        "set(attributes[\"n\"], 2)",
        "delete_key(attributes, \"b\")",
    ]);
    assert_eq!(twice, "http.method n l m");
    assert_eq!(
        after(&["truncate_all(attributes, 2)"]).attributes[0],
        attribute("http.method", string("GE"))
    );
}

#[test]
fn what_nothing_was_written_to_is_not_encoded_again() {
    let message = span_message().encode_to_vec();
    let untouched = [
        "delete_key(attributes, \"absent\")",
        "truncate_all(attributes, 100)",
        "replace_pattern(name, \"zzz\", \"y\")",
        "set(cache[\"a\"], name)",
        "set(resource.attributes[\"a\"], cache[\"a\"])",
        "keep_matching_keys(attributes, \".\")",
    ];
    assert_eq!(run(&message, &untouched), None);
}

#[test]
fn a_key_that_is_not_utf8_goes_as_others_do() {
    // An attribute with the key 0xff and no value.
    let message = [0x4a, 0x03, 0x0a, 0x01, 0xff];
    for statement in [
        "keep_keys(attributes, [\"a\"])",
        "delete_matching_keys(attributes, \".\")",
    ] {
        assert_eq!(run(&message, &[statement]), Some(Vec::new()), "{statement}");
    }
}

#[test]
fn unknown_fields_stay() {
    let mut message = span_message().encode_to_vec();
    let unknown = [0xba, 0x3e, 0x02, 0x07, 0x08];
    message.extend_from_slice(&unknown);
    let out = run(&message, &["set(name, \"x\")"]).expect("changed");
    assert!(out.windows(unknown.len()).any(|window| window == unknown));
}

#[test]
fn the_cache_goes_from_statement_to_statement() {
    let changed = after(&[
        "set(cache[\"n\"], attributes[\"n\"])",
        "set(attributes[\"copy\"], cache[\"n\"] * 2)",
    ]);
    assert_eq!(changed.attributes.last(), Some(&attribute("copy", V::IntValue(-6))));
}

#[test]
fn a_log_record_is_read_and_written() {
    let record = LogRecord {
        time_unix_nano: 1,
        observed_time_unix_nano: 2,
        severity_number: 9,
        severity_text: "Info".to_owned(),
        body: Some(AnyValue {
            value: Some(V::KvlistValue(KeyValueList {
                values: vec![attribute("k", string("v"))],
            })),
        }),
        trace_id: vec![7; 16],
        flags: 1,
        event_name: "ev".to_owned(),
        attributes: vec![attribute("a", V::IntValue(1))],
        ..Default::default()
    };
    let message = record.encode_to_vec();
    let conditions = [
        "time_unix_nano == 1 and observed_time_unix_nano == 2",
        "severity_number == SEVERITY_NUMBER_INFO and severity_number < SEVERITY_NUMBER_WARN",
        "severity_text == \"Info\" and event_name == \"ev\" and flags == 1",
        "body[\"k\"] == \"v\" and body[\"x\"] == nil and IsMap(body)",
        "body.string == \"{\\\"k\\\":\\\"v\\\"}\"",
        "log.trace_id.string == \"07070707070707070707070707070707\"",
        "span_id == SpanID(0x0000000000000000)",
    ];
    check_holds(Context::Log, Layer::item(ItemKind::LogRecord, &message), &conditions);
    let mut inner = [Layer::item(ItemKind::LogRecord, &message)];
    let mut layers = Layers {
        outer: &mut outer(),
        inner: &mut inner,
    };
    for text in [
        "set(body[\"k\"], 2)",
        "set(severity_number, SEVERITY_NUMBER_FATAL)",
        "delete_key(body, \"absent\")",
    ] {
        Statement::compile(Context::Log, text)
            .unwrap()
            .run(&mut layers)
            .unwrap();
    }
    let mut out = Vec::new();
    inner[0].finish(&mut out).unwrap();
    let body = V::KvlistValue(KeyValueList {
        values: vec![attribute("k", V::IntValue(2))],
    });
    let expected = LogRecord {
        severity_number: 21,
        body: Some(AnyValue { value: Some(body) }),
        ..record
    };
    assert_eq!(LogRecord::decode(&*out), Ok(expected));
}

#[test]
fn a_metric_and_its_points_are_read() {
    let point = NumberDataPoint {
        value: Some(number_data_point::Value::AsInt(-5)),
        ..Default::default()
    };
    let sum = Sum {
        data_points: vec![point.clone()],
        aggregation_temporality: 2,
        is_monotonic: true,
    };
    let metric = Metric {
        name: "requests".to_owned(),
        unit: "1".to_owned(),
        data: Some(Data::Sum(sum)),
        ..Default::default()
    };
    let mut outer = outer();
    outer.push(Layer::metric(&metric.encode_to_vec()).unwrap());
    let message = point.encode_to_vec();
    let layers = Layers {
        outer: &mut outer,
        inner: &mut [Layer::item(ItemKind::Sum, &message)],
    };
    for text in [
        "metric.name == \"requests\" and metric.unit == \"1\" and metric.description == \"\"",
        "metric.type == METRIC_DATA_TYPE_SUM",
        "metric.aggregation_temporality == AGGREGATION_TEMPORALITY_CUMULATIVE and metric.is_monotonic == true",
        "value_int == -5 and datapoint.value_double == 0",
        "count == nil",
    ] {
        let condition = Condition::compile(Context::DataPoint, text).unwrap();
        assert_eq!(condition.holds(&layers), Ok(true), "{text}");
    }
    let gauge = Metric {
        data: Some(Data::Gauge(Gauge::default())),
        ..Default::default()
    };
    let gauge = Layer::metric(&gauge.encode_to_vec()).unwrap();
    let conditions = ["type == METRIC_DATA_TYPE_GAUGE and aggregation_temporality == nil and is_monotonic == nil"];
    check_holds(Context::Metric, gauge, &conditions);
}

#[test]
fn a_number_changes_its_type_with_its_value() {
    let point = NumberDataPoint {
        value: Some(number_data_point::Value::AsInt(5)),
        flags: 1,
        ..Default::default()
    };
    let message = point.encode_to_vec();
    let mut inner = [Layer::item(ItemKind::Gauge, &message)];
    let mut layers = Layers {
        outer: &mut [],
        inner: &mut inner,
    };
    let text = "set(value_double, value_int * 1.5) where value_int == 5";
    let statement = Statement::compile(Context::DataPoint, text).unwrap();
    assert_eq!(statement.run(&mut layers), Ok(true));
    // The whole number is gone now.
    assert_eq!(statement.run(&mut layers), Ok(false));
    let mut out = Vec::new();
    inner[0].finish(&mut out).unwrap();
    let value = Some(number_data_point::Value::AsDouble(7.5));
    assert_eq!(NumberDataPoint::decode(&*out), Ok(NumberDataPoint { value, ..point }));
}

#[test]
fn histograms_and_summaries_are_read() {
    let histogram = HistogramDataPoint {
        count: 3,
        sum: Some(2.5),
        bucket_counts: vec![1, 2],
        explicit_bounds: vec![0.5],
        flags: 1,
        ..Default::default()
    };
    let conditions = [
        "count == 3 and sum == 2.5",
        "bucket_counts == [1, 2] and explicit_bounds[0] == 0.5",
        "flags == 1",
    ];
    check_holds(
        Context::DataPoint,
        Layer::item(ItemKind::Histogram, &histogram.encode_to_vec()),
        &conditions,
    );
    let exponential = ExponentialHistogramDataPoint {
        scale: -2,
        zero_count: 4,
        positive: Some(Buckets {
            offset: -1,
            bucket_counts: vec![1, 300],
        }),
        attributes: vec![attribute("a", V::IntValue(1))],
        ..Default::default()
    };
    let conditions = [
        "scale == -2 and zero_count == 4 and attributes[\"a\"] == 1",
        "positive.offset == -1 and positive.bucket_counts == [1, 300]",
        "negative.offset == 0 and negative.bucket_counts == []",
    ];
    let message = exponential.encode_to_vec();
    check_holds(
        Context::DataPoint,
        Layer::item(ItemKind::ExponentialHistogram, &message),
        &conditions,
    );
    let summary = SummaryDataPoint {
        count: 3,
        sum: 1.0,
        time_unix_nano: 5,
        ..Default::default()
    };
    let conditions = ["count == 3 and sum == 1 and time_unix_nano == 5 and bucket_counts == nil"];
    check_holds(
        Context::DataPoint,
        Layer::item(ItemKind::Summary, &summary.encode_to_vec()),
        &conditions,
    );
}

#[test]
fn a_span_event_sees_its_span() {
    let event = span::Event {
        time_unix_nano: 3,
        name: "exception".to_owned(),
        attributes: vec![attribute("type", string("E"))],
        dropped_attributes_count: 1,
    };
    let (span, event) = (span_message().encode_to_vec(), event.encode_to_vec());
    let mut inner = [Layer::item(ItemKind::Span, &span), Layer::span_event(&event)];
    let layers = Layers {
        outer: &mut outer(),
        inner: &mut inner,
    };
    let text = "name == \"exception\" and span.name == \"GET /\" and spanevent.attributes[\"type\"] == \"E\" and time_unix_nano \
                == 3 and dropped_attributes_count == 1 and resource.attributes[\"host\"] == \"n1\"";
    assert_eq!(
        Condition::compile(Context::SpanEvent, text).unwrap().holds(&layers),
        Ok(true)
    );
}

#[test]
fn malformed_messages_are_errors() {
    let layers = Layers {
        outer: &mut [],
        inner: &mut [Layer::item(ItemKind::Span, &[0x0a, 0x05, 1])],
    };
    let condition = Condition::compile(Context::Span, "name == \"\"").unwrap();
    let error = condition.holds(&layers).unwrap_err().to_string();
    assert_eq!(error, "the record could not be read: the bytes end within a field");
}

/// The attributes as a reader sees them: of several with one key the first counts.
fn seen(attributes: &[KeyValue]) -> Vec<(String, Option<AnyValue>)> {
    let mut seen: Vec<(String, Option<AnyValue>)> = Vec::new();
    for KeyValue { key, value, .. } in attributes {
        if !seen.iter().any(|(known, _)| known == key) {
            seen.push((key.clone(), value.clone()));
        }
    }
    seen.sort_by(|(a, _), (b, _)| a.cmp(b));
    seen
}

#[derive(Debug, Clone)]
enum Step {
    Set(String, i64),
    Delete(String),
    Keep(Vec<String>),
    Rename,
    Merge(Vec<(String, i64)>),
}

impl Step {
    fn text(&self) -> String {
        match self {
            Step::Set(key, value) => format!("set(attributes[\"{key}\"], {value})"),
            Step::Delete(key) => format!("delete_key(attributes, \"{key}\")"),
            Step::Keep(keys) => format!("keep_keys(attributes, {keys:?})"),
            Step::Rename => "replace_all_patterns(attributes, \"key\", \"^[a-c]$\", \"x$0\")".to_owned(),
            Step::Merge(entries) => {
                let entries: Vec<_> = entries
                    .iter()
                    .map(|(key, value)| format!("\"{key}\": {value}"))
                    .collect();
                format!("merge_maps(attributes, {{{}}}, \"upsert\")", entries.join(", "))
            }
        }
    }

    fn apply(&self, model: &mut Vec<(String, i64)>) {
        let mut put = |key: &str, value: i64| {
            model.retain(|(known, _)| known != key);
            model.push((key.to_owned(), value));
        };
        match self {
            Step::Set(key, value) => put(key, *value),
            Step::Merge(entries) => entries.iter().for_each(|(key, value)| put(key, *value)),
            Step::Delete(key) => model.retain(|(known, _)| known != key),
            Step::Keep(keys) => model.retain(|(known, _)| keys.contains(known)),
            Step::Rename => model.iter_mut().for_each(|(key, _)| {
                if matches!(key.as_str(), "a" | "b" | "c") {
                    *key = format!("x{key}");
                }
            }),
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let key = || "[a-f]";
    prop_oneof![
        (key(), any::<i8>()).prop_map(|(key, value)| Step::Set(key, value.into())),
        key().prop_map(Step::Delete),
        prop::collection::vec(key(), 0..5).prop_map(Step::Keep),
        prop::collection::vec((key(), any::<i8>().prop_map(i64::from)), 0..4).prop_map(Step::Merge),
    ]
}

proptest! {
    #[test]
    fn edits_of_encoded_attributes_are_those_of_a_map(
        before in prop::collection::vec(("[a-f]|[g-z]{2}", any::<i8>()), 0..60),
        steps in prop::collection::vec(step(), 0..6),
        rename_last in any::<bool>(),
    ) {
        let attributes = before.iter().map(|(key, value)| attribute(key, V::IntValue(i64::from(*value))));
        let span = Span { name: "n".to_owned(), attributes: attributes.collect(), ..Default::default() };
        let mut model: Vec<(String, i64)> = Vec::new();
        for (key, value) in &before {
            if !model.iter().any(|(known, _)| known == key) {
                model.push((key.clone(), i64::from(*value)));
            }
        }
        let mut steps = steps;
        steps.extend(rename_last.then_some(Step::Rename));
        steps.iter().for_each(|step| step.apply(&mut model));
        let message = span.encode_to_vec();
        let texts: Vec<String> = steps.iter().map(Step::text).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let out = run(&message, &texts).unwrap_or(message);
        let after = Span::decode(&*out).unwrap();
        let expected: Vec<KeyValue> = model.iter().map(|(key, value)| attribute(key, V::IntValue(*value))).collect();
        prop_assert_eq!(seen(&after.attributes), seen(&expected), "{:?}", texts);
        prop_assert_eq!(after.name, "n");
    }

    #[test]
    fn no_bytes_make_a_program_panic(message in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut outer = outer();
        for (kind, context) in [
            (ItemKind::Span, Context::Span),
            (ItemKind::LogRecord, Context::Log),
            (ItemKind::ExponentialHistogram, Context::DataPoint),
            (ItemKind::Sum, Context::DataPoint),
        ] {
            for entry in context.paths() {
                let mut inner = [Layer::item(kind, &message)];
                let mut layers = Layers { outer: &mut outer, inner: &mut inner };
                let condition = Condition::compile(context, &format!("IsMatch({}, \"x\")", entry.name)).unwrap();
                let _ = condition.holds(&layers);
                if entry.settable {
                    let text = format!("set({0}, {0})", entry.name);
                    let _ = Statement::compile(context, &text).unwrap().run(&mut layers);
                    let _ = inner[0].finish(&mut Vec::new());
                }
            }
        }
        let _ = Layer::metric(&message);
    }
}

#[test]
fn a_hundred_thousand_attributes_take_no_quadratic_time() {
    let attributes = (0..100_000).map(|index| attribute(&format!("k{index}"), V::IntValue(index)));
    let message = Span {
        attributes: attributes.collect(),
        ..Default::default()
    }
    .encode_to_vec();
    let started = std::time::Instant::now();
    let statements = [
        "replace_all_patterns(attributes, \"key\", \"^k\", \"n\")",
        "merge_maps(attributes, attributes, \"upsert\")",
        "set(attributes[\"m\"], attributes) where attributes == attributes",
        "delete_matching_keys(attributes, \"^n\")",
    ];
    let out = run(&message, &statements).expect("changed");
    let untouched = run(&message, &["delete_matching_keys(attributes, \"^k\")"]).expect("changed");
    assert!(untouched.is_empty() && out.len() > message.len());
    // Quadratic, it would take minutes.
    assert!(
        started.elapsed() < std::time::Duration::from_secs(30),
        "{:?}",
        started.elapsed()
    );
}
