//! The edit of one payload.

use super::Failures;
use crate::processors::ottl::{Group, Outer, Shown, any_holds, edit_events};
use collector_ottl::Context;
use collector_ottl::otlp::{Layer, Layers};
use collector_pdata::edit::{Change, Edit};
use collector_pdata::{ItemKind, Malformed};

pub(super) struct Filtering<'g> {
    groups: &'g [Group],
    outer: Outer,
    pub(super) failures: Failures,
}

impl<'g> Filtering<'g> {
    pub(super) fn new(groups: &'g [Group]) -> Self {
        Filtering {
            groups,
            outer: Outer::default(),
            failures: Failures::default(),
        }
    }

    fn has(&self, context: Context) -> bool {
        self.groups.iter().any(|group| group.context == context)
    }

    /// Whether something of `context` is to be dropped. Once the payload is lost, nothing is looked at any more.
    fn matches(&mut self, context: Context, inner: &mut [Layer<'_>]) -> bool {
        let layers = Layers {
            outer: self.outer.layers(),
            inner,
        };
        let mut groups = self.groups.iter().filter(|group| group.context == context);
        !self.failures.has_ended()
            && groups.any(|group| any_holds(&group.conditions, group.error_mode, &layers, &mut self.failures))
    }

    fn outer(&mut self, context: Context, shown: Shown<'_>) -> Result<Change, Malformed> {
        self.outer.enter(shown)?;
        Ok(match self.matches(context, &mut []) {
            true => Change::Drop,
            false => Change::Keep,
        })
    }

    fn events(&mut self, span: &[u8], out: &mut Vec<u8>) -> Result<Change, Malformed> {
        edit_events(span, out, |event, _| {
            let mut inner = [Layer::item(ItemKind::Span, span), Layer::span_event(event)];
            Ok(match self.matches(Context::SpanEvent, &mut inner) {
                true => Change::Drop,
                false => Change::Keep,
            })
        })
    }
}

impl Edit for Filtering<'_> {
    fn looks_at_scopes(&self) -> bool {
        self.groups.iter().any(|group| group.context != Context::Resource)
    }

    fn looks_at_metrics(&self) -> bool {
        self.has(Context::Metric) || self.has(Context::DataPoint)
    }

    fn looks_at_items(&self) -> bool {
        let item = |context| !matches!(context, Context::Resource | Context::Scope | Context::Metric);
        self.groups.iter().any(|group| item(group.context))
    }

    fn resource(&mut self, resource: &[u8], _out: &mut Vec<u8>) -> Result<Change, Malformed> {
        self.outer(Context::Resource, Shown::Resource(resource))
    }

    fn scope(&mut self, scope: &[u8], _out: &mut Vec<u8>) -> Result<Change, Malformed> {
        self.outer(Context::Scope, Shown::Scope(scope))
    }

    fn metric(&mut self, metric: &[u8], _out: &mut Vec<u8>) -> Result<Change, Malformed> {
        self.outer(Context::Metric, Shown::Metric(metric))
    }

    fn item(&mut self, kind: ItemKind, item: &[u8], out: &mut Vec<u8>) -> Result<Change, Malformed> {
        let mut layer = Layer::item(kind, item);
        let context = layer.context();
        if self.has(context) && self.matches(context, std::slice::from_mut(&mut layer)) {
            return Ok(Change::Drop);
        }
        match context == Context::Span && self.has(Context::SpanEvent) {
            true => self.events(item, out),
            false => Ok(Change::Keep),
        }
    }
}
