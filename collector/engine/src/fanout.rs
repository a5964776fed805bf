//! The way of an item from a pipeline to its exporters, where it is counted.

use crate::account::reason;
use crate::channel::{self, SendError, Weight};
use crate::component::Overflow;
use crate::counts::{ExporterCounts, PipelineCounts, Trouble};
use crate::ledger::Ledger;
use crate::receipt::Receipt;
use crate::shelf::Recovery;
use collector_pdata::Payload;
use kit::drain::Draining;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

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
    pub(crate) counts_requests: bool,
    pub(crate) is_durable: bool,
}

impl FanOut {
    /// Hands `payload` to every exporter. The claims are made before the first wait, so that a drain that ends the task
    /// in the middle counts every one of them.
    pub(crate) async fn send(&self, payload: Payload, receipt: Option<&Receipt>) {
        let mut waiting: Vec<(&ExporterQueue, Delivery)> = self
            .exporters
            .iter()
            .map(|exporter| (exporter, exporter.delivery(payload.clone(), receipt)))
            .collect();
        self.counts
            .forwarded
            .fetch_add(payload.items() as u64, Ordering::Release);
        drop(payload);
        while !hand_over(&mut waiting) && !waiting.is_empty() {
            any_has_room(&waiting).await;
        }
        for (exporter, delivery) in waiting {
            match exporter.overflow {
                // The exporter may be gone: dropping the delivery counts it as abandoned.
                Overflow::Wait => drop(exporter.queue.send(delivery).await),
                Overflow::Drop => delivery.give_up(reason::QUEUE_FULL),
            }
        }
    }
}

/// Gives to those that have room, and keeps the rest. True if there was one.
fn hand_over(waiting: &mut Vec<(&ExporterQueue, Delivery)>) -> bool {
    let mut progress = false;
    let mut left = Vec::new();
    for (exporter, delivery) in waiting.drain(..) {
        match exporter.queue.try_send(delivery) {
            Err(SendError::Full(delivery)) => left.push((exporter, delivery)),
            // The exporter is gone: dropping the delivery counts it as abandoned.
            Err(SendError::Closed(_)) => {}
            Ok(()) => progress = true,
        }
    }
    *waiting = left;
    progress
}

async fn any_has_room(waiting: &[(&ExporterQueue, Delivery)]) {
    let mut rooms: Vec<Pin<Box<dyn Future<Output = ()> + Send + '_>>> = Vec::new();
    for (exporter, delivery) in waiting {
        rooms.push(Box::pin(exporter.queue.has_room(delivery)));
    }
    poll_fn(|context| {
        let ready = rooms.iter_mut().any(|room| room.as_mut().poll(context).is_ready());
        if ready { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

impl ExporterQueue {
    fn delivery(&self, payload: Payload, receipt: Option<&Receipt>) -> Delivery {
        let (items, bytes) = (payload.items(), payload.bytes() as u64);
        self.counts.received.fetch_add(items as u64, Ordering::Release);
        self.counts.held_bytes.fetch_add(bytes, Ordering::Relaxed);
        Delivery {
            claim: Claim {
                items,
                bytes,
                counts: self.counts.clone(),
                abandoned: self.abandoned,
                is_stored: false,
            },
            receipt: receipt.filter(|_| self.is_durable).map(Receipt::part),
            counted: if self.counts_requests { 1 } else { items },
            payload,
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
    /// Whoever waits for it to be where it survives the end of the process.
    receipt: Option<Receipt>,
    /// What the queue counts it as.
    counted: usize,
}

impl Delivery {
    /// A part of another delivery, with its share of the duty.
    pub fn part(payload: Payload, claim: Claim) -> Self {
        Delivery {
            counted: payload.items(),
            payload,
            claim,
            receipt: None,
        }
    }

    /// It is where it survives the end of the process, or needs to no more: who waits for that goes on. A delivery that is
    /// let go of without this has its sender send again.
    pub fn kept(&mut self) {
        self.take_receipt().kept();
    }

    /// Separates who waits for that, to be told later.
    pub fn take_receipt(&mut self) -> Waiting {
        Waiting(self.receipt.take())
    }

    /// The items are dropped as a matter of course; their sender shall not send them to all exporters again.
    fn give_up(mut self, reason: &'static str) {
        self.kept();
        self.claim.dropped(reason);
    }
}

/// Whoever waits for a delivery to be kept, if there is anybody.
#[derive(Debug)]
pub struct Waiting(Option<Receipt>);

impl Waiting {
    /// See [`Delivery::kept`].
    pub fn kept(self) {
        if let Some(receipt) = self.0 {
            receipt.keep();
        }
    }
}

impl Weight for Delivery {
    fn items(&self) -> usize {
        self.counted
    }
    fn bytes(&self) -> usize {
        self.payload.bytes()
    }
}

/// The duty to say what became of a number of items. A claim that is let go of counts them as dropped, so that no way
/// through an exporter can lose an item silently.
#[derive(Debug)]
pub struct Claim {
    pub(crate) items: usize,
    pub(crate) bytes: u64,
    pub(crate) counts: Arc<ExporterCounts>,
    pub(crate) abandoned: &'static str,
    /// The items are on disk too, so that letting go of them loses nothing.
    pub(crate) is_stored: bool,
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
        self.counts.exported_bytes.fetch_add(self.bytes, Ordering::Relaxed);
    }

    /// They go nowhere.
    pub fn dropped(mut self, reason: &'static str) {
        let items = std::mem::take(&mut self.items);
        self.counts.dropped.add(reason, items);
    }

    /// Separates up to `items` of them, to be answered for on their own. The bytes stay with the rest.
    pub fn split(&mut self, items: usize) -> Claim {
        let items = items.min(self.items);
        self.items -= items;
        Claim {
            items,
            bytes: 0,
            counts: self.counts.clone(),
            abandoned: self.abandoned,
            is_stored: self.is_stored,
        }
    }

    /// Whether the items are on disk too. To let go of such a claim leaves them there for the next start.
    pub fn is_stored(&self) -> bool {
        self.is_stored
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.counts.held_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        if self.is_stored {
            self.counts.stored.fetch_add(self.items as u64, Ordering::Release);
        } else {
            self.counts.dropped.add(self.abandoned, self.items);
        }
    }
}

/// Where an exporter gets its items from.
#[derive(Debug)]
pub struct ExporterInput {
    pub(crate) queue: channel::Receiver<Delivery>,
    pub(crate) draining: Draining,
    /// Set when the exporter has been told that nothing more will come.
    pub(crate) ended: Arc<AtomicBool>,
    pub(crate) trouble: Health,
    pub(crate) id: String,
    pub(crate) ledger: Arc<Ledger>,
}

/// Where a component says how it is, for those who look from outside.
#[derive(Debug, Clone, Default)]
pub struct Health(pub(crate) Arc<Trouble>);

impl Health {
    /// It cannot do its work, and goes on trying or has given something up.
    pub fn failed(&self, reason: impl Into<String>) {
        self.0.failed(reason.into());
    }

    /// It works, after a failure.
    pub fn recovered(&self) {
        self.0.succeeded();
    }
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

    /// Where the exporter says how it is.
    pub fn health(&self) -> Health {
        self.trouble.clone()
    }

    /// Where the exporter counts what it finds on disk from before.
    pub fn recovery(&self) -> Recovery {
        Recovery::new(self.id.clone(), self.ledger.clone(), self.trouble.0.clone())
    }
}
