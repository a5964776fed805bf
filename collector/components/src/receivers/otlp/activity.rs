//! Whether a connection is in use.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// What happens on a connection.
#[derive(Debug)]
pub(super) struct Activity {
    reads: Arc<AtomicU64>,
    calls: AtomicUsize,
}

/// A call under way.
#[derive(Debug)]
pub(super) struct Call(Arc<Activity>);

impl Activity {
    /// `reads` counts the reads of the connection that gave data.
    pub(super) fn new(reads: Arc<AtomicU64>) -> Self {
        Activity {
            reads,
            calls: AtomicUsize::new(0),
        }
    }

    /// Counts a call until it is let go of.
    pub(super) fn call(self: &Arc<Self>) -> Call {
        self.calls.fetch_add(1, Ordering::Relaxed);
        Call(self.clone())
    }

    /// Waits until nothing has been read for so long.
    pub(super) async fn quiet(&self, time: Duration) {
        loop {
            let before = self.reads.load(Ordering::Relaxed);
            tokio::time::sleep(time).await;
            if self.reads.load(Ordering::Relaxed) == before {
                return;
            }
        }
    }

    /// Waits until nothing has been read for so long, and no call is under way.
    pub(super) async fn idle(&self, time: Duration) {
        loop {
            self.quiet(time).await;
            if self.calls.load(Ordering::Relaxed) == 0 {
                return;
            }
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::Relaxed);
    }
}
