//! What is answered: the export responses of the services, and `google.rpc.Status`.

use super::{Field, Kind, Message, field};
use crate::Signal;

/// The export response of a signal.
pub(in crate::json) fn response(signal: Signal) -> &'static Message {
    match signal {
        Signal::Traces => &TRACES,
        Signal::Metrics => &METRICS,
        Signal::Logs => &LOGS,
    }
}

/// `google.rpc.Status` without its details, which nobody here understands.
pub(in crate::json) static STATUS: Message = Message::new(&[
    field(1, "code", "code", Kind::Int32),
    field(2, "message", "message", Kind::Text),
]);

static TRACES: Message = Message::new(&[partial_success(&TRACES_PARTIAL)]);
static METRICS: Message = Message::new(&[partial_success(&METRICS_PARTIAL)]);
static LOGS: Message = Message::new(&[partial_success(&LOGS_PARTIAL)]);

static TRACES_PARTIAL: Message = Message::new(&[
    field(1, "rejected_spans", "rejectedSpans", Kind::Int64),
    error_message(),
]);
static METRICS_PARTIAL: Message = Message::new(&[
    field(1, "rejected_data_points", "rejectedDataPoints", Kind::Int64),
    error_message(),
]);
static LOGS_PARTIAL: Message = Message::new(&[
    field(1, "rejected_log_records", "rejectedLogRecords", Kind::Int64),
    error_message(),
]);

const fn partial_success(message: &'static Message) -> Field {
    field(1, "partial_success", "partialSuccess", Kind::Message(message))
}

const fn error_message() -> Field {
    field(2, "error_message", "errorMessage", Kind::Text)
}
