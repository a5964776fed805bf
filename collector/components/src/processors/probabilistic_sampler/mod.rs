//! `probabilistic_sampler`: keeps a share of the traces or log records, the same at every collector.
//!
//! ```yaml
//! processors:
//!   probabilistic_sampler:
//!     sampling_percentage: 15       # 100 and more keeps all
//!     mode: hash_seed               # or proportional, equalizing
//!     hash_seed: 22                 # hash_seed only: collectors that are to agree have the same
//!     sampling_precision: 4         # hexadecimal digits of thresholds, 1 to 14
//!     fail_closed: true             # drops what has no usable randomness
//!     attribute_source: traceID     # logs, hash_seed only: or record
//!     from_attribute: log.id        # logs, hash_seed only: hashed if the trace id is absent or not the source
//!     sampling_priority: priority   # logs: an attribute with a percentage of its own
//! ```
//!
//! Decisions and what is written are those of the upstream collector 0.161. `hash_seed` hashes the trace id; the two other
//! modes compare its random part with the threshold, by OpenTelemetry's specification of consistent sampling. All of them
//! write threshold and randomness: into a span's trace state (`ot=rv:...;th:...`), or into the attributes
//! `sampling.randomness` and `sampling.threshold` of a log record. A span's attribute `sampling.priority` keeps it if it is
//! above 0 and drops it at 0.

mod carrier;
mod decision;
mod logs;
mod spans;
mod threshold;
mod tracestate;

use super::editing::Editing;
use collector_config::Section;
use collector_engine::{ProcessorFactory, ProcessorRecipe};
use collector_pdata::edit::{Change, Edit};
use collector_pdata::{ItemKind, Malformed, Signal};
use decision::{Decision, Sampler, Written};
use logs::Records;
use spans::Spans;
use std::sync::Arc;
use threshold::{DIGITS, LEAST_PROBABILITY};

/// The line in the table.
pub const FACTORY: ProcessorFactory = ProcessorFactory {
    kind: "probabilistic_sampler",
    signals: &[Signal::Traces, Signal::Logs],
    configure,
};

/// The reason that is counted for what is not kept.
const SAMPLED_OUT: &str = "sampled_out";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    HashSeed,
    Proportional,
    Equalizing,
}

/// What is only for logs.
#[derive(Debug, Clone)]
struct LogSettings {
    by_trace_id: bool,
    from_attribute: Vec<u8>,
    priority: Vec<u8>,
    precision: u32,
}

fn configure(section: &mut Section<'_, '_>) -> ProcessorRecipe {
    let sampling = read(section);
    ProcessorRecipe::new(move |_| Editing {
        edit: sampling.clone(),
        dropped: SAMPLED_OUT,
    })
}

fn read(section: &mut Section<'_, '_>) -> Sampling {
    // As upstream, the percentage has the precision of 32 bits.
    let percentage = section.number("sampling_percentage", 0.0) as f32;
    check(section, percentage);
    let modes = [
        ("hash_seed", Mode::HashSeed),
        ("proportional", Mode::Proportional),
        ("equalizing", Mode::Equalizing),
    ];
    let sources = [("traceID", true), ("record", false)];
    let precision = section.count_in("sampling_precision", 1..=u64::from(DIGITS), 4) as u32;
    let written = Written {
        mode: section.choice("mode", &modes).unwrap_or(Mode::HashSeed),
        percentage,
        seed: section.count_in("hash_seed", 0..=u64::from(u32::MAX), 0) as u32,
        precision,
    };
    let decision = Decision {
        sampler: Sampler::new(&written),
        fail_closed: section.flag("fail_closed", true),
    };
    let logs = LogSettings {
        by_trace_id: section.choice("attribute_source", &sources).unwrap_or(true),
        from_attribute: section.text("from_attribute").unwrap_or_default().as_bytes().to_vec(),
        priority: section
            .text("sampling_priority")
            .unwrap_or_default()
            .as_bytes()
            .to_vec(),
        precision,
    };
    Sampling {
        spans: Spans::new(decision),
        records: Records::new(decision, Arc::new(logs)),
    }
}

fn check(section: &mut Section<'_, '_>, percentage: f32) {
    let share = f64::from(percentage) / 100.0;
    if !share.is_finite() {
        section.error("sampling_percentage", "must be a number");
    } else if share < 0.0 {
        section.error("sampling_percentage", "must not be negative");
    } else if share > 0.0 && share < LEAST_PROBABILITY {
        section.error("sampling_percentage", "must be 0 or at least 1.4e-15, a span of 2^56");
    }
}

#[derive(Clone)]
struct Sampling {
    spans: Spans,
    records: Records,
}

impl Edit for Sampling {
    fn looks_at_scopes(&self) -> bool {
        false
    }

    fn looks_at_metrics(&self) -> bool {
        false
    }

    fn item(&mut self, kind: ItemKind, item: &[u8], out: &mut Vec<u8>) -> Result<Change, Malformed> {
        match kind {
            ItemKind::Span => self.spans.sample(item, out),
            ItemKind::LogRecord => self.records.sample(item, out),
            _ => Ok(Change::Keep),
        }
    }
}

#[cfg(test)]
mod tests;
