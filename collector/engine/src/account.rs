//! The loss account: `in = out + dropped + held`, for every pipeline and exporter, at any time.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Why items are dropped, in the words of the account. Components may have more of their own.
pub mod reason {
    /// The drain's deadline passed before a processor or an exporter was done with it.
    pub const SHUTDOWN: &str = "shutdown";
    /// The destination did not take it within the bounds of retry and drain.
    pub const EXPORT_FAILED: &str = "export_failed";
    /// The destination took the request and refused these items of it.
    pub const REJECTED: &str = "rejected";
    /// An exporter's queue had no room.
    pub const QUEUE_FULL: &str = "queue_full";
    /// The bytes were not OTLP.
    pub const MALFORMED: &str = "malformed";
}

/// Counts by reason. Only drops take the lock.
#[derive(Debug, Default)]
pub(crate) struct Drops(Mutex<BTreeMap<&'static str, u64>>);

impl Drops {
    pub(crate) fn add(&self, reason: &'static str, items: usize) {
        if items > 0 {
            let mut drops = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            *drops.entry(reason).or_default() += items as u64;
        }
    }

    fn snapshot(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What a receiver reads from, where that has counters of its own (the kernel's probes).
pub trait Source: Send + Sync {
    /// Names and values, in the order in which they are shown.
    fn counters(&self) -> Vec<(&'static str, u64)>;
}

/// A receiver's counts, for the receiver to add to.
#[derive(Default)]
pub struct ReceiverCounts {
    id: String,
    received: AtomicU64,
    dropped: Drops,
    source: Mutex<Option<Arc<dyn Source>>>,
}

#[derive(Debug, Default)]
pub(crate) struct PipelineCounts {
    pub(crate) id: String,
    pub(crate) received: AtomicU64,
    pub(crate) forwarded: AtomicU64,
    pub(crate) dropped: Drops,
    pub(crate) exporters: Vec<Arc<ExporterCounts>>,
}

#[derive(Debug, Default)]
pub(crate) struct ExporterCounts {
    pub(crate) id: String,
    pub(crate) received: AtomicU64,
    pub(crate) exported: AtomicU64,
    pub(crate) dropped: Drops,
}

/// All counts of an engine.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) receivers: Vec<Arc<ReceiverCounts>>,
    pub(crate) pipelines: Vec<Arc<PipelineCounts>>,
}

impl fmt::Debug for ReceiverCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiverCounts")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl ReceiverCounts {
    pub(crate) fn new(id: String) -> Self {
        ReceiverCounts {
            id,
            ..ReceiverCounts::default()
        }
    }

    pub(crate) fn received(&self, items: usize) {
        self.received.fetch_add(items as u64, Ordering::Relaxed);
    }

    /// Items that came in and were not handed on.
    pub fn dropped(&self, reason: &'static str, items: usize) {
        self.dropped.add(reason, items);
    }

    /// Publishes the counters of what this receiver reads from; they become part of the account.
    pub fn publish(&self, source: Arc<dyn Source>) {
        *self.source.lock().unwrap_or_else(PoisonError::into_inner) = Some(source);
    }

    fn snapshot(&self) -> ReceiverAccount {
        let source = self.source.lock().unwrap_or_else(PoisonError::into_inner).clone();
        ReceiverAccount {
            id: self.id.clone(),
            received: self.received.load(Ordering::Relaxed),
            dropped: self.dropped.snapshot(),
            source: source.map(|source| source.counters()).unwrap_or_default(),
        }
    }
}

impl PipelineCounts {
    fn snapshot(&self) -> PipelineAccount {
        // What leaves is read before what enters, so that a moving count never shows more leaving than entering.
        let exporters = self.exporters.iter().map(|exporter| exporter.snapshot()).collect();
        let forwarded = self.forwarded.load(Ordering::Acquire);
        let dropped = self.dropped.snapshot();
        let received = self.received.load(Ordering::Acquire);
        PipelineAccount {
            id: self.id.clone(),
            received,
            held: received.saturating_sub(forwarded + dropped.values().sum::<u64>()),
            dropped,
            forwarded,
            exporters,
        }
    }
}

impl ExporterCounts {
    fn snapshot(&self) -> ExporterAccount {
        let exported = self.exported.load(Ordering::Acquire);
        let dropped = self.dropped.snapshot();
        let received = self.received.load(Ordering::Acquire);
        ExporterAccount {
            id: self.id.clone(),
            received,
            held: received.saturating_sub(exported + dropped.values().sum::<u64>()),
            exported,
            dropped,
        }
    }
}

impl Ledger {
    pub(crate) fn snapshot(&self) -> Account {
        let pipelines = self.pipelines.iter().map(|pipeline| pipeline.snapshot()).collect();
        Account {
            receivers: self.receivers.iter().map(|receiver| receiver.snapshot()).collect(),
            pipelines,
        }
    }
}

/// What became of every item, at one moment. Exact once the engine has ended; while it runs, counts move between the
/// reading of one and of the next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// In the order of the configuration.
    pub receivers: Vec<ReceiverAccount>,
    /// In the order of the configuration.
    pub pipelines: Vec<PipelineAccount>,
}

/// What came in through a receiver.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReceiverAccount {
    /// The receiver's id.
    pub id: String,
    /// Items handed to its pipelines (each counts once here, however many pipelines there are).
    pub received: u64,
    /// Items that came in and were not handed on, by reason.
    pub dropped: BTreeMap<&'static str, u64>,
    /// The counters of what it reads from, such as the kernel's; empty if it has none.
    pub source: Vec<(&'static str, u64)>,
}

/// What became of the items of one pipeline: `received = forwarded + dropped + held`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PipelineAccount {
    /// The pipeline's id.
    pub id: String,
    /// Items that came from its receivers.
    pub received: u64,
    /// Items that passed its processors; each exporter got every one of them.
    pub forwarded: u64,
    /// Items dropped before the exporters, by reason.
    pub dropped: BTreeMap<&'static str, u64>,
    /// Items waiting in its queue and in its processors.
    pub held: u64,
    /// Its exporters.
    pub exporters: Vec<ExporterAccount>,
}

/// What became of one pipeline's items at one exporter: `received = exported + dropped + held`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExporterAccount {
    /// The exporter's id.
    pub id: String,
    /// Items that came from the pipeline.
    pub received: u64,
    /// Items that the destination has taken.
    pub exported: u64,
    /// Items dropped, by reason.
    pub dropped: BTreeMap<&'static str, u64>,
    /// Items waiting in its queue, or on their way.
    pub held: u64,
}

/// One line about a pipeline's exporter, from the source to the destination.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Items that entered the pipeline.
    pub received: u64,
    /// Items that the exporter's destination has taken.
    pub exported: u64,
    /// Items dropped on the way, by reason.
    pub dropped: BTreeMap<&'static str, u64>,
    /// Items still on the way.
    pub held: u64,
}

impl Account {
    /// From a pipeline's entry to one exporter's destination; `received = exported + dropped + held`.
    pub fn totals(pipeline: &PipelineAccount, exporter: &ExporterAccount) -> Totals {
        let mut dropped = pipeline.dropped.clone();
        for (reason, items) in &exporter.dropped {
            *dropped.entry(reason).or_default() += items;
        }
        Totals {
            received: pipeline.received,
            exported: exporter.exported,
            dropped,
            // Whatever the pipeline has forwarded and the exporter has not been given yet is on its way too.
            held: pipeline.held + exporter.held + pipeline.forwarded.saturating_sub(exporter.received),
        }
    }

    /// Whether every count adds up. True at any time after the engine has ended; a false then is a fault of ours.
    pub fn balances(&self) -> bool {
        let sum = |dropped: &BTreeMap<&'static str, u64>| dropped.values().sum::<u64>();
        self.pipelines.iter().all(|pipeline| {
            pipeline.received == pipeline.forwarded + sum(&pipeline.dropped) + pipeline.held
                && pipeline.exporters.iter().all(|exporter| {
                    exporter.received == pipeline.forwarded
                        && exporter.received == exporter.exported + sum(&exporter.dropped) + exporter.held
                })
        })
    }
}

impl fmt::Display for Account {
    /// One line a receiver and one a pipeline's exporter.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut newline = "";
        for receiver in &self.receivers {
            write!(f, "{newline}{}: received {}", receiver.id, receiver.received)?;
            write_reasons(f, &receiver.dropped)?;
            for (name, value) in &receiver.source {
                write!(f, ", {name} {value}")?;
            }
            newline = "\n";
        }
        for pipeline in &self.pipelines {
            for exporter in &pipeline.exporters {
                let totals = Account::totals(pipeline, exporter);
                write!(
                    f,
                    "{newline}{} -> {}: received {}, ",
                    pipeline.id, exporter.id, totals.received
                )?;
                write!(f, "exported {}", totals.exported)?;
                write_reasons(f, &totals.dropped)?;
                write!(f, ", held {}", totals.held)?;
                newline = "\n";
            }
        }
        Ok(())
    }
}

fn write_reasons(f: &mut fmt::Formatter<'_>, dropped: &BTreeMap<&'static str, u64>) -> fmt::Result {
    write!(f, ", dropped {}", dropped.values().sum::<u64>())?;
    if dropped.is_empty() {
        return Ok(());
    }
    let reasons: Vec<String> = dropped
        .iter()
        .map(|(reason, items)| format!("{reason} {items}"))
        .collect();
    write!(f, " ({})", reasons.join(", "))
}
