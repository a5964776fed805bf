//! What is written, to the letter, and what becomes of encodings that no encoder of today produces.

use collector_pdata::json;
use collector_pdata::{Malformed, Signal};

/// A field of bytes whose number and length take a byte each.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, content.len() as u8], content].concat()
}

/// The JSON of a request whose only item is encoded as `item`, without what is around it.
fn written(signal: Signal, item: &[u8]) -> Result<String, Malformed> {
    let mut out = Vec::new();
    json::put(signal, &mut out, [&field(1, &field(2, &field(2, item)))[..]])?;
    let text = String::from_utf8(out).unwrap();
    let (_, item) = text.rsplit_once("\"scope\":{},").unwrap();
    let (_, item) = item.split_once('[').unwrap();
    Ok(item.strip_suffix("]}]}]}").unwrap().to_owned())
}

fn metric(metric: &[u8]) -> Result<String, Malformed> {
    written(Signal::Metrics, metric)
}

fn record(record: &[u8]) -> Result<String, Malformed> {
    written(Signal::Logs, record)
}

#[test]
fn requests_have_their_lists_even_when_they_are_empty() {
    for (signal, key) in [
        (Signal::Traces, "resourceSpans"),
        (Signal::Metrics, "resourceMetrics"),
        (Signal::Logs, "resourceLogs"),
    ] {
        let mut out = b"before ".to_vec();
        json::put(signal, &mut out, []).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), format!("before {{\"{key}\":[]}}"));
    }
}

#[test]
fn chunks_are_one_request() {
    let chunk = field(1, &field(3, b"s"));
    let mut out = Vec::new();
    json::put(Signal::Logs, &mut out, [&chunk[..], &[], &chunk[..]]).unwrap();
    let resource = "{\"resource\":{},\"scopeLogs\":[],\"schemaUrl\":\"s\"}";
    assert_eq!(
        String::from_utf8(out).unwrap(),
        format!("{{\"resourceLogs\":[{resource},{resource}]}}")
    );
}

#[test]
fn a_log_record_is_written_so() {
    let encoded = [
        &b"\x09\x01\0\0\0\0\0\0\0"[..],
        b"\x59\x02\0\0\0\0\0\0\0",
        b"\x10\x09",
        &field(3, b"INFO"),
        &field(5, &field(1, b"a\x1b\xffb")),
        &field(6, &[field(1, b"k"), field(2, &field(7, b"\xfb\xff"))].concat()),
        b"\x38\x05",
        b"\x45\x01\0\0\0",
        &field(9, &[0xab; 16]),
        &field(10, &[0xcd; 8]),
        &field(12, b"e"),
    ];
    let expected = "{\"timeUnixNano\":\"1\",\"observedTimeUnixNano\":\"2\",\"severityNumber\":9,\
        \"severityText\":\"INFO\",\"eventName\":\"e\",\"body\":{\"stringValue\":\"a\\u001b\u{fffd}b\"},\
        \"attributes\":[{\"key\":\"k\",\"value\":{\"bytesValue\":\"+/8=\"}}],\"droppedAttributesCount\":5,\
        \"flags\":1,\"traceId\":\"abababababababababababababababab\",\"spanId\":\"cdcdcdcdcdcdcdcd\"}";
    assert_eq!(record(&encoded.concat()).unwrap(), expected);
    // The order in which it was encoded does not show.
    let mut reversed = encoded;
    reversed.reverse();
    assert_eq!(record(&reversed.concat()).unwrap(), expected);
    assert_eq!(record(b"").unwrap(), "{\"timeUnixNano\":\"0\"}");
}

#[test]
fn a_data_point_is_written_so() {
    let time = b"\x19\x01\0\0\0\0\0\0\0";
    let gauge = |value: &[u8]| metric(&field(5, &field(1, &[&time[..], value].concat())));
    let point = |value| format!("{{\"gauge\":{{\"dataPoints\":[{{\"timeUnixNano\":\"1\"{value}}}]}}}}");
    assert_eq!(gauge(b""), Ok(point("")));
    assert_eq!(
        gauge(b"\x31\xff\xff\xff\xff\xff\xff\xff\xff"),
        Ok(point(",\"asInt\":\"-1\""))
    );
    assert_eq!(gauge(b"\x21\0\0\0\0\0\0\0\0"), Ok(point(",\"asDouble\":0.0")));
    assert_eq!(gauge(b"\x21\0\0\0\0\0\0\xf8\x7f"), Ok(point(",\"asDouble\":\"NaN\"")));
    assert_eq!(
        gauge(b"\x21\0\0\0\0\0\0\xf0\xff"),
        Ok(point(",\"asDouble\":\"-Infinity\""))
    );
}

#[test]
fn numbers_are_taken_packed_and_one_by_one() {
    let fixed = |packed: &[u8]| metric(&field(9, &field(1, packed)));
    let one = b"\x01\0\0\0\0\0\0\0";
    let expected = "{\"histogram\":{\"dataPoints\":[{\"timeUnixNano\":\"0\",\"bucketCounts\":[\"1\",\"1\"]}]}}";
    assert_eq!(fixed(&field(6, &[*one, *one].concat())).unwrap(), expected);
    assert_eq!(fixed(&[&b"\x31"[..], one, &field(6, one)].concat()).unwrap(), expected);
    assert_eq!(fixed(&field(6, &one[..7])), Err(Malformed::Truncated));

    let varint = |packed: &[u8]| metric(&field(10, &field(1, &field(8, packed))));
    let expected = "{\"exponentialHistogram\":{\"dataPoints\":[{\"timeUnixNano\":\"0\",\
        \"positive\":{\"offset\":-2,\"bucketCounts\":[\"300\",\"18446744073709551615\"]}}]}}";
    let most = b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
    assert_eq!(
        varint(&[b"\x08\x03", &field(2, &[b"\xac\x02", &most[..]].concat())[..]].concat()).unwrap(),
        expected
    );
    assert_eq!(
        varint(&[b"\x10\xac\x02\x08\x03\x10", &most[..]].concat()).unwrap(),
        expected
    );
    assert_eq!(varint(&field(2, b"\x80")), Err(Malformed::Truncated));
    assert_eq!(
        varint(&field(2, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02")),
        Err(Malformed::Varint)
    );
}

#[test]
fn of_several_values_the_last_counts() {
    let text = |text: &[u8]| field(5, &field(1, text));
    let body = |encoded: &[Vec<u8>]| record(&encoded.concat());
    let expected = |body| Ok(format!("{{\"timeUnixNano\":\"0\",\"body\":{body}}}"));
    assert_eq!(body(&[text(b"1"), text(b"2")]), expected("{\"stringValue\":\"2\"}"));
    // Of a group too, of which no two can be there.
    let both = |first: &[u8], second: &[u8]| field(5, &[first, second].concat());
    assert_eq!(
        body(&[both(&field(1, b"x"), b"\x10\x01")]),
        expected("{\"boolValue\":true}")
    );
    assert_eq!(
        body(&[both(b"\x10\x01", &field(1, b"x"))]),
        expected("{\"stringValue\":\"x\"}")
    );
}

#[test]
fn hostile_fields_are_errors() {
    for (encoded, error) in [
        (&b"\x0a"[..], Malformed::Truncated),
        (b"\x32\x03\x12\x01", Malformed::Truncated),
        (b"\x00\x00", Malformed::FieldNumber),
        (b"\x0b", Malformed::WireType(3)),
        // A time that is a varint, a text that is one, and a value with a double for a truth.
        (b"\x08\x01", Malformed::FieldType(1)),
        (b"\x18\x01", Malformed::FieldType(3)),
        (b"\x2a\x09\x11\0\0\0\0\0\0\0\0", Malformed::FieldType(2)),
        (b"\x4a\x03abc", Malformed::IdLength(3)),
        (b"\x52\x03\0\0\0", Malformed::IdLength(3)),
    ] {
        assert_eq!(record(encoded), Err(error), "{encoded:x?}");
    }
}
