//! Log lines on standard error.
//!
//! Standard output belongs to the program's results. Control characters in logged values are escaped by the formatter,
//! so that a traced program cannot write to the terminal of the person who watches.

use serde_json::{Map, Value};
use std::fmt;
use std::io::IsTerminal;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The environment variable that overrides the level, in the syntax of `tracing_subscriber`'s `EnvFilter`.
pub const VARIABLE: &str = "ODIGOS_LOG";

/// How a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// For people.
    #[default]
    Console,
    /// A JSON object with `level`, `ts` and `msg`, as zap writes it, and the event's fields beside them.
    Json,
}

/// Sets up logging for the process at `default_level` (`info`, `warn`, ...), unless [`VARIABLE`] says otherwise. A second
/// call changes nothing.
pub fn init(default_level: &str) {
    init_as(default_level, Encoding::Console);
}

/// The same with lines of another encoding.
pub fn init_as(default_level: &str, encoding: Encoding) {
    let chosen = std::env::var(VARIABLE).unwrap_or_else(|_| default_level.to_owned());
    let (filter, refused) = match EnvFilter::try_new(&chosen) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new("info"), Some(error)),
    };
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let installed = match encoding {
        Encoding::Json => lines.event_format(Json).try_init(),
        Encoding::Console => lines
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
            .try_init(),
    };
    if let (Ok(()), Some(error)) = (installed, refused) {
        tracing::warn!(%error, value = chosen, "{VARIABLE} is not a valid filter; logging at info");
    }
}

/// Writes an event as one line of JSON.
struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let level = event.metadata().level().as_str().to_ascii_lowercase();
        // Last, so that no field takes their place.
        for (key, value) in [("level", level), ("ts", time), ("msg", fields.message)] {
            fields.others.insert(key.to_owned(), Value::String(value));
        }
        writeln!(out, "{}", Value::Object(fields.others))
    }
}

/// An event's fields.
#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.others.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            _ => self.put(field, format!("{value:?}")),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }
}

/// An error with all of its causes on one line, as it is logged.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
