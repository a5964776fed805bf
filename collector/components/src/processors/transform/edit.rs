//! The walk of one pass over a payload.

use super::passes::Pass;
use crate::processors::ottl::{Failures, Group, Outer, Shown, any_holds, edit_events};
use collector_ottl::otlp::{Layer, Layers};
use collector_ottl::{Context, EvalError};
use collector_pdata::edit::{Change, Edit};
use collector_pdata::{ItemKind, Malformed};

pub(super) struct Transforming<'p> {
    pass: &'p Pass,
    pub(super) outer: Outer,
    pub(super) failures: Failures,
    /// What became of the outer messages, if the pass writes to them on behalf of items.
    pub(super) left: Vec<Layer<'static>>,
}

impl<'p> Transforming<'p> {
    pub(super) fn new(pass: &'p Pass) -> Self {
        Transforming {
            pass,
            outer: Outer::default(),
            failures: Failures::default(),
            left: Vec::new(),
        }
    }

    fn has(&self, wanted: impl Fn(Context) -> bool) -> bool {
        self.pass.groups.iter().any(|group| wanted(group.context))
    }

    /// Runs the groups of `context` on a message of it, the last of `inner` or of the outer ones.
    fn run(&mut self, context: Context, inner: &mut [Layer<'_>]) {
        let pass = self.pass;
        for group in pass.groups.iter().filter(|group| group.context == context) {
            inner.iter_mut().for_each(Layer::clear_cache);
            let mut layers = Layers {
                outer: self.outer.layers(),
                inner,
            };
            run_group(group, &mut layers, &mut self.failures);
        }
    }

    fn outer(&mut self, context: Context, shown: Shown<'_>, out: &mut Vec<u8>) -> Result<Change, Malformed> {
        let left = self.outer.leave(context);
        if self.pass.writes_outer {
            self.left.extend(left);
        }
        self.outer.enter(shown)?;
        self.run(context, &mut []);
        match self.outer.innermost() {
            Some(layer) if !self.pass.writes_outer => finish(layer, out),
            _ => Ok(Change::Keep),
        }
    }

    fn events<'m>(&mut self, item: &'m [u8], span: Layer<'m>, out: &mut Vec<u8>) -> Result<Change, Malformed> {
        let mut inner = vec![span];
        let mut with_events = Vec::new();
        let changed = edit_events(item, &mut with_events, |event, out| {
            inner.push(Layer::span_event(event));
            self.run(Context::SpanEvent, &mut inner);
            inner.pop().map_or(Ok(Change::Keep), |event| finish(&event, out))
        })?;
        let Some(mut span) = inner.pop() else {
            return Ok(Change::Keep);
        };
        match (changed, span.is_changed()) {
            (_, true) => {
                if changed == Change::Replace {
                    span.rebase(with_events);
                }
                finish(&span, out)
            }
            (Change::Keep, false) => Ok(Change::Keep),
            (_, false) => {
                out.append(&mut with_events);
                Ok(Change::Replace)
            }
        }
    }
}

fn run_group(group: &Group, layers: &mut Layers<'_, '_>, failures: &mut Failures) {
    // Once the payload is lost, nothing is run any more.
    if failures.has_ended() {
        return;
    }
    if !group.conditions.is_empty() && !any_holds(&group.conditions, group.error_mode, layers, failures) {
        return;
    }
    for statement in &group.statements {
        if let Err(error) = statement.run(layers) {
            failures.note(group.error_mode, error);
            if failures.has_ended() {
                return;
            }
        }
    }
}

/// What a layer became. Only its own bytes can be wrong by now.
pub(super) fn finish(layer: &Layer<'_>, out: &mut Vec<u8>) -> Result<Change, Malformed> {
    layer.finish(out).map_err(|error| match error {
        EvalError::Malformed(error) => error,
        _ => Malformed::Truncated,
    })
}

impl Edit for Transforming<'_> {
    fn looks_at_scopes(&self) -> bool {
        self.has(|context| context != Context::Resource)
    }

    fn looks_at_metrics(&self) -> bool {
        self.has(|context| matches!(context, Context::Metric | Context::DataPoint))
    }

    fn looks_at_items(&self) -> bool {
        let outer = |context| matches!(context, Context::Resource | Context::Scope | Context::Metric);
        // What is recorded is put in place by the items that it holds.
        self.pass.writes_outer || self.has(|context| !outer(context))
    }

    fn resource(&mut self, resource: &[u8], out: &mut Vec<u8>) -> Result<Change, Malformed> {
        self.outer(Context::Resource, Shown::Resource(resource), out)
    }

    fn scope(&mut self, scope: &[u8], out: &mut Vec<u8>) -> Result<Change, Malformed> {
        self.outer(Context::Scope, Shown::Scope(scope), out)
    }

    fn metric(&mut self, metric: &[u8], out: &mut Vec<u8>) -> Result<Change, Malformed> {
        self.outer(Context::Metric, Shown::Metric(metric), out)
    }

    fn item(&mut self, kind: ItemKind, item: &[u8], out: &mut Vec<u8>) -> Result<Change, Malformed> {
        self.outer.saw_item();
        let mut layer = Layer::item(kind, item);
        let context = layer.context();
        self.run(context, std::slice::from_mut(&mut layer));
        match context == Context::Span && self.has(|context| context == Context::SpanEvent) {
            true => self.events(item, layer, out),
            false => finish(&layer, out),
        }
    }
}
