//! The loop around a reconciler: takes keys from its queue, some at a time, and puts back what failed.

use super::backoff::Backoff;
use super::metrics::Metrics;
use super::queue::Queue;
use kit::drain::Draining;
use std::collections::HashMap;
use std::fmt::Debug;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::{Id, JoinError, JoinSet};

/// Brings the cluster nearer to what it should be, for one key at a time.
///
/// Level-triggered: it looks at what is, never asks why it was called, and may be called at any time and again.
pub trait Reconcile: Send + Sync + 'static {
    /// What is reconciled: mostly an [`ObjectKey`](super::ObjectKey).
    type Key: Clone + Debug + Eq + Hash + Send + Sync + 'static;

    /// Looks at it and does what is missing. An error is logged and tried again, later each time.
    fn reconcile(&self, key: &Self::Key) -> impl Future<Output = anyhow::Result<Outcome>> + Send;
}

/// How a look ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All is as it should be until something changes.
    Settled,
    /// To be looked at again after this time, also if nothing changes.
    Again(Duration),
}

/// A reconciler with its queue.
#[derive(Debug)]
pub struct Controller<R: Reconcile> {
    /// As it stands in logs and metrics.
    pub name: &'static str,
    /// So many keys at a time.
    pub concurrency: usize,
    /// What is to be looked at.
    pub queue: Queue<R::Key>,
    /// What looks.
    pub reconciler: Arc<R>,
}

/// What the look of a task has come to.
type Ended = Result<(Id, anyhow::Result<Outcome>), JoinError>;

impl<R: Reconcile> Controller<R> {
    /// Works until the drain begins, then ends what is under way, until the drain's deadline.
    pub async fn run(self, metrics: Metrics, mut draining: Draining) {
        let mut looks: JoinSet<anyhow::Result<Outcome>> = JoinSet::new();
        let mut keys: HashMap<Id, R::Key> = HashMap::new();
        let mut backoff = Backoff::default();
        loop {
            metrics.queue_length(self.name, self.queue.len());
            tokio::select! {
                biased;
                _ = draining.begun() => break,
                Some(ended) = looks.join_next_with_id() => {
                    self.ended(ended, &mut keys, &mut backoff, &metrics);
                }
                key = self.queue.next(), if looks.len() < self.concurrency => {
                    let reconciler = Arc::clone(&self.reconciler);
                    let (name, metrics, of) = (self.name, metrics.clone(), key.clone());
                    let look = looks.spawn(async move {
                        let start = Instant::now();
                        let outcome = reconciler.reconcile(&of).await;
                        metrics.reconciled(name, start.elapsed(), outcome.is_err());
                        outcome
                    });
                    keys.insert(look.id(), key);
                }
            }
        }
        let deadline = draining.begun().await;
        let rest = async { while looks.join_next().await.is_some() {} };
        if tokio::time::timeout_at(deadline.into(), rest).await.is_err() {
            tracing::warn!(controller = self.name, "work that was under way is broken off");
        }
    }

    fn ended(&self, ended: Ended, keys: &mut HashMap<Id, R::Key>, backoff: &mut Backoff<R::Key>, metrics: &Metrics) {
        let (id, outcome) = match ended {
            Ok((id, outcome)) => (id, outcome),
            Err(error) => (error.id(), Err(error.into())),
        };
        let Some(key) = keys.remove(&id) else {
            return;
        };
        let wait = match outcome {
            Ok(Outcome::Settled) => {
                backoff.succeeded(&key);
                None
            }
            Ok(Outcome::Again(wait)) => {
                backoff.succeeded(&key);
                Some(wait)
            }
            Err(error) => Some(self.failed(&key, &error, backoff)),
        };
        self.queue.done(&key);
        if let Some(wait) = wait {
            metrics.requeued(self.name);
            self.queue.add_after(key, wait);
        }
    }

    fn failed(&self, key: &R::Key, error: &anyhow::Error, backoff: &mut Backoff<R::Key>) -> Duration {
        let conflict = error.chain().any(is_conflict);
        let wait = backoff.failed(key, conflict);
        if conflict {
            tracing::debug!(controller = self.name, ?key, error = format!("{error:#}"), "a conflict");
        } else {
            tracing::warn!(
                controller = self.name,
                ?key,
                error = format!("{error:#}"),
                again_in = ?wait,
                "an object could not be reconciled"
            );
        }
        wait
    }
}

/// Somebody else has changed the object since it was read.
fn is_conflict(error: &(dyn std::error::Error + 'static)) -> bool {
    let error = error.downcast_ref::<kube_client::Error>();
    matches!(error, Some(kube_client::Error::Api(status)) if status.code == 409)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// Fails, panics or succeeds by the key; notes who came.
    #[derive(Default)]
    struct Odd(Mutex<Vec<u32>>);

    impl Reconcile for Odd {
        type Key = u32;

        async fn reconcile(&self, key: &u32) -> anyhow::Result<Outcome> {
            self.0.lock().unwrap().push(*key);
            match key {
                1 => anyhow::bail!("bad"),
                2 => panic!("worse"),
                3 => Ok(Outcome::Again(Duration::from_secs(60))),
                _ => Ok(Outcome::Settled),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_bad_object_comes_again_later_each_time_and_stops_no_other() {
        let (drain, draining) = kit::drain::channel();
        let (queue, odd) = (Queue::default(), Arc::new(Odd::default()));
        let controller = Controller {
            name: "odd",
            concurrency: 1,
            queue: queue.clone(),
            reconciler: Arc::clone(&odd),
        };
        let running = tokio::spawn(controller.run(Metrics::default(), draining));
        for key in 0..5 {
            queue.add(key);
        }
        tokio::time::sleep(Duration::from_secs(59)).await;
        let seen = |key| odd.0.lock().unwrap().iter().filter(|it| **it == key).count();
        assert_eq!([seen(0), seen(3), seen(4)], [1, 1, 1]);
        assert!((6..12).contains(&seen(1)), "{}", seen(1));
        assert!((6..12).contains(&seen(2)), "{}", seen(2));
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(seen(3), 2);
        drain.begin(Instant::now() + Duration::from_secs(1));
        running.await.unwrap();
    }
}
