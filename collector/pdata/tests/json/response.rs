//! What is answered.

use collector_pdata::Signal;
use collector_pdata::json::{Limits, PartialSuccess, Status, decode_response, decode_status, put_response, put_status};

fn response(signal: Signal, rejected: i64, message: &str) -> String {
    let mut out = Vec::new();
    let partial = PartialSuccess {
        rejected,
        message: message.to_owned(),
    };
    put_response(signal, &mut out, &partial);
    assert_eq!(decode_response(signal, &out, &Limits::default()), Ok(partial));
    String::from_utf8(out).unwrap()
}

#[test]
fn a_response_names_what_its_signal_counts() {
    for (signal, key) in [
        (Signal::Traces, "rejectedSpans"),
        (Signal::Metrics, "rejectedDataPoints"),
        (Signal::Logs, "rejectedLogRecords"),
    ] {
        assert_eq!(
            response(signal, 3, "too \"old\""),
            format!("{{\"partialSuccess\":{{\"{key}\":\"3\",\"errorMessage\":\"too \\\"old\\\"\"}}}}")
        );
        assert_eq!(
            response(signal, 0, "a warning"),
            "{\"partialSuccess\":{\"errorMessage\":\"a warning\"}}"
        );
        assert_eq!(response(signal, 0, ""), "{}");
    }
}

#[test]
fn responses_of_others_are_read() {
    for (text, rejected) in [
        ("{\"partialSuccess\":{\"rejectedSpans\":7}}", 7),
        ("{\"partial_success\":{\"rejected_spans\":\"-7\"},\"other\":[]}", -7),
        ("{\"partialSuccess\":null}", 0),
        ("{\"partialSuccess\":{}}", 0),
        // Another signal's.
        ("{\"partialSuccess\":{\"rejectedLogRecords\":7}}", 0),
    ] {
        let found = decode_response(Signal::Traces, text.as_bytes(), &Limits::default()).unwrap();
        assert_eq!(found.rejected, rejected, "{text}");
    }
    let error = decode_response(Signal::Traces, b"<html>", &Limits::default()).unwrap_err();
    assert_eq!(error.to_string(), "line 1, column 1: expected value");
}

#[test]
fn a_status_is_a_code_and_a_message() {
    let status = Status {
        code: 8,
        message: "full\n".to_owned(),
    };
    let mut out = Vec::new();
    put_status(&mut out, &status);
    assert_eq!(
        String::from_utf8_lossy(&out),
        "{\"code\":8,\"message\":\"full\\u000a\"}"
    );
    assert_eq!(decode_status(&out, &Limits::default()), Ok(status));
    let negative = decode_status(b"{\"code\":-3,\"details\":[{\"@type\":\"x\"}]}", &Limits::default());
    assert_eq!(
        negative.unwrap(),
        Status {
            code: -3,
            message: String::new()
        }
    );
}
