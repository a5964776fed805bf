//! When a connection ends although its peer goes on: gRPC's keepalive of servers.

use crate::receivers::otlp::settings::KeepAlive;
use h2::{Ping, PingPong};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Calls under way finish.
    Gracefully,
    /// The peer does not answer.
    Now,
}

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
    async fn quiet(&self, time: Duration) {
        loop {
            let before = self.reads.load(Ordering::Relaxed);
            tokio::time::sleep(time).await;
            if self.reads.load(Ordering::Relaxed) == before {
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

/// Waits for the first reason to end the connection.
pub(super) async fn ends(keepalive: &KeepAlive, activity: Arc<Activity>, ping: Option<PingPong>) -> End {
    tokio::select! {
        () = tokio::time::sleep(spread(keepalive.max_connection_age)) => End::Gracefully,
        () = idle(keepalive, &activity) => End::Gracefully,
        () = unanswered(keepalive, &activity, ping) => End::Now,
    }
}

/// A tenth more or less, so that connections that were opened together do not end together.
fn spread(age: Duration) -> Duration {
    if age == Duration::MAX {
        return age;
    }
    age.mul_f64(0.9 + 0.2 * fastrand::f64())
}

async fn idle(keepalive: &KeepAlive, activity: &Activity) {
    loop {
        activity.quiet(keepalive.max_connection_idle).await;
        if activity.calls.load(Ordering::Relaxed) == 0 {
            return;
        }
    }
}

/// Pings a peer from which nothing came for a while; anything that comes then is an answer.
async fn unanswered(keepalive: &KeepAlive, activity: &Activity, ping: Option<PingPong>) {
    let Some(mut ping) = ping else {
        return std::future::pending().await;
    };
    loop {
        activity.quiet(keepalive.time).await;
        let answer = tokio::time::timeout(keepalive.timeout, ping.ping(Ping::opaque())).await;
        if !matches!(answer, Ok(Ok(_))) {
            return;
        }
    }
}
