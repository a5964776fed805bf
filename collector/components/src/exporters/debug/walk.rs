//! The way through a request, the same for every form of its lines.

use collector_pdata::logs::{LogRecord, resource_logs};
use collector_pdata::metrics::{Metric, resource_metrics};
use collector_pdata::traces::{Resource, Scope, Span, resource_spans};
use collector_pdata::{Malformed, Payload, Signal};

/// How what is met on the way is written. An index counts within what is around.
pub(super) trait Form: Default {
    /// The titles of a resource and of a scope.
    fn titles(signal: Signal) -> [&'static str; 2];

    fn resource(&mut self, title: &str, index: usize, resource: &Resource<'_>, schema: &[u8]) -> Result<(), Malformed>;

    fn scope(&mut self, title: &str, index: usize, scope: &Scope<'_>, schema: &[u8]) -> Result<(), Malformed>;

    fn span(&mut self, index: usize, span: &Span<'_>) -> Result<(), Malformed>;

    fn record(&mut self, index: usize, record: &LogRecord<'_>) -> Result<(), Malformed>;

    fn metric(&mut self, index: usize, metric: &Metric<'_>) -> Result<(), Malformed>;

    /// All lines.
    fn finish(self) -> String;
}

/// A request's lines.
pub(super) fn text<F: Form>(payload: &Payload) -> Result<String, Malformed> {
    let (mut form, [resource_title, scope_title]) = (F::default(), F::titles(payload.signal()));
    let mut resources = 0..;
    for chunk in payload.chunks() {
        // The three views are of different types, with the same names for the same things.
        macro_rules! walk {
            ($resources:ident, $scopes:ident, $items:ident, $item:ident) => {
                for (resource, number) in $resources(chunk).zip(&mut resources) {
                    let resource = resource?;
                    form.resource(
                        resource_title,
                        number,
                        &resource.resource()?,
                        resource.schema_url()?,
                    )?;
                    for (number, scope) in resource.$scopes().enumerate() {
                        let scope = scope?;
                        form.scope(scope_title, number, &scope.scope()?, scope.schema_url()?)?;
                        for (number, item) in scope.$items().enumerate() {
                            form.$item(number, &item?)?;
                        }
                    }
                }
            };
        }
        match payload.signal() {
            Signal::Traces => walk!(resource_spans, scope_spans, spans, span),
            Signal::Metrics => walk!(resource_metrics, scope_metrics, metrics, metric),
            Signal::Logs => walk!(resource_logs, scope_logs, log_records, record),
        }
    }
    Ok(form.finish())
}
