//! Views over encoded logs. Nothing is decoded before it is asked for, and nothing is copied.

use crate::proto::{Field, Malformed, fields};
use crate::scan::{last_bytes, messages};
use crate::view::{AnyValue, Attributes, Resource, Scope, id};

/// The names of `SeverityNumber`, by number.
pub const SEVERITY_NUMBERS: [&str; 25] = [
    "SEVERITY_NUMBER_UNSPECIFIED",
    "SEVERITY_NUMBER_TRACE",
    "SEVERITY_NUMBER_TRACE2",
    "SEVERITY_NUMBER_TRACE3",
    "SEVERITY_NUMBER_TRACE4",
    "SEVERITY_NUMBER_DEBUG",
    "SEVERITY_NUMBER_DEBUG2",
    "SEVERITY_NUMBER_DEBUG3",
    "SEVERITY_NUMBER_DEBUG4",
    "SEVERITY_NUMBER_INFO",
    "SEVERITY_NUMBER_INFO2",
    "SEVERITY_NUMBER_INFO3",
    "SEVERITY_NUMBER_INFO4",
    "SEVERITY_NUMBER_WARN",
    "SEVERITY_NUMBER_WARN2",
    "SEVERITY_NUMBER_WARN3",
    "SEVERITY_NUMBER_WARN4",
    "SEVERITY_NUMBER_ERROR",
    "SEVERITY_NUMBER_ERROR2",
    "SEVERITY_NUMBER_ERROR3",
    "SEVERITY_NUMBER_ERROR4",
    "SEVERITY_NUMBER_FATAL",
    "SEVERITY_NUMBER_FATAL2",
    "SEVERITY_NUMBER_FATAL3",
    "SEVERITY_NUMBER_FATAL4",
];

/// The `ResourceLogs` of one encoded request.
pub fn resource_logs(request: &[u8]) -> impl Iterator<Item = Result<ResourceLogs<'_>, Malformed>> {
    messages(request, 1).map(|message| message.map(ResourceLogs))
}

/// An encoded `ResourceLogs`.
#[derive(Debug, Clone, Copy)]
pub struct ResourceLogs<'a>(&'a [u8]);

/// An encoded `ScopeLogs`.
#[derive(Debug, Clone, Copy)]
pub struct ScopeLogs<'a>(&'a [u8]);

/// A `LogRecord`, its scalar fields read. Texts are as they were encoded, which need not be UTF-8.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogRecord<'a> {
    /// When it happened, in nanoseconds since the Unix epoch; 0 if that is not known.
    pub time_unix_nano: u64,
    /// When it was seen, in nanoseconds since the Unix epoch.
    pub observed_time_unix_nano: u64,
    /// `SeverityNumber`, as the number that was encoded: 0 unspecified, 1 the lowest, 24 the highest.
    pub severity_number: i32,
    /// The severity in its source's word.
    pub severity_text: &'a [u8],
    /// Attributes that did not fit.
    pub dropped_attributes_count: u32,
    /// W3C trace flags in the lowest byte.
    pub flags: u32,
    /// All zero if it was empty.
    pub trace_id: [u8; 16],
    /// All zero if it was empty.
    pub span_id: [u8; 8],
    /// The name of the class of events that it belongs to.
    pub event_name: &'a [u8],
    body: &'a [u8],
    raw: &'a [u8],
}

impl<'a> ResourceLogs<'a> {
    /// The resource; without attributes if none was encoded.
    pub fn resource(&self) -> Result<Resource<'a>, Malformed> {
        last_bytes(self.0, 1).map(Resource::new)
    }

    /// The schema of the resource.
    pub fn schema_url(&self) -> Result<&'a [u8], Malformed> {
        last_bytes(self.0, 3)
    }

    /// Its scopes.
    pub fn scope_logs(&self) -> impl Iterator<Item = Result<ScopeLogs<'a>, Malformed>> + use<'a> {
        messages(self.0, 2).map(|message| message.map(ScopeLogs))
    }
}

impl<'a> ScopeLogs<'a> {
    /// The scope.
    pub fn scope(&self) -> Result<Scope<'a>, Malformed> {
        last_bytes(self.0, 1).and_then(Scope::read)
    }

    /// The schema of its records.
    pub fn schema_url(&self) -> Result<&'a [u8], Malformed> {
        last_bytes(self.0, 3)
    }

    /// Its records.
    pub fn log_records(&self) -> impl Iterator<Item = Result<LogRecord<'a>, Malformed>> + use<'a> {
        messages(self.0, 2).map(|message| message.and_then(LogRecord::read))
    }
}

impl<'a> LogRecord<'a> {
    /// Reads an encoded `LogRecord`.
    pub fn read(raw: &'a [u8]) -> Result<Self, Malformed> {
        let mut record = LogRecord {
            raw,
            ..LogRecord::default()
        };
        for field in fields(raw) {
            record.set(&field?)?;
        }
        Ok(record)
    }

    fn set(&mut self, field: &Field<'a>) -> Result<(), Malformed> {
        match field.number {
            1 => self.time_unix_nano = field.fixed64()?,
            2 => self.severity_number = field.varint()? as i32,
            3 => self.severity_text = field.bytes()?,
            5 => self.body = field.bytes()?,
            7 => self.dropped_attributes_count = field.varint()? as u32,
            8 => self.flags = field.fixed32()?,
            9 => self.trace_id = id(field.bytes()?)?.unwrap_or_default(),
            10 => self.span_id = id(field.bytes()?)?.unwrap_or_default(),
            11 => self.observed_time_unix_nano = field.fixed64()?,
            12 => self.event_name = field.bytes()?,
            _ => {}
        }
        Ok(())
    }

    /// What it says; `None` if it has no body or an empty one.
    pub fn body(&self) -> Result<Option<AnyValue<'a>>, Malformed> {
        AnyValue::read(self.body)
    }

    /// Its attributes.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.raw, 6)
    }
}
