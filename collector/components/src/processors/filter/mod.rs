//! `filter`: drops what a condition of the transformation language holds for.
//!
//! ```yaml
//! processors:
//!   filter:
//!     error_mode: ignore            # of a condition that cannot be evaluated: ignore, silent, propagate
//!     traces:
//!       resource: ['attributes["k8s.namespace.name"] == "kube-system"']
//!       span: ['attributes["http.route"] == "/healthz"', 'IsMatch(name, "^internal\\.")']
//!       spanevent: ['name == "retry"']
//!     metrics: {resource: [], metric: [], datapoint: []}
//!     logs: {resource: [], log_record: []}
//!     trace_conditions:             # or so, with the context of each list found from its paths;
//!       - span.attributes["http.route"] == "/healthz"
//!     metric_conditions:            # or as mappings
//!       - {context: datapoint, conditions: ['value_int == 0'], error_mode: silent}
//! ```
//!
//! One condition that holds is enough. What is left without items goes too. Dropped items are counted as `filtered`; an
//! event of a span is no item.

mod edit;

use super::editing::{account, forward};
use super::ottl::{EVALUATION_FAILED, ErrorMode, Failures, Group, GroupKind, read_conditions, read_groups};
use collector_config::Section;
use collector_engine::{Processor, ProcessorFactory, ProcessorRecipe, Sink};
use collector_ottl::Context;
use collector_pdata::{Payload, Signal};
use edit::Filtering;
use std::sync::Arc;
use std::time::Instant;

/// The line in the table.
pub const FACTORY: ProcessorFactory = ProcessorFactory {
    kind: "filter",
    signals: &Signal::ALL,
    configure,
};

/// The reason that is counted for what a condition holds for.
const FILTERED: &str = "filtered";

/// The groups of conditions of each signal.
#[derive(Debug)]
struct Rules {
    traces: Vec<Group>,
    metrics: Vec<Group>,
    logs: Vec<Group>,
}

impl Rules {
    fn of(&self, signal: Signal) -> &[Group] {
        match signal {
            Signal::Traces => &self.traces,
            Signal::Metrics => &self.metrics,
            Signal::Logs => &self.logs,
        }
    }
}

/// The keys of each signal's lists, and their contexts.
const TRACES: &[(&str, Context)] = &[
    ("resource", Context::Resource),
    ("span", Context::Span),
    ("spanevent", Context::SpanEvent),
];
const METRICS: &[(&str, Context)] = &[
    ("resource", Context::Resource),
    ("metric", Context::Metric),
    ("datapoint", Context::DataPoint),
];
const LOGS: &[(&str, Context)] = &[("resource", Context::Resource), ("log_record", Context::Log)];

fn configure(section: &mut Section<'_, '_>) -> ProcessorRecipe {
    let mode = ErrorMode::read(section, ErrorMode::Ignore);
    section.unsupported(
        "spans",
        "spans that it names would not be dropped; write conditions under traces",
    );
    let rules = Arc::new(Rules {
        traces: read(section, Signal::Traces, ("traces", TRACES), "trace_conditions", mode),
        metrics: read(
            section,
            Signal::Metrics,
            ("metrics", METRICS),
            "metric_conditions",
            mode,
        ),
        logs: read(section, Signal::Logs, ("logs", LOGS), "log_conditions", mode),
    });
    ProcessorRecipe::new(move |signal| Filter {
        rules: Arc::clone(&rules),
        signal,
    })
}

fn read(
    section: &mut Section<'_, '_>,
    signal: Signal,
    (key, lists): (&'static str, &'static [(&'static str, Context)]),
    flat: &'static str,
    mode: ErrorMode,
) -> Vec<Group> {
    let mut groups = section.section(key, |section| {
        for old in ["include", "exclude"] {
            section.unsupported(old, "what it names would not be dropped; write conditions");
        }
        let groups = lists.iter().map(|(list, context)| Group {
            context: *context,
            error_mode: mode,
            conditions: read_conditions(section, list, *context),
            statements: Vec::new(),
        });
        groups.collect::<Vec<_>>()
    });
    let kind = GroupKind {
        signal,
        statements: false,
    };
    groups.extend(read_groups(section, flat, kind, mode));
    groups.retain(|group| !group.conditions.is_empty());
    groups
}

#[derive(Debug)]
struct Filter {
    rules: Arc<Rules>,
    signal: Signal,
}

impl Processor for Filter {
    fn process(&mut self, payload: Payload, _now: Instant, sink: &mut Sink<'_>) {
        let groups = self.rules.of(self.signal);
        if groups.is_empty() {
            return sink.forward(payload);
        }
        let items = payload.items();
        let mut filtering = Filtering::new(groups);
        let edited = payload.edit(&mut filtering);
        if filtering.failures.report("filter") {
            return sink.dropped(EVALUATION_FAILED, items);
        }
        let left = account(edited, FILTERED, sink);
        forward(left, sink);
    }
}
