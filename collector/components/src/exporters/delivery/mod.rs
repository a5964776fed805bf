//! Delivery to a destination that may be away: attempts, retries and what is counted of them, for every exporter over a
//! network.

pub mod disk;
pub(crate) mod exporter;
mod flight;
pub mod queue;
pub mod reply;
pub(crate) mod request;
mod retry;
pub mod settings;

pub use retry::Retry;

use collector_engine::{Claim, Delivery, Draining, Ended, ExporterInput, Health, reason};
use collector_pdata::{Malformed, Payload, split};
use disk::DiskQueue;
use flight::Flight;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The reason that is counted for an item that is by itself larger than the destination takes.
pub const TOO_LARGE: &str = "too_large";

/// What became of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The destination has taken all.
    Delivered,
    /// It has taken all but so many items, which must not be sent again.
    Partial {
        /// How many it refused.
        rejected: usize,
        /// Its reason.
        message: String,
    },
    /// It will never take this request.
    Refused(String),
    /// It is larger than the destination takes; parts of it may not be.
    TooLarge(String),
    /// It may take it later.
    Later {
        /// Why not now.
        reason: String,
        /// When it wants to be asked again.
        after: Option<Duration>,
    },
    /// Its items go elsewhere now: see [`Transport::divide`].
    Moved,
}

/// A way to a destination.
pub trait Transport: Send + Sync + 'static {
    /// A request as it goes out, encoded once for all attempts.
    type Request: Send + Sync;

    /// The parts of `payload` that go to different places, if there are several.
    fn divide(&self, _payload: &Payload) -> Result<Option<Vec<Payload>>, Malformed> {
        Ok(None)
    }

    /// Encodes the request of `payload`, which is not to be divided.
    fn encode(&self, payload: &Payload) -> Result<Self::Request, EncodeError>;

    /// Sends a request and waits for the answer, no longer than the exporter's timeout. Several may be on their way.
    fn send(&self, request: &Self::Request) -> impl Future<Output = Outcome> + Send;
}

/// Why a payload cannot be sent to this destination at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// It is not OTLP.
    #[error("the payload is not OTLP: {0}")]
    Malformed(#[from] Malformed),
    /// Something else.
    #[error("{0}")]
    Impossible(String),
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// All of its items have an end.
    Done,
    /// Some are left on disk.
    Left,
}

/// Delivers what comes in, up to `consumers` requests at the same time, until the input ends. Promises no order. With a
/// queue on disk everything goes through that.
pub async fn run_through(
    disk: Option<DiskQueue>,
    transport: impl Transport,
    retry: Retry,
    consumers: usize,
    destination: String,
    input: ExporterInput,
) -> Ended {
    let Some(disk) = disk else {
        run(transport, retry, consumers, destination, input).await;
        return Ok(());
    };
    let (stop, draining) = kit::drain::channel();
    let courier = Arc::new(Courier {
        transport,
        retry,
        destination,
        draining,
        health: input.health(),
        failing: AtomicBool::new(false),
    });
    disk::run(disk, courier, stop, consumers, input).await
}

/// The same, from a queue in memory.
async fn run(transport: impl Transport, retry: Retry, consumers: usize, destination: String, mut input: ExporterInput) {
    let courier = Arc::new(Courier {
        transport,
        retry,
        destination,
        draining: input.draining(),
        health: input.health(),
        failing: AtomicBool::new(false),
    });
    let mut flight = Flight::default();
    let mut open = true;
    while open || flight.len() > 0 {
        tokio::select! {
            biased;
            _ = flight.landed(), if flight.len() > 0 => {}
            next = input.next(), if open && flight.len() < consumers => match next {
                // Parts that go to different places do not wait for each other. Nobody waits for a queue in memory.
                Some(delivery) => for part in courier.divided(delivery) {
                    let courier = courier.clone();
                    flight.launch(Box::pin(async move { courier.deliver_parts(vec![part]).await }));
                }
                None => open = false,
            },
        }
    }
}

/// What became of a request that was sent as it is.
enum Whole {
    Ended,
    /// It is on disk, and nothing is tried any more.
    Left,
    /// The destination finds it too large, and says why.
    TooLarge(Claim, String),
    /// Its items go elsewhere now.
    Moved(Claim),
}

struct Courier<T> {
    transport: T,
    retry: Retry,
    destination: String,
    draining: Draining,
    health: Health,
    /// Complained already; the next success ends it.
    failing: AtomicBool,
}

impl<T: Transport> Courier<T> {
    /// Delivers a request, in halves and halves of these where the destination finds it too large.
    async fn deliver(&self, mut delivery: Delivery) -> Fate {
        // Who waits for a delivery that cannot be kept on disk waits until it has an end.
        let receipt = delivery.take_receipt();
        let fate = self.deliver_parts(self.divided(delivery)).await;
        receipt.kept();
        fate
    }

    /// Delivers requests that are not to be divided, the last first.
    async fn deliver_parts(&self, mut parts: Vec<Delivery>) -> Fate {
        let mut fate = Fate::Done;
        while let Some(part) = parts.pop() {
            let Delivery { payload, claim, .. } = part;
            match self.deliver_whole(&payload, claim).await {
                Whole::Ended => {}
                Whole::Left => fate = Fate::Left,
                Whole::TooLarge(claim, why) => self.halve(payload, claim, &why, &mut parts),
                Whole::Moved(claim) => parts.extend(self.divided(Delivery::part(payload, claim))),
            }
        }
        fate
    }

    /// The parts of a request that go to different places.
    fn divided(&self, delivery: Delivery) -> Vec<Delivery> {
        match self.transport.divide(&delivery.payload) {
            Ok(None) => vec![delivery],
            Ok(Some(payloads)) => parts_of(delivery.claim, payloads),
            Err(error) => {
                self.complain(&error.to_string(), "a request cannot be divided; its items are dropped");
                delivery.claim.dropped(reason::MALFORMED);
                Vec::new()
            }
        }
    }

    /// Delivers a request as it is.
    async fn deliver_whole(&self, payload: &Payload, mut claim: Claim) -> Whole {
        let request = match self.transport.encode(payload) {
            Ok(request) => request,
            Err(error) => {
                self.complain(&error.to_string(), "a request cannot be encoded; its items are dropped");
                claim.dropped(match error {
                    EncodeError::Malformed(_) => reason::MALFORMED,
                    EncodeError::Impossible(_) => reason::EXPORT_FAILED,
                });
                return Whole::Ended;
            }
        };
        let mut attempts = self.retry.begin(Instant::now());
        loop {
            let last = self.draining.deadline().is_some();
            match self.transport.send(&request).await {
                Outcome::Delivered => {
                    self.recovered();
                    claim.exported();
                    return Whole::Ended;
                }
                Outcome::Partial { rejected, message } => {
                    self.recovered();
                    self.rejected(rejected, &message);
                    claim.split(rejected).dropped(reason::REJECTED);
                    claim.exported();
                    return Whole::Ended;
                }
                Outcome::Refused(why) => {
                    self.complain(&why, "a request was refused; its items are dropped");
                    claim.dropped(reason::EXPORT_FAILED);
                    return Whole::Ended;
                }
                Outcome::TooLarge(why) => return Whole::TooLarge(claim, why),
                Outcome::Moved => return Whole::Moved(claim),
                Outcome::Later { reason, after } => {
                    if last && claim.is_stored() {
                        self.complain(&reason, "cannot deliver; what is on disk is left for the next start");
                        return Whole::Left;
                    }
                    let wait = attempts.next(Instant::now(), after).filter(|_| !last);
                    if !self.wait(wait, &reason).await {
                        claim.dropped(reason::EXPORT_FAILED);
                        return Whole::Ended;
                    }
                }
            }
        }
    }

    /// Waits for the next attempt, if there is to be one.
    async fn wait(&self, wait: Option<Duration>, reason: &str) -> bool {
        let Some(wait) = wait else {
            self.complain(reason, "gave up on a request; its items are dropped");
            return false;
        };
        self.complain(reason, "cannot deliver; trying again");
        let mut draining = self.draining.clone();
        // The drain cuts the wait short for one last attempt.
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = draining.begun() => {}
        }
        true
    }

    /// Adds both halves of a request that is too large to `parts`, or drops its only item.
    fn halve(&self, payload: Payload, claim: Claim, why: &str, parts: &mut Vec<Delivery>) {
        let halves = halves(payload).unwrap_or_else(|error| {
            self.complain(&error.to_string(), "a request that is too large cannot be divided");
            Vec::new()
        });
        if halves.len() < 2 {
            self.complain(why, "an item is larger than the destination takes; it is dropped");
            return claim.dropped(TOO_LARGE);
        }
        tracing::debug!(
            destination = self.destination,
            reason = why,
            "a request is too large; sending it in halves"
        );
        // The first half is to be the next.
        parts.extend(parts_of(claim, halves).into_iter().rev());
    }

    fn rejected(&self, rejected: usize, message: &str) {
        let destination = self.destination.as_str();
        tracing::warn!(destination, rejected, message, "a part of a request was rejected");
    }

    /// Once for all requests until one is delivered again.
    fn complain(&self, why: &str, what: &str) {
        self.health.failed(why);
        if self.failing.swap(true, Ordering::Relaxed) {
            tracing::debug!(destination = self.destination, reason = why, "{what}");
        } else {
            tracing::warn!(destination = self.destination, reason = why, "{what}");
        }
    }

    fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    fn recovered(&self) {
        if self.failing.swap(false, Ordering::Relaxed) {
            self.health.recovered();
            tracing::info!(destination = self.destination, "delivering again");
        }
    }
}

/// Deliveries that share a duty. What they leave of it is dropped.
fn parts_of(mut claim: Claim, payloads: Vec<Payload>) -> Vec<Delivery> {
    let part = |payload: Payload| {
        let claim = claim.split(payload.items());
        Delivery::part(payload, claim)
    };
    let parts = payloads.into_iter().map(part).collect();
    claim.dropped(reason::MALFORMED);
    parts
}

/// A request in two, if it has more than one item.
fn halves(payload: Payload) -> Result<Vec<Payload>, Malformed> {
    match payload.items() {
        0 | 1 => Ok(vec![payload]),
        items => split::parts(payload, items.div_ceil(2), usize::MAX),
    }
}
