use crate::{ComponentId, Config, Errors, Pipeline, Signal};

/// Whether a connector takes the one signal and gives the other.
pub(crate) type Connects<'c> = &'c dyn Fn(&ComponentId, Signal, Signal) -> bool;

/// Checks that what goes into a connector comes out somewhere, the reverse, and that nothing goes in circles.
pub(crate) fn check(config: &Config, connects: Connects<'_>, errors: &mut Errors) {
    let graph = Graph { config, connects };
    for pipeline in &config.pipelines {
        graph.check_exporters(pipeline, errors);
        graph.check_receivers(pipeline, errors);
    }
    graph.check_cycles(errors);
}

struct Graph<'a> {
    config: &'a Config,
    connects: Connects<'a>,
}

impl<'a> Graph<'a> {
    fn check_exporters(&self, pipeline: &Pipeline, errors: &mut Errors) {
        for reference in &pipeline.exporters {
            let id = &reference.id;
            let fed = |other: &Pipeline| self.feeds(pipeline, id, other);
            if self.config.is_connector(id) && !self.config.pipelines.iter().any(fed) {
                let signal = pipeline.id.signal().name();
                let message = format!(
                    "the connector \"{id}\" is given {signal} here, but no pipeline that it could pass them to has it as a receiver"
                );
                let path = format!("service::pipelines::{}::exporters", pipeline.id);
                errors.add(path, &reference.position, message);
            }
        }
    }

    fn check_receivers(&self, pipeline: &Pipeline, errors: &mut Errors) {
        for reference in &pipeline.receivers {
            let id = &reference.id;
            let feeding = |other: &Pipeline| self.feeds(other, id, pipeline);
            if self.config.is_connector(id) && !self.config.pipelines.iter().any(feeding) {
                let signal = pipeline.id.signal().name();
                let message = format!(
                    "the connector \"{id}\" is to give {signal} here, but no pipeline that it could take them from has it as an exporter"
                );
                let path = format!("service::pipelines::{}::receivers", pipeline.id);
                errors.add(path, &reference.position, message);
            }
        }
    }

    fn feeds(&self, from: &Pipeline, connector: &ComponentId, to: &Pipeline) -> bool {
        from.exporters.iter().any(|reference| reference.id == *connector)
            && to.receivers.iter().any(|reference| reference.id == *connector)
            && (self.connects)(connector, from.id.signal(), to.id.signal())
    }

    /// The pipelines that the one at `index` feeds, each with the connector between them.
    fn successors(&self, index: usize) -> Vec<(usize, &'a ComponentId)> {
        let config = self.config;
        let from = &config.pipelines[index];
        let connectors = from.exporters.iter().map(|reference| &reference.id);
        connectors
            .filter(|id| config.is_connector(id))
            .flat_map(|id| {
                config
                    .pipelines
                    .iter()
                    .enumerate()
                    .map(move |(to, pipeline)| (to, id, pipeline))
            })
            .filter(|(_, id, pipeline)| self.feeds(from, id, pipeline))
            .map(|(to, id, _)| (to, id))
            .collect()
    }

    /// Takes away the pipelines that feed none of the others, again and again. What is left then goes in circles, or
    /// leads into one; one circle is named, since breaking it is a decision that may break others.
    fn check_cycles(&self, errors: &mut Errors) {
        let edges: Vec<_> = (0..self.config.pipelines.len())
            .map(|index| self.successors(index))
            .collect();
        let mut left: Vec<bool> = vec![true; edges.len()];
        loop {
            let ends = |index: &usize| left[*index] && edges[*index].iter().all(|(to, _)| !left[*to]);
            let Some(end) = (0..edges.len()).find(ends) else { break };
            left[end] = false;
        }
        if let Some(start) = left.iter().position(|left| *left) {
            let cycle = walk(start, &edges, &left);
            self.report(&cycle, errors);
        }
    }

    fn report(&self, cycle: &[(usize, &ComponentId)], errors: &mut Errors) {
        let Some((first, connector)) = cycle.first() else {
            return;
        };
        let first = &self.config.pipelines[*first];
        let steps = cycle
            .iter()
            .map(|(index, connector)| format!("{} -> {connector} -> ", self.config.pipelines[*index].id));
        let message = format!("items would go in circles: {}{}", steps.collect::<String>(), first.id);
        let reference = first.exporters.iter().find(|reference| reference.id == **connector);
        let path = format!("service::pipelines::{}::exporters", first.id);
        errors.add(
            path,
            &reference
                .map(|reference| reference.position.clone())
                .unwrap_or_default(),
            message,
        );
    }
}

/// Goes from pipeline to pipeline until one is met again: each step's pipeline and the connector that leads on.
fn walk<'a>(start: usize, edges: &[Vec<(usize, &'a ComponentId)>], left: &[bool]) -> Vec<(usize, &'a ComponentId)> {
    let mut steps: Vec<(usize, &ComponentId)> = Vec::new();
    let mut at = start;
    loop {
        if let Some(seen) = steps.iter().position(|(index, _)| *index == at) {
            return steps.split_off(seen);
        }
        let Some((next, connector)) = edges[at].iter().find(|(to, _)| left[*to]) else {
            return Vec::new();
        };
        steps.push((at, connector));
        at = *next;
    }
}
