//! Deliveries that are on their way at the same time.

use collector_engine::BoxFuture;
use std::future::poll_fn;
use std::task::Poll;

/// A few futures that run within the task that waits for them, so that they end with it.
#[derive(Default)]
pub(super) struct Flight(Vec<BoxFuture<()>>);

impl Flight {
    pub(super) fn launch(&mut self, future: BoxFuture<()>) {
        self.0.push(future);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Runs them until at least one is done. There must be one.
    pub(super) async fn landed(&mut self) {
        poll_fn(|context| {
            let before = self.0.len();
            self.0.retain_mut(|future| future.as_mut().poll(context).is_pending());
            if self.0.len() < before {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}
