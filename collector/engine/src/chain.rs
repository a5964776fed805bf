//! The processors of one pipeline, as one task.

use crate::account::reason;
use crate::channel;
use crate::component::{Processor, Sink};
use crate::counts::{PipelineCounts, ProcessorCounts};
use crate::fanout::FanOut;
use crate::output::Entry;
use crate::receipt::Receipt;
use collector_pdata::Payload;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Processors in the order in which an item passes them.
pub(crate) struct Chain {
    stages: Vec<Box<dyn Processor>>,
    /// Items that came in and neither went on nor were dropped.
    held: usize,
    counts: Arc<PipelineCounts>,
}

impl Chain {
    pub(crate) fn new(stages: Vec<Box<dyn Processor>>, counts: Arc<PipelineCounts>) -> Self {
        Chain {
            stages,
            held: 0,
            counts,
        }
    }

    /// Runs until `input` ends; what is held then is given out.
    pub(crate) async fn run(mut self, mut input: channel::Receiver<Entry>, output: FanOut) {
        let mut done = Vec::new();
        loop {
            let wake = self.stages.iter().filter_map(|stage| stage.deadline()).min();
            tokio::select! {
                // A deadline that has passed goes before new input, or a full queue would hold a batch for ever.
                biased;
                () = sleep_until(wake) => {
                    self.tick(Instant::now(), &mut done);
                    self.hand_on(&mut done, &output, None).await;
                }
                entry = input.recv() => match entry {
                    Some(entry) => self.entered(entry, &mut done, &output).await,
                    None => break,
                },
            }
        }
        for index in 0..self.stages.len() {
            self.drive(index, Instant::now(), &mut done, |stage, sink| stage.flush(sink));
        }
        self.hand_on(&mut done, &output, None).await;
        // What a processor has lost stays in the account as held; only a task ended before its time counts it as dropped.
        self.held = 0;
    }

    /// What a processor holds back is in its care; only what goes straight on can be waited for.
    async fn entered(&mut self, entry: Entry, done: &mut Vec<Payload>, output: &FanOut) {
        let (payload, receipt) = entry.take();
        self.enter(payload, done);
        self.hand_on(done, output, receipt.as_ref()).await;
        if let Some(receipt) = receipt {
            receipt.keep();
        }
    }

    fn enter(&mut self, payload: Payload, done: &mut Vec<Payload>) {
        self.held += payload.items();
        self.push(0, payload, Instant::now(), done);
    }

    async fn hand_on(&mut self, done: &mut Vec<Payload>, output: &FanOut, receipt: Option<&Receipt>) {
        for payload in done.drain(..) {
            self.held = self.held.saturating_sub(payload.items());
            output.send(payload, receipt).await;
        }
    }

    fn tick(&mut self, now: Instant, done: &mut Vec<Payload>) {
        for index in 0..self.stages.len() {
            if self.stages[index].deadline().is_some_and(|deadline| deadline <= now) {
                self.drive(index, now, done, |stage, sink| stage.tick(now, sink));
            }
        }
    }

    /// Gives `payload` to the stage `index`, or to `done` behind the last.
    fn push(&mut self, index: usize, payload: Payload, now: Instant, done: &mut Vec<Payload>) {
        if index == self.stages.len() {
            done.push(payload);
        } else {
            self.count(index, |counts| &counts.incoming, payload.items());
            self.drive(index, now, done, |stage, sink| stage.process(payload, now, sink));
        }
    }

    fn drive(
        &mut self,
        index: usize,
        now: Instant,
        done: &mut Vec<Payload>,
        act: impl FnOnce(&mut dyn Processor, &mut Sink<'_>),
    ) {
        let mut out = Vec::new();
        let mut sink = Sink {
            out: &mut out,
            held: &mut self.held,
            counts: &self.counts,
        };
        act(self.stages[index].as_mut(), &mut sink);
        for payload in out {
            self.count(index, |counts| &counts.outgoing, payload.items());
            self.push(index + 1, payload, now, done);
        }
    }

    fn count(&self, index: usize, which: fn(&ProcessorCounts) -> &AtomicU64, items: usize) {
        if let Some(counts) = self.counts.processors.get(index) {
            which(counts).fetch_add(items as u64, Ordering::Relaxed);
        }
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        self.counts.dropped.add(reason::SHUTDOWN, self.held);
    }
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(wake.into()).await,
        None => std::future::pending().await,
    }
}
