//! All counters of an engine, those of components that a reload has replaced included.

use crate::account::{Account, PipelineAccount, RECOVERED};
use crate::counts::{ExporterCounts, PipelineCounts, ReceiverCounts, Trouble, lock};
use collector_pdata::Signal;
use std::sync::{Arc, Mutex};

/// Who counts, in the order in which it was first configured.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Books>);

#[derive(Debug, Default)]
struct Books {
    receivers: Vec<Arc<ReceiverCounts>>,
    /// Several of one id where a reload has replaced a pipeline that still gives out what it holds.
    pipelines: Vec<Arc<PipelineCounts>>,
    /// The sums of replaced pipelines that have ended.
    past: Vec<PipelineAccount>,
}

impl Ledger {
    /// The receiver's counts; those that it had before, if it is only configured anew.
    pub(crate) fn receiver(&self, id: &str) -> Arc<ReceiverCounts> {
        let mut books = lock(&self.0);
        if let Some(known) = books.receivers.iter().find(|counts| counts.id() == id) {
            return known.clone();
        }
        let counts = Arc::new(ReceiverCounts::new(id.to_owned()));
        books.receivers.push(counts.clone());
        counts
    }

    pub(crate) fn pipeline(&self, counts: Arc<PipelineCounts>) {
        let mut books = lock(&self.0);
        let Books { pipelines, past, .. } = &mut *books;
        // Whoever has ended holds its counts no more.
        pipelines.retain(|counts| {
            let goes_on = Arc::strong_count(counts) > 1 || counts.snapshot().is_moving();
            if !goes_on {
                past.push(counts.snapshot());
            }
            goes_on
        });
        pipelines.push(counts);
        *past = merged(std::mem::take(past));
    }

    /// The counts of what an exporter finds on disk, which belongs to none of the pipelines of now.
    pub(crate) fn recovered(&self, signal: Signal, exporter: &str, trouble: Arc<Trouble>) -> Arc<PipelineCounts> {
        let exporter = ExporterCounts {
            id: exporter.to_owned(),
            trouble,
            ..ExporterCounts::default()
        };
        let counts = Arc::new(PipelineCounts {
            id: format!("{}/{RECOVERED}", signal.name()),
            exporters: vec![Arc::new(exporter)],
            ..PipelineCounts::default()
        });
        self.pipeline(counts.clone());
        counts
    }

    pub(crate) fn snapshot(&self) -> Account {
        let books = lock(&self.0);
        let running = books.pipelines.iter().map(|pipeline| pipeline.snapshot());
        Account {
            receivers: books.receivers.iter().map(|receiver| receiver.snapshot()).collect(),
            pipelines: merged(books.past.iter().cloned().chain(running).collect()),
        }
    }
}

/// One account for each id.
fn merged(accounts: Vec<PipelineAccount>) -> Vec<PipelineAccount> {
    let mut all: Vec<PipelineAccount> = Vec::new();
    for account in accounts {
        match all.iter_mut().find(|known| known.id == account.id) {
            Some(known) => known.merge(account),
            None => all.push(account),
        }
    }
    all
}
