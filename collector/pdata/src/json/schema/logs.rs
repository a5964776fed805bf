//! `logs.proto`.

use super::common::{
    ANY_VALUE, attributes, dropped_attributes_count, resource, schema_url, scope, span_id, time, trace_id,
};
use super::{Kind, Message, field};
use crate::logs::SEVERITY_NUMBERS;

pub(super) static REQUEST: Message =
    Message::new(
        &[field(1, "resource_logs", "resourceLogs", Kind::Message(&RESOURCE_LOGS))
            .repeated()
            .always()],
    );

static RESOURCE_LOGS: Message = Message::new(&[
    resource(),
    field(2, "scope_logs", "scopeLogs", Kind::Message(&SCOPE_LOGS))
        .repeated()
        .always(),
    schema_url(3),
]);

static SCOPE_LOGS: Message = Message::new(&[
    scope(),
    field(2, "log_records", "logRecords", Kind::Message(&LOG_RECORD))
        .repeated()
        .always(),
    schema_url(3),
]);

static LOG_RECORD: Message = Message::new(&[
    time(1),
    field(11, "observed_time_unix_nano", "observedTimeUnixNano", Kind::Fixed64),
    field(2, "severity_number", "severityNumber", Kind::Enum(&SEVERITY_NUMBERS)),
    field(3, "severity_text", "severityText", Kind::Text),
    field(12, "event_name", "eventName", Kind::Text),
    field(5, "body", "body", Kind::Message(&ANY_VALUE)),
    attributes(6),
    dropped_attributes_count(7),
    field(8, "flags", "flags", Kind::Fixed32),
    trace_id(9),
    span_id(10),
]);
