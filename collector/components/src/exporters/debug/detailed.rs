//! All there is to an item, many lines for each.

use super::form::{id, text as lossy, time, typed, word};
use super::walk::Form;
use collector_pdata::logs::{LogRecord, SEVERITY_NUMBERS};
use collector_pdata::metrics::Metric;
use collector_pdata::traces::{Attributes, Event, Link, Resource, SPAN_KINDS, STATUS_CODES, Scope, Span};
use collector_pdata::{Malformed, Signal};
use std::fmt::{Arguments, Display, Write};

/// The lines so far.
#[derive(Default)]
pub(super) struct Detailed(String);

/// What stands before an attribute, and before what is below one.
const ARROW: &str = "     ->";

impl Detailed {
    pub(super) fn line(&mut self, line: Arguments<'_>) {
        // Writing to memory cannot fail.
        let _ = self.0.write_fmt(line);
        self.0.push('\n');
    }

    /// A fact that is below the last title.
    pub(super) fn below(&mut self, name: &str, value: impl Display) {
        self.line(format_args!("{ARROW} {name}: {value}"));
    }

    /// Attributes with a title; nothing if there are none. `indent` is before each line.
    pub(super) fn attributes(
        &mut self,
        indent: &str,
        title: &str,
        attributes: Attributes<'_>,
    ) -> Result<(), Malformed> {
        for (index, attribute) in attributes.enumerate() {
            let attribute = attribute?;
            if index == 0 {
                self.line(format_args!("{title}:"));
            }
            let value = typed(attribute.value)?;
            self.line(format_args!("{indent}{ARROW} {}: {value}", lossy(attribute.key)));
        }
        Ok(())
    }

    fn entities(&mut self, resource: &Resource<'_>) -> Result<(), Malformed> {
        for (index, entity) in resource.entity_refs().enumerate() {
            let entity = entity?;
            if index == 0 {
                self.line(format_args!("Resource entity refs:"));
            }
            self.line(format_args!("{ARROW} Entity ref #{index}:"));
            self.line(format_args!("     {ARROW} Type: {}", lossy(entity.kind)));
            if !entity.schema_url.is_empty() {
                self.line(format_args!("     {ARROW} Schema URL: {}", lossy(entity.schema_url)));
            }
            self.keys("ID keys", entity.id_keys())?;
            self.keys("Description keys", entity.description_keys())?;
        }
        Ok(())
    }

    fn keys<'a>(
        &mut self,
        title: &str,
        keys: impl Iterator<Item = Result<&'a [u8], Malformed>>,
    ) -> Result<(), Malformed> {
        for (index, key) in keys.enumerate() {
            if index == 0 {
                self.line(format_args!("     {ARROW} {title}:"));
            }
            self.line(format_args!("          {ARROW} {}", lossy(key?)));
        }
        Ok(())
    }

    fn fact(&mut self, name: &str, value: impl Display) {
        self.line(format_args!("    {name:<15}: {value}"));
    }

    fn event(&mut self, index: usize, event: &Event<'_>) -> Result<(), Malformed> {
        if index == 0 {
            self.line(format_args!("Events:"));
        }
        self.line(format_args!("SpanEvent #{index}"));
        self.below("Name", lossy(event.name));
        self.below("Timestamp", time(event.time_unix_nano));
        self.below("DroppedAttributesCount", event.dropped_attributes_count);
        self.attributes("     ", OF_PART, event.attributes())
    }

    fn link(&mut self, index: usize, link: &Link<'_>) -> Result<(), Malformed> {
        if index == 0 {
            self.line(format_args!("Links:"));
        }
        self.line(format_args!("SpanLink #{index}"));
        self.below("Trace ID", id(&link.trace_id));
        self.below("ID", id(&link.span_id));
        self.below("TraceState", lossy(link.trace_state));
        self.below("DroppedAttributesCount", link.dropped_attributes_count);
        self.attributes("     ", OF_PART, link.attributes())
    }
}

impl Form for Detailed {
    fn titles(signal: Signal) -> [&'static str; 2] {
        match signal {
            Signal::Traces => ["ResourceSpans", "ScopeSpans"],
            Signal::Metrics => ["ResourceMetrics", "ScopeMetrics"],
            Signal::Logs => ["ResourceLog", "ScopeLogs"],
        }
    }

    fn resource(&mut self, title: &str, index: usize, resource: &Resource<'_>, schema: &[u8]) -> Result<(), Malformed> {
        self.line(format_args!("{title} #{index}"));
        self.line(format_args!("Resource SchemaURL: {}", lossy(schema)));
        self.attributes("", "Resource attributes", resource.attributes())?;
        self.entities(resource)
    }

    fn scope(&mut self, title: &str, index: usize, scope: &Scope<'_>, schema: &[u8]) -> Result<(), Malformed> {
        self.line(format_args!("{title} #{index}"));
        self.line(format_args!("{title} SchemaURL: {}", lossy(schema)));
        let (name, version) = (lossy(scope.name), lossy(scope.version));
        self.line(format_args!("InstrumentationScope {name} {version}"));
        self.attributes("", "InstrumentationScope attributes", scope.attributes())
    }

    fn span(&mut self, index: usize, span: &Span<'_>) -> Result<(), Malformed> {
        self.line(format_args!("Span #{index}"));
        self.fact("Trace ID", id(&span.trace_id));
        self.fact("Parent ID", id(&span.parent_span_id.unwrap_or_default()));
        self.fact("ID", id(&span.span_id));
        self.fact("Name", lossy(span.name));
        self.fact("Kind", word(&SPAN_KINDS, "SPAN_KIND_", span.kind));
        if !span.trace_state.is_empty() {
            self.fact("TraceState", lossy(span.trace_state));
        }
        self.fact("Start time", time(span.start_unix_nano));
        self.fact("End time", time(span.end_unix_nano));
        let status = span.status.unwrap_or_default();
        self.fact("Status code", word(&STATUS_CODES, "STATUS_CODE_", status.code));
        self.fact("Status message", lossy(status.message));
        self.fact("DroppedAttributesCount", span.dropped_attributes_count);
        self.fact("DroppedEventsCount", span.dropped_events_count);
        self.fact("DroppedLinksCount", span.dropped_links_count);
        self.attributes("", "Attributes", span.attributes())?;
        for (index, event) in span.events().enumerate() {
            self.event(index, &event?)?;
        }
        for (index, link) in span.links().enumerate() {
            self.link(index, &link?)?;
        }
        Ok(())
    }

    fn record(&mut self, index: usize, record: &LogRecord<'_>) -> Result<(), Malformed> {
        self.line(format_args!("LogRecord #{index}"));
        self.line(format_args!(
            "ObservedTimestamp: {}",
            time(record.observed_time_unix_nano)
        ));
        self.line(format_args!("Timestamp: {}", time(record.time_unix_nano)));
        self.line(format_args!("SeverityText: {}", lossy(record.severity_text)));
        let number = record.severity_number;
        let severity = word(&SEVERITY_NUMBERS, "SEVERITY_NUMBER_", number);
        self.line(format_args!("SeverityNumber: {severity}({number})"));
        if !record.event_name.is_empty() {
            self.line(format_args!("EventName: {}", lossy(record.event_name)));
        }
        self.line(format_args!("Body: {}", typed(record.body()?)?));
        self.attributes("", "Attributes", record.attributes())?;
        self.line(format_args!("Trace ID: {}", id(&record.trace_id)));
        self.line(format_args!("Span ID: {}", id(&record.span_id)));
        self.line(format_args!("Flags: {}", record.flags));
        Ok(())
    }

    fn metric(&mut self, index: usize, metric: &Metric<'_>) -> Result<(), Malformed> {
        self.line(format_args!("Metric #{index}"));
        self.line(format_args!("Descriptor:"));
        self.below("Name", lossy(metric.name));
        self.below("Description", lossy(metric.description));
        self.below("Unit", lossy(metric.unit));
        self.data(metric)
    }

    fn finish(self) -> String {
        self.0
    }
}

/// The title of attributes of an event or a link; upstream has the second colon too, which is added.
const OF_PART: &str = "     -> Attributes:";
