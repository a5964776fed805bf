//! Delivery to a destination that may be away: attempts, retries and what is counted of them, for every exporter over a
//! network.

pub mod reply;
mod retry;

pub use retry::Retry;

use collector_engine::{Delivery, Draining, ExporterInput, Limits, Overflow, Queue, reason};
use collector_pdata::Payload;
use std::future::Future;
use std::time::{Duration, Instant};

/// The queue before such an exporter. What comes while it is full is refused at the pipeline's entry, or dropped where
/// another exporter goes on, so that the memory stays flat.
pub const QUEUE: Queue = Queue {
    limits: Limits {
        items: 512 * 1024,
        bytes: 64 << 20,
    },
    overflow: Overflow::Drop,
    abandoned: reason::EXPORT_FAILED,
};

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
    /// It may take it later.
    Later {
        /// Why not now.
        reason: String,
        /// When it wants to be asked again.
        after: Option<Duration>,
    },
}

/// One attempt at a time.
pub trait Transport: Send + 'static {
    /// Sends a request and waits for the answer, no longer than the exporter's timeout.
    fn send(&mut self, payload: Payload) -> impl Future<Output = Outcome> + Send;
}

/// Delivers what comes in, one request after the other, until the input ends.
pub async fn run(mut transport: impl Transport, retry: Retry, destination: String, mut input: ExporterInput) {
    let mut courier = Courier {
        retry,
        destination,
        draining: input.draining(),
        failing: false,
    };
    while let Some(delivery) = input.next().await {
        courier.deliver(&mut transport, delivery).await;
    }
}

/// An endpoint is named in logs and errors, where credentials do not belong; this error does not repeat it.
pub fn refuse_credentials(endpoint: &str) -> Result<(), String> {
    if endpoint.contains('@') {
        Err("must not hold a user or a password, which logs would repeat; `headers` may".to_owned())
    } else {
        Ok(())
    }
}

struct Courier {
    retry: Retry,
    destination: String,
    draining: Draining,
    /// Complained already; the next success ends it.
    failing: bool,
}

impl Courier {
    async fn deliver(&mut self, transport: &mut impl Transport, delivery: Delivery) {
        let Delivery { payload, mut claim } = delivery;
        let mut attempts = self.retry.begin(Instant::now());
        loop {
            let last = self.draining.deadline().is_some();
            let (reason, after) = match transport.send(payload.clone()).await {
                Outcome::Delivered => {
                    self.recovered();
                    return claim.exported();
                }
                Outcome::Partial { rejected, message } => {
                    self.recovered();
                    tracing::warn!(
                        destination = self.destination,
                        rejected,
                        message,
                        "a part of a request was rejected"
                    );
                    claim.split(rejected).dropped(reason::REJECTED);
                    return claim.exported();
                }
                Outcome::Refused(why) => {
                    self.complain(&why, "a request was refused; its items are dropped");
                    return claim.dropped(reason::EXPORT_FAILED);
                }
                Outcome::Later { reason, after } => (reason, after),
            };
            let Some(wait) = attempts.next(Instant::now(), after).filter(|_| !last) else {
                self.complain(&reason, "gave up on a request; its items are dropped");
                return claim.dropped(reason::EXPORT_FAILED);
            };
            self.complain(&reason, "cannot deliver; trying again");
            // The drain cuts the wait short for one last attempt.
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = self.draining.begun() => {}
            }
        }
    }

    /// Once for all requests until one is delivered again.
    fn complain(&mut self, why: &str, what: &str) {
        if std::mem::replace(&mut self.failing, true) {
            tracing::debug!(destination = self.destination, reason = why, "{what}");
        } else {
            tracing::warn!(destination = self.destination, reason = why, "{what}");
        }
    }

    fn recovered(&mut self) {
        if std::mem::take(&mut self.failing) {
            tracing::info!(destination = self.destination, "delivering again");
        }
    }
}
