//! `tail_sampling`: keeps or drops whole traces, by what is in them.
//!
//! ```yaml
//! processors:
//!   tail_sampling:
//!     decision_wait: 30s                      # from a trace's first span to the decision
//!     decision_wait_after_root_received: 0s   # if set, decides so soon after the root has come
//!     num_traces: 50000                       # the most traces that are held
//!     max_bytes: 512MiB                       # the most bytes that are held; a quarter of the usable memory
//!     maximum_trace_size_bytes: 0             # drops larger traces; 0 is no limit
//!     sample_on_first_match: false
//!     drop_pending_traces_on_shutdown: false
//!     record_policy: root                     # or none, or all: the spans that get the policy's name
//!     decision_cache: {sampled_cache_size: 0, non_sampled_cache_size: 0}
//!     policies:
//!       - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
//!       - {name: some, type: probabilistic, probabilistic: {sampling_percentage: 10}}
//! ```
//!
//! A trace that a `drop` policy matches is dropped; otherwise one that any other policy matches is kept; otherwise it is
//! dropped. Spans that come after the decision share its fate as long as it is remembered, and begin a trace anew after.
//!
//! `max_bytes` and `record_policy` are ours. Where upstream evicts, nothing is lost here: when there are too many traces,
//! or bytes, the oldest are decided before their time, and so is a trace that takes a quarter of all bytes. A kept one
//! says so in `tailsampling.decided_early`, a dropped one is counted as `sampled_out_early` instead of `sampled_out`.
//! `tailsampling.policy` is the policy that kept the trace, an attribute of its root, or of its first span.
//!
//! Spans stay encoded; policies look at their bytes, once, when a trace is decided.

mod decisions;
mod held;
mod outbox;
mod policy;
mod settings;
#[cfg(test)]
mod tests;

use collector_config::Section;
use collector_engine::{Processor, ProcessorFactory, ProcessorRecipe, Sink, reason};
use collector_pdata::by_trace::{Grouper, Segment, Taken};
use collector_pdata::proto::Malformed;
use collector_pdata::{Payload, Signal};
use decisions::{Decision, Decisions};
use held::{Arrival, Held, Trace};
use outbox::{Outbox, Reason};
use policy::View;
use settings::Settings;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The line in the table.
pub const FACTORY: ProcessorFactory = ProcessorFactory {
    kind: "tail_sampling",
    signals: &[Signal::Traces],
    configure,
};

/// Why spans are dropped: their trace was decided at its time, before it, or was too large to be held.
const SAMPLED_OUT: &str = "sampled_out";
const SAMPLED_OUT_EARLY: &str = "sampled_out_early";
const TRACE_TOO_LARGE: &str = "trace_too_large";

/// Traces that are due within so much of each other are decided together, so that they share what they have in common.
const TOGETHER: u64 = 100_000_000;

fn configure(section: &mut Section<'_, '_>) -> ProcessorRecipe {
    let settings = Settings::read(section);
    ProcessorRecipe::new(move |_| TailSampling::new(settings.clone())).on_one_worker()
}

struct TailSampling {
    settings: Settings,
    grouper: Grouper,
    held: Held,
    /// The roots that came, the oldest first, if a decision waits for them.
    roots: VecDeque<Arrival>,
    decisions: Decisions,
    outbox: Outbox,
    /// Where the processor's clock begins.
    begun: Instant,
    /// The clock's latest time, in nanoseconds.
    now: u64,
}

/// Why a trace is decided now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Due,
    /// The limit that would be passed otherwise.
    Early(&'static str),
}

impl TailSampling {
    fn new(settings: Settings) -> Self {
        TailSampling {
            grouper: Grouper::default(),
            held: Held::default(),
            roots: VecDeque::new(),
            decisions: Decisions::new(settings.remembered.0, settings.remembered.1),
            outbox: Outbox::new(settings.record),
            begun: Instant::now(),
            now: 0,
            settings,
        }
    }

    fn set_clock(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.begun).as_nanos();
        self.now = self.now.max(u64::try_from(passed).unwrap_or(u64::MAX));
    }

    /// How many spans there were.
    fn take(&mut self, chunk: &[u8], sink: &mut Sink<'_>) -> Result<usize, Malformed> {
        let mut spans = 0;
        for taken in self.grouper.take(chunk)? {
            spans += taken.spans;
            self.add(taken, sink);
            self.keep_within_limits(sink);
        }
        Ok(spans)
    }

    fn add(&mut self, taken: Taken, sink: &mut Sink<'_>) {
        let id = taken.trace_id;
        if !self.held.contains(&id)
            && let Some(decision) = self.decisions.of(&id)
        {
            return self.late(taken, decision, sink);
        }
        let added = self.held.add(taken, self.now);
        if added.bytes > self.settings.max_trace_bytes {
            self.drop_trace(&id, TRACE_TOO_LARGE, sink);
        } else if added.bytes > self.settings.max_bytes / 4 {
            self.decide(&id, Cause::Early("max_bytes"), sink);
        } else if let (Some(_), Some(root)) = (self.settings.after_root, added.root) {
            self.wait_for_root(root);
        }
    }

    /// Traces that are decided before their time leave their roots behind.
    fn wait_for_root(&mut self, root: Arrival) {
        const FEW: usize = 1024;
        self.roots.push_back(root);
        if self.roots.len() > FEW + 2 * self.held.len() {
            self.roots.retain(|root| self.held.is_held(root));
        }
    }

    fn late(&mut self, taken: Taken, decision: Decision, sink: &mut Sink<'_>) {
        match decision {
            Decision::Dropped => sink.dropped(SAMPLED_OUT, taken.spans),
            Decision::Kept(policy) => {
                let reason = Reason {
                    policy: self.settings.policies.name(policy),
                    early: None,
                };
                let Taken {
                    segment,
                    spans,
                    has_root,
                    ..
                } = taken;
                self.outbox.late(segment, spans, has_root, reason, sink);
            }
        }
    }

    fn keep_within_limits(&mut self, sink: &mut Sink<'_>) {
        while self.held.len() > self.settings.num_traces {
            self.decide_oldest("num_traces", sink);
        }
        // Resources and scopes are let go of only all together: if they take much, many traces go with them.
        while self.held.bytes() + self.grouper.bytes() > self.settings.max_bytes && self.held.len() > 0 {
            let many = self.grouper.bytes() > self.settings.max_bytes / 4;
            let traces = if many { self.held.len().div_ceil(8) } else { 1 };
            (0..traces).for_each(|_| self.decide_oldest("max_bytes", sink));
            if many {
                self.outbox.send(sink);
                self.grouper.forget();
            }
        }
    }

    fn decide_oldest(&mut self, limit: &'static str, sink: &mut Sink<'_>) {
        if let Some(oldest) = self.held.oldest() {
            self.decide(&oldest.id, Cause::Early(limit), sink);
        }
    }

    fn decide(&mut self, id: &held::TraceId, cause: Cause, sink: &mut Sink<'_>) {
        let Some(trace) = self.held.remove(id) else { return };
        let view = View {
            id: *id,
            segments: trace.segments(),
            spans: trace.spans(),
            bytes: trace.segments().iter().map(Segment::len).sum(),
            now: self.now,
        };
        match self.settings.policies.decide(&view) {
            Some(policy) => self.keep(id, trace, policy, cause, sink),
            None => {
                self.decisions.remember(*id, Decision::Dropped);
                let is_due = cause == Cause::Due;
                sink.dropped(if is_due { SAMPLED_OUT } else { SAMPLED_OUT_EARLY }, trace.spans());
            }
        }
    }

    fn keep(&mut self, id: &held::TraceId, trace: Trace, policy: u16, cause: Cause, sink: &mut Sink<'_>) {
        self.decisions.remember(*id, Decision::Kept(policy));
        let reason = Reason {
            policy: self.settings.policies.name(policy),
            early: match cause {
                Cause::Due => None,
                Cause::Early(limit) => Some(limit),
            },
        };
        self.outbox.trace(trace, reason, sink);
    }

    fn drop_trace(&mut self, id: &held::TraceId, reason: &'static str, sink: &mut Sink<'_>) {
        if let Some(trace) = self.held.remove(id) {
            self.decisions.remember(*id, Decision::Dropped);
            sink.dropped(reason, trace.spans());
        }
    }

    fn decide_due(&mut self, sink: &mut Sink<'_>) {
        while let Some(oldest) = self.held.oldest() {
            if self.now < oldest.at.saturating_add(self.settings.decision_wait) {
                break;
            }
            self.decide(&oldest.id, Cause::Due, sink);
        }
        let Some(wait) = self.settings.after_root else { return };
        while let Some(root) = self.roots.pop_front_if(|root| root.at.saturating_add(wait) <= self.now) {
            if self.held.is_held(&root) {
                self.decide(&root.id, Cause::Due, sink);
            }
        }
    }
}

impl Processor for TailSampling {
    fn process(&mut self, payload: Payload, now: Instant, sink: &mut Sink<'_>) {
        self.set_clock(now);
        let mut spans = 0;
        for chunk in payload.chunks() {
            match self.take(chunk, sink) {
                Ok(taken) => spans += taken,
                Err(error) => tracing::warn!(%error, "a request that is not OTLP is dropped"),
            }
        }
        self.outbox.send(sink);
        sink.dropped(reason::MALFORMED, payload.items().saturating_sub(spans));
    }

    fn deadline(&self) -> Option<Instant> {
        let due = |at: u64, wait: u64| at.saturating_add(wait).saturating_add(TOGETHER.min(wait / 10));
        let oldest = self.held.next_at().map(|at| due(at, self.settings.decision_wait));
        let root = self.roots.front().zip(self.settings.after_root);
        let root = root.map(|(root, wait)| due(root.at, wait));
        let next = oldest.into_iter().chain(root).min()?;
        self.begun.checked_add(Duration::from_nanos(next))
    }

    fn tick(&mut self, now: Instant, sink: &mut Sink<'_>) {
        self.set_clock(now);
        self.decide_due(sink);
        self.outbox.send(sink);
    }

    fn flush(&mut self, sink: &mut Sink<'_>) {
        while let Some(oldest) = self.held.oldest() {
            if self.settings.drops_pending {
                self.drop_trace(&oldest.id, reason::SHUTDOWN, sink);
            } else {
                self.decide(&oldest.id, Cause::Early("shutdown"), sink);
            }
        }
        self.outbox.send(sink);
    }
}
