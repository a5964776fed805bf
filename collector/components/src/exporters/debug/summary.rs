//! What a request is, and how much there is of it, on one line.

use collector_pdata::logs::resource_logs;
use collector_pdata::metrics::resource_metrics;
use collector_pdata::traces::resource_spans;
use collector_pdata::{Malformed, Payload, Signal};

pub(super) fn title(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "Traces",
        Signal::Metrics => "Metrics",
        Signal::Logs => "Logs",
    }
}

/// The counts as JSON.
pub(super) fn counts(payload: &Payload) -> Result<String, Malformed> {
    let (mut resources, mut metrics) = (0_usize, 0_usize);
    for chunk in payload.chunks() {
        match payload.signal() {
            Signal::Traces => resources += count(resource_spans(chunk))?,
            Signal::Logs => resources += count(resource_logs(chunk))?,
            Signal::Metrics => {
                for resource in resource_metrics(chunk) {
                    resources += 1;
                    for scope in resource?.scope_metrics() {
                        metrics += count(scope?.metrics())?;
                    }
                }
            }
        }
    }
    let items = payload.items();
    Ok(match payload.signal() {
        Signal::Traces => format!(r#"{{"resource spans": {resources}, "spans": {items}}}"#),
        Signal::Logs => format!(r#"{{"resource logs": {resources}, "log records": {items}}}"#),
        Signal::Metrics => {
            format!(r#"{{"resource metrics": {resources}, "metrics": {metrics}, "data points": {items}}}"#)
        }
    })
}

fn count<T>(mut parts: impl Iterator<Item = Result<T, Malformed>>) -> Result<usize, Malformed> {
    parts.try_fold(0, |count, part| part.map(|_| count + 1))
}
