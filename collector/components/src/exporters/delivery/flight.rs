//! Deliveries that are on their way at the same time.

use collector_engine::BoxFuture;
use std::future::poll_fn;
use std::task::Poll;

/// A few futures that run within the task that waits for them, so that they end with it.
pub(super) struct Flight<T>(Vec<BoxFuture<T>>);

impl<T> Default for Flight<T> {
    fn default() -> Self {
        Flight(Vec::new())
    }
}

impl<T> Flight<T> {
    pub(super) fn launch(&mut self, future: BoxFuture<T>) {
        self.0.push(future);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Runs them until at least one is done, and gives what came of those. There must be one.
    pub(super) async fn landed(&mut self) -> Vec<T> {
        poll_fn(|context| {
            let mut landed = Vec::new();
            self.0.retain_mut(|future| match future.as_mut().poll(context) {
                Poll::Ready(value) => {
                    landed.push(value);
                    false
                }
                Poll::Pending => true,
            });
            if landed.is_empty() {
                Poll::Pending
            } else {
                Poll::Ready(landed)
            }
        })
        .await
    }
}
