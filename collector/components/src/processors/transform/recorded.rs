//! A pass whose statements write to what holds their items.
//!
//! A request is written from its beginning to its end, and a resource stands before its items. So the first walk runs the
//! statements and keeps what became of resources, scopes and metrics, and the second one puts them in place, in the same
//! order: the first left out those without items.

use super::edit::{Transforming, finish};
use super::passes::{Done, Pass};
use crate::processors::ottl::Failures;
use collector_ottl::Context;
use collector_ottl::otlp::Layer;
use collector_pdata::edit::{Change, Edit, rewrite};
use collector_pdata::{Edited, Malformed, Payload, Signal};
use std::collections::VecDeque;

pub(super) fn run_recorded(pass: &Pass, payload: Payload) -> Done {
    let mut failures = Failures::default();
    let mut edited = Edited {
        payload: Payload::empty(payload.signal()),
        dropped: 0,
        malformed: 0,
        error: None,
    };
    for chunk in payload.chunks() {
        let mut edit = Transforming::new(pass);
        edit.failures = failures;
        match both_walks(payload.signal(), chunk, &mut edit) {
            Ok(part) if part.is_empty() => {}
            Ok(part) => edited.payload.append(part),
            Err(error) => edited.error = Some(error),
        }
        failures = edit.failures;
    }
    if edited.error.is_some() {
        edited.malformed = payload.items().saturating_sub(edited.payload.items());
    }
    Done { edited, failures }
}

fn both_walks(signal: Signal, chunk: &bytes::Bytes, edit: &mut Transforming<'_>) -> Result<Payload, Malformed> {
    let first = rewrite(signal, chunk, edit)?;
    let mut left = std::mem::take(&mut edit.left);
    left.extend(edit.outer.leave(Context::Resource));
    let request = first.request.unwrap_or_else(|| chunk.clone());
    let mut replacing = Replacing {
        metrics: signal == Signal::Metrics,
        ..Replacing::default()
    };
    for layer in left {
        let queue = replacing.queue(layer.context());
        queue.push_back(layer);
    }
    let second = rewrite(signal, &request, &mut replacing)?;
    let request = second.request.unwrap_or(request);
    Ok(match second.kept {
        0 => Payload::empty(signal),
        kept => Payload::new(signal, request, kept),
    })
}

/// Puts outer messages in place, in the order in which they come.
#[derive(Debug, Default)]
struct Replacing {
    metrics: bool,
    resources: VecDeque<Layer<'static>>,
    scopes: VecDeque<Layer<'static>>,
    of_metrics: VecDeque<Layer<'static>>,
}

impl Replacing {
    fn queue(&mut self, context: Context) -> &mut VecDeque<Layer<'static>> {
        match context {
            Context::Resource => &mut self.resources,
            Context::Scope => &mut self.scopes,
            _ => &mut self.of_metrics,
        }
    }

    fn next(&mut self, context: Context, out: &mut Vec<u8>) -> Result<Change, Malformed> {
        match self.queue(context).pop_front() {
            Some(layer) => finish(&layer, out),
            None => Ok(Change::Keep),
        }
    }
}

impl Edit for Replacing {
    fn looks_at_metrics(&self) -> bool {
        self.metrics
    }

    fn looks_at_items(&self) -> bool {
        false
    }

    fn resource(&mut self, _resource: &[u8], out: &mut Vec<u8>) -> Result<Change, Malformed> {
        self.next(Context::Resource, out)
    }

    fn scope(&mut self, _scope: &[u8], out: &mut Vec<u8>) -> Result<Change, Malformed> {
        self.next(Context::Scope, out)
    }

    fn metric(&mut self, _metric: &[u8], out: &mut Vec<u8>) -> Result<Change, Malformed> {
        self.next(Context::Metric, out)
    }
}
