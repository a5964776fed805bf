//! The loss account: `in = out + dropped + stored + held`, for every pipeline and exporter, at any time.

use crate::counts::LastError;
use crate::workloads::WorkloadAccount;
use collector_pdata::Signal;
use std::collections::BTreeMap;
use std::fmt;

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
    /// The pipeline that was to take it is gone with a reload.
    pub const NO_PIPELINE: &str = "no_pipeline";
    /// The bytes were not OTLP.
    pub const MALFORMED: &str = "malformed";
}

/// What stands behind the signal in the id of [`PipelineAccount`] for items that were found on disk. It is no pipeline's name.
pub const RECOVERED: &str = "(disk)";

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
    /// Items refused since a pipeline had no room; their sender still has them.
    pub refused: u64,
    /// Requests refused whose items could not be counted.
    pub malformed_requests: u64,
    /// The same by transport and signal, as far as there was any.
    pub signals: Vec<SignalAccount>,
    /// What was received, by who sent it. Nothing for a connector, which gives what others have received.
    pub workloads: Vec<WorkloadAccount>,
    /// Items that came in and were not handed on, by reason.
    pub dropped: BTreeMap<&'static str, u64>,
    /// The counters of what it reads from, such as the kernel's; empty if it has none.
    pub source: Vec<(&'static str, u64)>,
}

/// What came in of one signal over one transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignalAccount {
    /// How it came, such as `grpc`; empty if the receiver tells none apart.
    pub transport: &'static str,
    /// The signal.
    pub signal: Signal,
    /// As [`ReceiverAccount::received`].
    pub received: u64,
    /// As [`ReceiverAccount::refused`].
    pub refused: u64,
    /// The encoded bytes of what was received.
    pub bytes: u64,
}

/// What became of the items of one pipeline: `received = forwarded + dropped + held`. What an exporter finds on disk from
/// before has come through none; it has an account of its own, [`RECOVERED`] behind its signal.
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
    /// Its processors, in the order in which items pass them.
    pub processors: Vec<ProcessorAccount>,
    /// Its exporters.
    pub exporters: Vec<ExporterAccount>,
}

/// How many items a processor of one pipeline was given and has given on. It may make several of one, or hold some back;
/// what becomes of each is in the pipeline's account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProcessorAccount {
    /// The processor's id.
    pub id: String,
    /// Items that it was given.
    pub incoming: u64,
    /// Items that it has given on.
    pub outgoing: u64,
}

/// What became of one pipeline's items at one exporter: `received = exported + dropped + stored + held`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExporterAccount {
    /// The exporter's id.
    pub id: String,
    /// Items that came from the pipeline.
    pub received: u64,
    /// Items that the destination has taken.
    pub exported: u64,
    /// Items that an exporter which has ended has left on disk, for the next start to deliver.
    pub stored: u64,
    /// Items dropped, by reason.
    pub dropped: BTreeMap<&'static str, u64>,
    /// Items waiting in its queue, in memory or on disk, or on their way.
    pub held: u64,
    /// Encoded bytes of what is held.
    pub held_bytes: u64,
    /// Encoded bytes of what the destination has taken.
    pub exported_bytes: u64,
    /// Items that the pipeline forwarded while this exporter was not, or is no more, one of its own.
    pub absent: u64,
    /// What it last failed at.
    pub last_error: Option<LastError>,
}

/// One line about a pipeline's exporter, from the source to the destination.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Items that entered the pipeline.
    pub received: u64,
    /// Items that the exporter's destination has taken.
    pub exported: u64,
    /// Items left on disk for the next start.
    pub stored: u64,
    /// Items dropped on the way, by reason.
    pub dropped: BTreeMap<&'static str, u64>,
    /// Items still on the way.
    pub held: u64,
}

impl Account {
    /// From a pipeline's entry to one exporter's destination; `received = exported + dropped + stored + held`.
    pub fn totals(pipeline: &PipelineAccount, exporter: &ExporterAccount) -> Totals {
        let mut dropped = pipeline.dropped.clone();
        add(&mut dropped, &exporter.dropped);
        Totals {
            received: pipeline.received - exporter.absent.min(pipeline.received),
            exported: exporter.exported,
            stored: exporter.stored,
            dropped,
            // Whatever the pipeline has forwarded and the exporter has not been given yet is on its way too.
            held: pipeline.held
                + exporter.held
                + pipeline.forwarded.saturating_sub(exporter.received + exporter.absent),
        }
    }

    /// Whether every count adds up. True at any time after the engine has ended; a false then is a fault of ours.
    pub fn balances(&self) -> bool {
        let sum = |dropped: &BTreeMap<&'static str, u64>| dropped.values().sum::<u64>();
        self.pipelines.iter().all(|pipeline| {
            pipeline.received == pipeline.forwarded + sum(&pipeline.dropped) + pipeline.held
                && pipeline.exporters.iter().all(|exporter| {
                    exporter.received + exporter.absent == pipeline.forwarded
                        && exporter.received
                            == exporter.exported + exporter.stored + sum(&exporter.dropped) + exporter.held
                })
        })
    }
}

impl PipelineAccount {
    /// Items are still under way.
    pub(crate) fn is_moving(&self) -> bool {
        self.held > 0 || self.exporters.iter().any(|exporter| exporter.held > 0)
    }

    /// Adds what another pipeline of the same id has counted, before or after a reload.
    pub(crate) fn merge(&mut self, other: PipelineAccount) {
        for exporter in &mut self.exporters {
            if !other.exporters.iter().any(|theirs| theirs.id == exporter.id) {
                exporter.absent += other.forwarded;
            }
        }
        for mut theirs in other.exporters {
            match self.exporters.iter_mut().find(|exporter| exporter.id == theirs.id) {
                Some(exporter) => exporter.merge(theirs),
                None => {
                    theirs.absent += self.forwarded;
                    self.exporters.push(theirs);
                }
            }
        }
        for theirs in other.processors {
            match self.processors.iter_mut().find(|processor| processor.id == theirs.id) {
                Some(processor) => {
                    processor.incoming += theirs.incoming;
                    processor.outgoing += theirs.outgoing;
                }
                None => self.processors.push(theirs),
            }
        }
        self.received += other.received;
        self.forwarded += other.forwarded;
        self.held += other.held;
        add(&mut self.dropped, &other.dropped);
    }
}

impl ExporterAccount {
    fn merge(&mut self, other: ExporterAccount) {
        self.received += other.received;
        self.exported += other.exported;
        self.stored += other.stored;
        self.held += other.held;
        self.held_bytes += other.held_bytes;
        self.exported_bytes += other.exported_bytes;
        self.absent += other.absent;
        self.last_error = other.last_error.or(self.last_error.take());
        add(&mut self.dropped, &other.dropped);
    }
}

fn add(sum: &mut BTreeMap<&'static str, u64>, dropped: &BTreeMap<&'static str, u64>) {
    for (reason, items) in dropped {
        *sum.entry(reason).or_default() += items;
    }
}

impl fmt::Display for Account {
    /// One line a receiver and one a pipeline's exporter.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut newline = "";
        for receiver in &self.receivers {
            write!(f, "{newline}{}: received {}", receiver.id, receiver.received)?;
            if receiver.refused > 0 {
                write!(f, ", refused {}", receiver.refused)?;
            }
            if receiver.malformed_requests > 0 {
                write!(f, ", malformed requests {}", receiver.malformed_requests)?;
            }
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
                if totals.stored > 0 {
                    write!(f, ", stored {}", totals.stored)?;
                }
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
