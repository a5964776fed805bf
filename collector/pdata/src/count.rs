//! Counts items by a walk over the boundaries of messages.

use crate::proto::Malformed;
use crate::scan::{Scan, messages};
use crate::{ItemKind, Signal};

/// The number of spans, data points or log records in one encoded request. Every length down to the items is checked to
/// lie in bounds; what is in an item is not looked at. A metric's data is counted whichever of its kinds it is, and all of
/// it if a hostile encoder wrote several.
pub fn count(signal: Signal, request: &[u8]) -> Result<usize, Malformed> {
    let mut items = 0;
    for resource in messages(request, 1) {
        items += of_resource(signal, resource?)?;
    }
    Ok(items)
}

/// The items of a `ResourceSpans`, `ResourceMetrics` or `ResourceLogs`.
pub(crate) fn of_resource(signal: Signal, resource: &[u8]) -> Result<usize, Malformed> {
    let mut items = 0;
    for scope in messages(resource, 2) {
        items += of_scope(signal, scope?)?;
    }
    Ok(items)
}

/// The items of a `ScopeSpans`, `ScopeMetrics` or `ScopeLogs`.
pub(crate) fn of_scope(signal: Signal, scope: &[u8]) -> Result<usize, Malformed> {
    if signal != Signal::Metrics {
        return occurrences(scope, 2);
    }
    let mut items = 0;
    for metric in messages(scope, 2) {
        items += of_metric(metric?)?;
    }
    Ok(items)
}

/// The data points of a `Metric`.
pub(crate) fn of_metric(metric: &[u8]) -> Result<usize, Malformed> {
    let mut items = 0;
    let mut scan = Scan::new(metric);
    while let Some(field) = scan.next()? {
        if ItemKind::of_data(field.number).is_some() {
            items += occurrences(field.bytes(metric)?, 1)?;
        }
    }
    Ok(items)
}

fn occurrences(message: &[u8], number: u32) -> Result<usize, Malformed> {
    let mut count = 0;
    for message in messages(message, number) {
        message?;
        count += 1;
    }
    Ok(count)
}
