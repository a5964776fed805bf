//! The way of an item from a receiver into its pipelines, where it is counted and may be refused.

use crate::account::reason;
use crate::channel::{self, NoRoom, Weight};
use crate::component::Gate;
use crate::counts::{Flows, PipelineCounts, ReceiverCounts};
use crate::receipt::{Kept, Receipt};
use crate::workloads::Tally;
use collector_pdata::{Payload, Signal};
use std::fmt;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::task::{Context, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

/// Where a receiver puts what came in: the queues of its pipelines. A reload may give it others while it is in use.
#[derive(Debug, Clone)]
pub struct Output {
    counts: Arc<ReceiverCounts>,
    flows: Arc<Flows>,
    /// Missing where others have counted already whose items these are.
    tally: Option<Arc<Tally>>,
    routes: Arc<RwLock<Arc<Routes>>>,
}

/// The pipelines of one receiver.
pub(crate) type Routes = Vec<Route>;

/// Changes the pipelines of an output that somebody else holds, without keeping them open.
#[derive(Debug)]
pub(crate) struct Switch(Weak<RwLock<Arc<Routes>>>);

/// The entry of one pipeline.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) signal: Signal,
    pub(crate) queue: channel::Sender<Entry>,
    pub(crate) counts: Arc<PipelineCounts>,
    pub(crate) gates: Arc<[Arc<dyn Gate>]>,
    /// One of the pipeline's exporters keeps items over the end of the process.
    pub(crate) is_durable: bool,
}

/// Why a payload was not taken. Its sender still has it, and may try again later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A pipeline's queue is full: destinations do not keep up.
    #[error("the pipeline has no room")]
    Full,
    /// The process is short of memory.
    #[error("the collector is short of memory")]
    Memory,
    /// The collector is ending, or the signal's pipeline is no more.
    #[error("the pipeline is shutting down")]
    Closed,
}

/// How often a closed gate, and the other duties of a thread that waits for room, are looked at.
const LOOK: Duration = Duration::from_millis(50);

impl Output {
    pub(crate) fn new(counts: Arc<ReceiverCounts>, routes: Routes) -> Self {
        Output {
            flows: counts.flows(""),
            counts,
            tally: None,
            routes: Arc::new(RwLock::new(Arc::new(routes))),
        }
    }

    /// The same for a receiver's instance on one worker, which counts by workload.
    pub(crate) fn of_worker(counts: Arc<ReceiverCounts>, worker: usize, routes: Routes) -> Self {
        Output {
            tally: Some(counts.tally(worker)),
            ..Output::new(counts, routes)
        }
    }

    /// The same output for what comes over one of several transports, by the name that the account gives it.
    pub fn over(&self, transport: &'static str) -> Self {
        Output {
            flows: self.counts.flows(transport),
            ..self.clone()
        }
    }

    pub(crate) fn switch(&self) -> Switch {
        Switch(Arc::downgrade(&self.routes))
    }

    /// Whether a pipeline takes this signal from here.
    pub fn carries(&self, signal: Signal) -> bool {
        self.routes().iter().any(|route| route.signal == signal)
    }

    /// Hands a payload to every pipeline, or to none.
    pub fn try_send(&self, payload: Payload) -> Result<(), Refusal> {
        self.offer(payload, None)
    }

    /// The same; the value tells when exporters with a queue on disk have it there.
    pub fn try_send_kept(&self, payload: Payload) -> Result<Kept, Refusal> {
        let mut kept = Kept::default();
        self.offer(payload, Some(&mut kept))?;
        Ok(kept)
    }

    fn offer(&self, payload: Payload, mut kept: Option<&mut Kept>) -> Result<(), Refusal> {
        let routes = self.routes();
        let of_signal = routes.iter().filter(|route| route.signal == payload.signal());
        let reserved: Result<Vec<_>, Refusal> = of_signal
            .map(|route| route.reserve(&payload).map(|taken| (route, taken)))
            .collect();
        // A pipeline may have gone with a reload since the receiver asked for it.
        let reserved = reserved.and_then(|reserved| match reserved.is_empty() {
            true => Err(Refusal::Closed),
            false => Ok(reserved),
        });
        let reserved = reserved.inspect_err(|_| self.flows.refused(&payload))?;
        self.received(&payload);
        for (route, taken) in reserved {
            // The entry that a closed queue gives back counts itself as dropped.
            let receipt = kept.as_deref_mut().filter(|_| route.is_durable).map(Receipt::new);
            drop(route.queue.send_reserved(route.entry(payload.clone(), receipt), taken));
        }
        Ok(())
    }

    /// Hands a payload on. Waits while a pipeline has no room, which is the back-pressure that the receiver passes on.
    pub async fn send(&self, payload: Payload) {
        while !self.is_open(payload.signal()) {
            tokio::time::sleep(LOOK).await;
        }
        self.deliver(payload).await;
    }

    /// The same for a thread that is not of the runtime. As long as it has to wait, `meanwhile` is called again and again.
    pub fn send_blocking(&self, payload: Payload, mut meanwhile: impl FnMut()) {
        while !self.is_open(payload.signal()) {
            thread::park_timeout(LOOK);
            meanwhile();
        }
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        let mut sending = pin!(self.deliver(payload));
        while sending.as_mut().poll(&mut context).is_pending() {
            thread::park_timeout(LOOK);
            meanwhile();
        }
    }

    async fn deliver(&self, payload: Payload) {
        self.received(&payload);
        if !self.carries(payload.signal()) {
            return self.counts.dropped(reason::NO_PIPELINE, payload.items());
        }
        for route in self.routes().iter().filter(|route| route.signal == payload.signal()) {
            // The entry that a closed queue gives back counts itself as dropped.
            drop(route.queue.send(route.entry(payload.clone(), None)).await);
        }
    }

    fn received(&self, payload: &Payload) {
        self.flows.received(payload);
        if let Some(tally) = &self.tally {
            tally.add(payload);
        }
    }

    /// The receiver's own counts.
    pub fn counts(&self) -> &Arc<ReceiverCounts> {
        &self.counts
    }

    fn is_open(&self, signal: Signal) -> bool {
        let routes = self.routes();
        let mut of_signal = routes.iter().filter(|route| route.signal == signal);
        of_signal.all(Route::is_open)
    }

    fn routes(&self) -> Arc<Routes> {
        self.routes.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Switch {
    /// From now on, what comes goes into these.
    pub(crate) fn set(&self, routes: Routes) {
        if let Some(known) = self.0.upgrade() {
            *known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(routes);
        }
    }
}

impl Route {
    fn is_open(&self) -> bool {
        self.gates.iter().all(|gate| gate.is_open())
    }

    fn reserve(&self, payload: &Payload) -> Result<channel::Taken, Refusal> {
        if !self.is_open() {
            return Err(Refusal::Memory);
        }
        self.queue.try_reserve(payload).map_err(|none| match none {
            NoRoom::Full => Refusal::Full,
            NoRoom::Closed => Refusal::Closed,
        })
    }

    fn entry(&self, payload: Payload, receipt: Option<Receipt>) -> Entry {
        self.counts
            .received
            .fetch_add(payload.items() as u64, Ordering::Release);
        Entry {
            ticket: Ticket {
                items: payload.items(),
                counts: self.counts.clone(),
            },
            payload,
            receipt,
        }
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("pipeline", &self.counts.id)
            .finish_non_exhaustive()
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
    receipt: Option<Receipt>,
}

/// Counts the items of an entry that is let go of.
#[derive(Debug)]
struct Ticket {
    items: usize,
    counts: Arc<PipelineCounts>,
}

impl Entry {
    /// The items pass into the pipeline's care.
    pub(crate) fn take(mut self) -> (Payload, Option<Receipt>) {
        self.ticket.items = 0;
        (self.payload, self.receipt)
    }
}

impl Weight for Payload {
    fn items(&self) -> usize {
        Payload::items(self)
    }
    fn bytes(&self) -> usize {
        Payload::bytes(self)
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

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use std::sync::atomic::AtomicBool;

    fn payload() -> Payload {
        Payload::new(Signal::Traces, Bytes::from_static(&[0; 10]), 1)
    }

    struct Latch(AtomicBool);

    impl Gate for Latch {
        fn is_open(&self) -> bool {
            self.0.load(Ordering::Relaxed)
        }
    }

    fn route(gates: &[Arc<dyn Gate>]) -> (Route, channel::Receiver<Entry>) {
        let (queue, receiver) = channel::channel(channel::Limits { items: 1, bytes: 10 });
        let route = Route {
            signal: Signal::Traces,
            queue,
            counts: Arc::default(),
            gates: gates.into(),
            is_durable: false,
        };
        (route, receiver)
    }

    fn refused(output: &Output) -> u64 {
        output.counts.snapshot().refused
    }

    #[test]
    fn a_thread_that_waits_for_room_looks_after_its_other_duties() {
        let (route, receiver) = route(&[]);
        let output = Output::new(Arc::default(), vec![route]);
        output.send_blocking(payload(), || panic!("there was room"));
        let (mut receiver, mut looks) = (Some(receiver), 0);
        output.send_blocking(payload(), || {
            looks += 1;
            // The third look lets go of the queue, which ends the wait.
            receiver = receiver.take().filter(|_| looks < 3);
        });
        assert_eq!(looks, 3);
    }

    #[test]
    fn a_payload_goes_to_every_pipeline_or_to_none() {
        let ((first, mut taken), (second, full)) = (route(&[]), route(&[]));
        let counts = [first.counts.clone(), second.counts.clone()];
        let output = Output::new(Arc::default(), vec![first, second]);
        output.try_send(payload()).unwrap();
        assert!(taken.try_recv().is_some());
        assert_eq!(output.try_send(payload()), Err(Refusal::Full));
        assert!(taken.try_recv().is_none(), "the other pipeline had no room");
        drop(full);
        assert_eq!(output.try_send(payload()), Err(Refusal::Closed));
        let received = counts.map(|counts| counts.received.load(Ordering::Relaxed));
        assert_eq!((received, refused(&output)), ([1, 1], 2));
    }

    #[test]
    fn a_closed_gate_refuses_what_may_come_again() {
        let latch = Arc::new(Latch(AtomicBool::new(false)));
        let gate: Arc<dyn Gate> = latch.clone();
        let (route, _receiver) = route(&[gate]);
        let output = Output::new(Arc::default(), vec![route]);
        assert_eq!(output.try_send(payload()), Err(Refusal::Memory));
        latch.0.store(true, Ordering::Relaxed);
        assert_eq!(output.try_send(payload()), Ok(()));
    }

    #[test]
    fn pipelines_can_be_exchanged_while_the_output_is_in_use() {
        let ((old, mut from_old), (new, mut from_new)) = (route(&[]), route(&[]));
        let output = Output::new(Arc::default(), vec![old]);
        let (switch, copy) = (output.switch(), output.clone());
        switch.set(vec![new]);
        copy.try_send(payload()).unwrap();
        assert!(from_old.try_recv().is_none());
        assert!(from_new.try_recv().is_some());
        assert!(!copy.carries(Signal::Logs));
        let log = || Payload::new(Signal::Logs, Bytes::from_static(&[0; 10]), 3);
        assert_eq!(copy.try_send(log()), Err(Refusal::Closed), "it would be lost silently");
        copy.send_blocking(log(), || panic!("there is nothing to wait for"));
        assert_eq!(copy.counts.snapshot().dropped[&reason::NO_PIPELINE], 3);
        drop((output, copy));
        assert!(switch.0.upgrade().is_none(), "a switch keeps no pipeline open");
    }
}
