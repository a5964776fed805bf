//! `include` and `exclude` together, and their walk through a request.

use super::properties::Properties;
use collector_config::Section;
use collector_pdata::metrics::Metric;
use collector_pdata::{ItemKind, Malformed, Signal};
use std::sync::Arc;

/// Both, as they are configured.
#[derive(Debug)]
pub(in crate::processors) struct Matching {
    include: Option<Arc<Properties>>,
    exclude: Option<Arc<Properties>>,
}

/// Both, on their way through a request: what they learn of a resource, scope or metric holds until the next one.
#[derive(Debug)]
pub(in crate::processors) struct Filter {
    signal: Signal,
    include: Option<Walk>,
    exclude: Option<Walk>,
}

#[derive(Debug)]
struct Walk {
    properties: Arc<Properties>,
    resource: bool,
    scope: bool,
    metric: bool,
}

impl Matching {
    pub(in crate::processors) fn read(section: &mut Section<'_, '_>) -> Matching {
        Matching {
            include: section.optional_section("include", Properties::read).map(Arc::new),
            exclude: section.optional_section("exclude", Properties::read).map(Arc::new),
        }
    }

    /// The signals that it is not for, and why.
    pub(in crate::processors) fn refusals(&self) -> Vec<(Signal, String)> {
        let mut refusals = Vec::new();
        for (name, properties) in [("include", &self.include), ("exclude", &self.exclude)] {
            for signal in Signal::ALL {
                let refusal = properties.as_ref().and_then(|properties| properties.refusal(signal));
                refusals.extend(refusal.map(|reason| (signal, format!("{name}: {reason}"))));
            }
        }
        refusals
    }

    pub(in crate::processors) fn filter(&self, signal: Signal) -> Filter {
        let walk = |properties: &Option<Arc<Properties>>| {
            let properties = properties.as_ref()?;
            // Upstream has no condition left in this case, so that nothing is left out.
            let is_for_none = signal == Signal::Metrics && properties.metric_names.is_none();
            (!is_for_none).then(|| Walk::new(properties.clone()))
        };
        Filter {
            signal,
            include: walk(&self.include),
            exclude: walk(&self.exclude),
        }
    }
}

impl Walk {
    fn new(properties: Arc<Properties>) -> Self {
        Walk {
            properties,
            resource: true,
            scope: true,
            metric: true,
        }
    }

    fn matches(&self, kind: ItemKind, item: &[u8]) -> Result<bool, Malformed> {
        Ok(self.resource && self.scope && self.metric && self.properties.match_item(kind, item)?)
    }
}

impl Filter {
    pub(in crate::processors) fn looks_at_scopes(&self) -> bool {
        self.walks().any(|walk| !walk.properties.libraries.is_empty())
    }

    pub(in crate::processors) fn looks_at_metrics(&self) -> bool {
        self.walks().any(|walk| walk.properties.metric_names.is_some())
    }

    /// To be told of each resource.
    pub(in crate::processors) fn resource(&mut self, resource: &[u8]) -> Result<(), Malformed> {
        if self.signal != Signal::Metrics {
            for walk in self.walks_mut() {
                walk.resource = walk.properties.match_resource(resource)?;
            }
        }
        Ok(())
    }

    /// To be told of each scope, if it looks at them.
    pub(in crate::processors) fn scope(&mut self, scope: &[u8]) -> Result<(), Malformed> {
        for walk in self.walks_mut() {
            walk.scope = walk.properties.match_scope(scope)?;
        }
        Ok(())
    }

    /// To be told of each metric, if it looks at them.
    pub(in crate::processors) fn metric(&mut self, metric: &[u8]) -> Result<(), Malformed> {
        let name = Metric::read(metric)?.name;
        for walk in self.walks_mut() {
            walk.metric = walk.properties.match_metric(name);
        }
        Ok(())
    }

    /// Whether the processor is for this item.
    pub(in crate::processors) fn takes(&self, kind: ItemKind, item: &[u8]) -> Result<bool, Malformed> {
        let included = self
            .include
            .as_ref()
            .map_or(Ok(true), |walk| walk.matches(kind, item))?;
        let excluded = || self.exclude.as_ref().map_or(Ok(false), |walk| walk.matches(kind, item));
        Ok(included && !excluded()?)
    }

    fn walks(&self) -> impl Iterator<Item = &Walk> {
        self.include.iter().chain(&self.exclude)
    }

    fn walks_mut(&mut self) -> impl Iterator<Item = &mut Walk> {
        self.include.iter_mut().chain(&mut self.exclude)
    }
}
