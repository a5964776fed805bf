//! A signal that says "finish what you have, until this moment", sent once and seen by all who listen.
//!
//! The order in which the parts of a program end is theirs to arrange (inputs first, then along the flow); the signal
//! only starts it and carries the deadline.

use std::time::Instant;
use tokio::sync::watch;

/// Starts the drain.
#[derive(Debug, Clone)]
pub struct Drain(watch::Sender<Option<Instant>>);

/// Learns of the drain.
#[derive(Debug, Clone)]
pub struct Draining(watch::Receiver<Option<Instant>>);

/// A drain that has not begun, and a listener to it.
pub fn channel() -> (Drain, Draining) {
    let (sender, receiver) = watch::channel(None);
    (Drain(sender), Draining(receiver))
}

impl Drain {
    /// Begins the drain. A second call only ever brings the deadline forward.
    pub fn begin(&self, deadline: Instant) {
        self.0.send_if_modified(|current| {
            let earlier = current.is_none_or(|known| deadline < known);
            if earlier {
                *current = Some(deadline);
            }
            earlier
        });
    }

    /// One more listener.
    pub fn listen(&self) -> Draining {
        Draining(self.0.subscribe())
    }
}

impl Draining {
    /// The deadline, if the drain has begun.
    pub fn deadline(&self) -> Option<Instant> {
        *self.0.borrow()
    }

    /// Waits until the drain begins, and returns its deadline. Never returns if all who could begin it are gone.
    pub async fn begun(&mut self) -> Instant {
        match self.0.wait_for(Option::is_some).await.map(|deadline| *deadline) {
            Ok(Some(deadline)) => deadline,
            _ => std::future::pending().await,
        }
    }

    /// Waits until the deadline lies before `known`, and returns it. Never returns if nobody brings it forward.
    pub async fn sooner_than(&mut self, known: Instant) -> Instant {
        let is_sooner = |deadline: &Option<Instant>| deadline.is_some_and(|deadline| deadline < known);
        match self.0.wait_for(is_sooner).await.map(|deadline| *deadline) {
            Ok(Some(deadline)) => deadline,
            _ => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn all_listeners_learn_the_earliest_deadline() {
        let (drain, mut early) = channel();
        let now = Instant::now();
        assert_eq!(early.deadline(), None);
        drain.begin(now + Duration::from_secs(5));
        drain.begin(now + Duration::from_secs(9));
        assert_eq!(early.begun().await, now + Duration::from_secs(5));
        drain.begin(now + Duration::from_secs(1));
        assert_eq!(drain.listen().begun().await, now + Duration::from_secs(1));
        assert_eq!(
            early.sooner_than(now + Duration::from_secs(5)).await,
            now + Duration::from_secs(1)
        );
    }

    #[tokio::test]
    async fn a_listener_that_lost_its_drain_waits_on() {
        let (drain, mut listener) = channel();
        drop(drain);
        let waited = tokio::time::timeout(Duration::from_millis(5), listener.begun()).await;
        assert!(waited.is_err(), "a drain began that nobody had begun");
    }
}
