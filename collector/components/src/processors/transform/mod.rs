//! `transform`: runs statements of the transformation language.
//!
//! ```yaml
//! processors:
//!   transform:
//!     error_mode: ignore            # of a statement that cannot be run: ignore, silent, propagate
//!     trace_statements:             # with the context found from the paths
//!       - set(span.attributes["team"], resource.attributes["k8s.namespace.name"])
//!       - truncate_all(span.attributes, 4096)
//!     metric_statements:            # or in groups
//!       - context: datapoint
//!         conditions: ['metric.type == METRIC_DATA_TYPE_SUM']
//!         error_mode: silent
//!         statements: ['keep_keys(attributes, ["http.route"])']
//!     log_statements: []
//! ```
//!
//! Groups are run one after the other, each over the whole payload, as far as that makes a difference: see `passes`.

mod edit;
mod passes;
mod recorded;

use super::editing::{account, forward};
use super::ottl::{EVALUATION_FAILED, ErrorMode, GroupKind, read_groups};
use collector_config::Section;
use collector_engine::{Processor, ProcessorFactory, ProcessorRecipe, Sink, reason};
use collector_pdata::{Payload, Signal};
use passes::{Pass, passes};
use std::sync::Arc;
use std::time::Instant;

/// The line in the table.
pub const FACTORY: ProcessorFactory = ProcessorFactory {
    kind: "transform",
    signals: &Signal::ALL,
    configure,
};

/// The passes of each signal.
#[derive(Debug)]
struct Programs {
    traces: Vec<Pass>,
    metrics: Vec<Pass>,
    logs: Vec<Pass>,
}

impl Programs {
    fn of(&self, signal: Signal) -> &[Pass] {
        match signal {
            Signal::Traces => &self.traces,
            Signal::Metrics => &self.metrics,
            Signal::Logs => &self.logs,
        }
    }
}

fn configure(section: &mut Section<'_, '_>) -> ProcessorRecipe {
    let mode = ErrorMode::read(section, ErrorMode::Ignore);
    section.unsupported("profile_statements", "profiles are not a signal of this collector");
    section.unsupported("flatten_data", "log records would stay in their resource");
    let mut read = |key, signal| {
        let kind = GroupKind {
            signal,
            statements: true,
        };
        passes(signal, read_groups(section, key, kind, mode))
    };
    let programs = Arc::new(Programs {
        traces: read("trace_statements", Signal::Traces),
        metrics: read("metric_statements", Signal::Metrics),
        logs: read("log_statements", Signal::Logs),
    });
    ProcessorRecipe::new(move |signal| Transform {
        programs: Arc::clone(&programs),
        signal,
    })
}

#[derive(Debug)]
struct Transform {
    programs: Arc<Programs>,
    signal: Signal,
}

impl Processor for Transform {
    fn process(&mut self, mut payload: Payload, _now: Instant, sink: &mut Sink<'_>) {
        for pass in self.programs.of(self.signal) {
            let items = payload.items();
            let done = pass.run(payload);
            if done.failures.report("transform") {
                return sink.dropped(EVALUATION_FAILED, items);
            }
            // Nothing is dropped but what cannot be read.
            payload = account(done.edited, reason::MALFORMED, sink);
        }
        forward(payload, sink);
    }
}
