//! The counters behind the account, which components and queues add to.

use crate::account::{ExporterAccount, PipelineAccount, ProcessorAccount, ReceiverAccount, SignalAccount};
use crate::workloads::{self, Places, Tally};
use collector_pdata::{Payload, Signal};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

/// Counts by reason. Only drops take the lock.
#[derive(Debug, Default)]
pub(crate) struct Drops(Mutex<BTreeMap<&'static str, u64>>);

impl Drops {
    pub(crate) fn add(&self, reason: &'static str, items: usize) {
        if items > 0 {
            *lock(&self.0).entry(reason).or_default() += items as u64;
        }
    }

    fn snapshot(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.0).clone()
    }
}

/// A panic between lock and unlock leaves counts as they were.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a receiver reads from, where that has counters of its own (the kernel's probes).
pub trait Source: Send + Sync {
    /// Names and values, in the order in which they are shown.
    fn counters(&self) -> Vec<(&'static str, u64)>;
}

/// What has come through a receiver of one signal.
#[derive(Debug, Default)]
struct Flow {
    received: AtomicU64,
    refused: AtomicU64,
    bytes: AtomicU64,
}

/// What has come over one transport, by signal.
#[derive(Debug, Default)]
pub(crate) struct Flows {
    transport: &'static str,
    of_signals: [Flow; 3],
}

impl Flows {
    fn flow(&self, signal: Signal) -> &Flow {
        &self.of_signals[signal as usize]
    }

    pub(crate) fn received(&self, payload: &Payload) {
        let flow = self.flow(payload.signal());
        flow.received.fetch_add(payload.items() as u64, Ordering::Relaxed);
        flow.bytes.fetch_add(payload.bytes() as u64, Ordering::Relaxed);
    }

    pub(crate) fn refused(&self, payload: &Payload) {
        let flow = self.flow(payload.signal());
        flow.refused.fetch_add(payload.items() as u64, Ordering::Relaxed);
    }

    fn snapshot(&self, signal: Signal) -> SignalAccount {
        let flow = self.flow(signal);
        SignalAccount {
            transport: self.transport,
            signal,
            received: flow.received.load(Ordering::Relaxed),
            refused: flow.refused.load(Ordering::Relaxed),
            bytes: flow.bytes.load(Ordering::Relaxed),
        }
    }
}

/// A receiver's counts, for the receiver to add to.
#[derive(Default)]
pub struct ReceiverCounts {
    id: String,
    /// One for each transport that it has had.
    flows: Mutex<Vec<Arc<Flows>>>,
    malformed: AtomicU64,
    places: Arc<Places>,
    /// By worker.
    tallies: Mutex<Vec<Arc<Tally>>>,
    dropped: Drops,
    source: Mutex<Option<Arc<dyn Source>>>,
}

/// A component's last trouble.
#[derive(Debug, Default)]
pub(crate) struct Trouble(Mutex<Option<LastError>>);

/// What a component last failed at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastError {
    /// Why, for a person.
    pub reason: String,
    /// When it last happened.
    pub at: SystemTime,
    /// Nothing has succeeded since.
    pub lasting: bool,
}

#[derive(Debug, Default)]
pub(crate) struct PipelineCounts {
    pub(crate) id: String,
    pub(crate) received: AtomicU64,
    pub(crate) forwarded: AtomicU64,
    pub(crate) dropped: Drops,
    /// In the order in which items pass them.
    pub(crate) processors: Vec<ProcessorCounts>,
    pub(crate) exporters: Vec<Arc<ExporterCounts>>,
}

#[derive(Debug, Default)]
pub(crate) struct ProcessorCounts {
    pub(crate) id: String,
    pub(crate) incoming: AtomicU64,
    pub(crate) outgoing: AtomicU64,
}

#[derive(Debug, Default)]
pub(crate) struct ExporterCounts {
    pub(crate) id: String,
    pub(crate) received: AtomicU64,
    pub(crate) exported: AtomicU64,
    /// Left on disk for the next start.
    pub(crate) stored: AtomicU64,
    pub(crate) exported_bytes: AtomicU64,
    pub(crate) held_bytes: AtomicU64,
    pub(crate) dropped: Drops,
    pub(crate) trouble: Arc<Trouble>,
}

/// A worker's sign of life.
#[derive(Debug)]
pub(crate) struct Pulse(Mutex<Instant>);

impl Default for Pulse {
    fn default() -> Self {
        Pulse(Mutex::new(Instant::now()))
    }
}

impl Pulse {
    pub(crate) fn beat(&self) {
        *lock(&self.0) = Instant::now();
    }

    pub(crate) fn last(&self) -> Instant {
        *lock(&self.0)
    }
}

impl Trouble {
    #[expect(clippy::disallowed_methods, reason = "people read it, and nothing is measured by it")]
    pub(crate) fn failed(&self, reason: String) {
        let at = SystemTime::now();
        *lock(&self.0) = Some(LastError {
            reason,
            at,
            lasting: true,
        });
    }

    pub(crate) fn succeeded(&self) {
        if let Some(error) = lock(&self.0).as_mut() {
            error.lasting = false;
        }
    }

    pub(crate) fn last(&self) -> Option<LastError> {
        lock(&self.0).clone()
    }
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

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The counts of what comes over a transport; empty is none in particular.
    pub(crate) fn flows(&self, transport: &'static str) -> Arc<Flows> {
        let mut all = lock(&self.flows);
        if let Some(known) = all.iter().find(|flows| flows.transport == transport) {
            return known.clone();
        }
        let flows = Arc::new(Flows {
            transport,
            ..Flows::default()
        });
        all.push(flows.clone());
        flows
    }

    /// The counts by workload of one worker, which go on over a reload.
    pub(crate) fn tally(&self, worker: usize) -> Arc<Tally> {
        let mut tallies = lock(&self.tallies);
        while tallies.len() <= worker {
            tallies.push(Arc::new(Tally::new(self.places.clone())));
        }
        tallies[worker].clone()
    }

    /// Items that came in and were not handed on.
    pub fn dropped(&self, reason: &'static str, items: usize) {
        self.dropped.add(reason, items);
    }

    /// A request whose items could not even be counted, since it was not OTLP or too large.
    pub fn malformed_request(&self) {
        self.malformed.fetch_add(1, Ordering::Relaxed);
    }

    /// Publishes the counters of what this receiver reads from; they become part of the account.
    pub fn publish(&self, source: Arc<dyn Source>) {
        *lock(&self.source) = Some(source);
    }

    pub(crate) fn snapshot(&self) -> ReceiverAccount {
        let source = lock(&self.source).clone();
        let flows = lock(&self.flows).clone();
        let of_signals = |flows: &Arc<Flows>| Signal::ALL.map(|signal| flows.snapshot(signal));
        let mut signals: Vec<SignalAccount> = flows.iter().flat_map(of_signals).collect();
        signals.retain(|signal| signal.received + signal.refused > 0);
        ReceiverAccount {
            id: self.id.clone(),
            received: signals.iter().map(|signal| signal.received).sum(),
            refused: signals.iter().map(|signal| signal.refused).sum(),
            malformed_requests: self.malformed.load(Ordering::Relaxed),
            signals,
            workloads: workloads::accounts(&self.places, &lock(&self.tallies).clone()),
            dropped: self.dropped.snapshot(),
            source: source.map(|source| source.counters()).unwrap_or_default(),
        }
    }
}

impl PipelineCounts {
    pub(crate) fn snapshot(&self) -> PipelineAccount {
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
            processors: self.processors.iter().map(ProcessorCounts::snapshot).collect(),
            exporters,
        }
    }
}

impl ProcessorCounts {
    pub(crate) fn new(id: String) -> Self {
        ProcessorCounts {
            id,
            ..ProcessorCounts::default()
        }
    }

    fn snapshot(&self) -> ProcessorAccount {
        ProcessorAccount {
            id: self.id.clone(),
            incoming: self.incoming.load(Ordering::Relaxed),
            outgoing: self.outgoing.load(Ordering::Relaxed),
        }
    }
}

impl ExporterCounts {
    fn snapshot(&self) -> ExporterAccount {
        let exported = self.exported.load(Ordering::Acquire);
        let stored = self.stored.load(Ordering::Acquire);
        let dropped = self.dropped.snapshot();
        let received = self.received.load(Ordering::Acquire);
        ExporterAccount {
            id: self.id.clone(),
            received,
            held: received.saturating_sub(exported + stored + dropped.values().sum::<u64>()),
            held_bytes: self.held_bytes.load(Ordering::Relaxed),
            exported,
            stored,
            exported_bytes: self.exported_bytes.load(Ordering::Relaxed),
            absent: 0,
            dropped,
            last_error: self.trouble.last(),
        }
    }
}
