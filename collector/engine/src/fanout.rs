//! The ways of an item between components, where it is counted.

use crate::account::{ExporterCounts, PipelineCounts, ReceiverCounts, reason};
use crate::channel::{self, SendError, Weight};
use crate::component::Overflow;
use collector_pdata::Payload;
use kit::drain::Draining;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

/// Where a receiver puts what came in: the queues of its pipelines.
#[derive(Debug, Clone)]
pub struct Output {
    pub(crate) counts: Arc<ReceiverCounts>,
    pub(crate) pipelines: Vec<(channel::Sender<Entry>, Arc<PipelineCounts>)>,
}

/// How often a thread that waits for room looks after its other duties.
const LOOK: Duration = Duration::from_millis(50);

impl Output {
    /// Hands a payload on. Waits while a pipeline has no room, which is the back-pressure that the receiver passes on.
    pub async fn send(&self, payload: Payload) {
        self.counts.received(payload.items());
        for (queue, counts) in &self.pipelines {
            counts.received.fetch_add(payload.items() as u64, Ordering::Release);
            let entry = Entry {
                ticket: Ticket {
                    items: payload.items(),
                    counts: counts.clone(),
                },
                payload: payload.clone(),
            };
            // The entry that a closed queue gives back counts itself as dropped.
            drop(queue.send(entry).await);
        }
    }

    /// The same for a thread that is not of the runtime. As long as it has to wait, `meanwhile` is called again and again.
    pub fn send_blocking(&self, payload: Payload, mut meanwhile: impl FnMut()) {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        let mut sending = pin!(self.send(payload));
        while sending.as_mut().poll(&mut context).is_pending() {
            thread::park_timeout(LOOK);
            meanwhile();
        }
    }

    /// The receiver's own counts.
    pub fn counts(&self) -> &Arc<ReceiverCounts> {
        &self.counts
    }
}

/// Wakes a thread that waits for a future.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// What waits before a pipeline's processors.
#[derive(Debug)]
pub(crate) struct Entry {
    payload: Payload,
    ticket: Ticket,
}

/// Counts the items of an entry that is let go of.
#[derive(Debug)]
struct Ticket {
    items: usize,
    counts: Arc<PipelineCounts>,
}

impl Entry {
    /// The items pass into the pipeline's care.
    pub(crate) fn take(mut self) -> Payload {
        self.ticket.items = 0;
        self.payload
    }
}

impl Weight for Entry {
    fn items(&self) -> usize {
        self.payload.items()
    }
    fn bytes(&self) -> usize {
        self.payload.bytes()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.counts.dropped.add(reason::SHUTDOWN, self.items);
    }
}

/// A pipeline's exporters.
#[derive(Debug)]
pub(crate) struct FanOut {
    pub(crate) counts: Arc<PipelineCounts>,
    pub(crate) exporters: Vec<ExporterQueue>,
}

/// The queue of one exporter, as one pipeline sees it.
#[derive(Debug, Clone)]
pub(crate) struct ExporterQueue {
    pub(crate) queue: channel::Sender<Delivery>,
    pub(crate) counts: Arc<ExporterCounts>,
    pub(crate) overflow: Overflow,
    pub(crate) abandoned: &'static str,
}

impl FanOut {
    /// Hands `payload` to every exporter. The claims are made before the first wait, so that a drain that ends the task
    /// in the middle counts every one of them.
    pub(crate) async fn send(&self, payload: Payload) {
        let items = payload.items();
        let deliveries: Vec<Delivery> = self
            .exporters
            .iter()
            .map(|exporter| exporter.delivery(payload.clone()))
            .collect();
        self.counts.forwarded.fetch_add(items as u64, Ordering::Release);
        for (exporter, delivery) in self.exporters.iter().zip(deliveries) {
            exporter.send(delivery).await;
        }
    }
}

impl ExporterQueue {
    fn delivery(&self, payload: Payload) -> Delivery {
        self.counts
            .received
            .fetch_add(payload.items() as u64, Ordering::Release);
        Delivery {
            claim: Claim {
                items: payload.items(),
                counts: self.counts.clone(),
                abandoned: self.abandoned,
            },
            payload,
        }
    }

    async fn send(&self, delivery: Delivery) {
        let sent = match self.overflow {
            Overflow::Wait => self.queue.send(delivery).await,
            Overflow::Drop => self.queue.try_send(delivery),
        };
        match sent {
            Err(SendError::Full(delivery)) => delivery.claim.dropped(reason::QUEUE_FULL),
            // The exporter is gone: dropping the delivery counts it as abandoned.
            Err(SendError::Closed(_)) | Ok(()) => {}
        }
    }
}

/// What an exporter is given.
#[derive(Debug)]
pub struct Delivery {
    /// The items.
    pub payload: Payload,
    /// The duty to say what became of them.
    pub claim: Claim,
}

impl Weight for Delivery {
    fn items(&self) -> usize {
        self.payload.items()
    }
    fn bytes(&self) -> usize {
        self.payload.bytes()
    }
}

/// The duty to say what became of a number of items. A claim that is let go of counts them as dropped, so that no way
/// through an exporter can lose an item silently.
#[derive(Debug)]
pub struct Claim {
    items: usize,
    counts: Arc<ExporterCounts>,
    abandoned: &'static str,
}

impl Claim {
    /// How many items it is for.
    pub fn items(&self) -> usize {
        self.items
    }

    /// The destination has taken them.
    pub fn exported(mut self) {
        let items = std::mem::take(&mut self.items);
        self.counts.exported.fetch_add(items as u64, Ordering::Release);
    }

    /// They go nowhere.
    pub fn dropped(mut self, reason: &'static str) {
        let items = std::mem::take(&mut self.items);
        self.counts.dropped.add(reason, items);
    }

    /// Separates up to `items` of them, to be answered for on their own.
    pub fn split(&mut self, items: usize) -> Claim {
        let items = items.min(self.items);
        self.items -= items;
        Claim {
            items,
            counts: self.counts.clone(),
            abandoned: self.abandoned,
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.counts.dropped.add(self.abandoned, self.items);
    }
}

/// Where an exporter gets its items from.
#[derive(Debug)]
pub struct ExporterInput {
    pub(crate) queue: channel::Receiver<Delivery>,
    pub(crate) draining: Draining,
    /// Set when the exporter has been told that nothing more will come.
    pub(crate) ended: Arc<AtomicBool>,
}

impl ExporterInput {
    /// The next delivery; `None` when no pipeline has any more.
    pub async fn next(&mut self) -> Option<Delivery> {
        let next = self.queue.recv().await;
        self.ended.store(next.is_none(), Ordering::Relaxed);
        next
    }

    /// Tells when the drain begins: from then on, nothing is worth waiting for beyond its deadline.
    pub fn draining(&self) -> Draining {
        self.draining.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use collector_pdata::Signal;

    #[test]
    fn a_thread_that_waits_for_room_looks_after_its_other_duties() {
        let payload = || Payload::new(Signal::Traces, Bytes::from_static(&[0; 10]), 1);
        let (sender, receiver) = channel::channel(channel::Limits { items: 1, bytes: 10 });
        let output = Output {
            counts: Arc::default(),
            pipelines: vec![(sender, Arc::default())],
        };
        output.send_blocking(payload(), || panic!("there was room"));
        let (mut receiver, mut looks) = (Some(receiver), 0);
        output.send_blocking(payload(), || {
            looks += 1;
            // The third look lets go of the queue, which ends the wait.
            receiver = receiver.take().filter(|_| looks < 3);
        });
        assert_eq!(looks, 3);
    }
}
