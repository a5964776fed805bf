//! When a connection ends although its peer goes on: gRPC's keepalive of servers.

use crate::receivers::otlp::activity::Activity;
use crate::receivers::otlp::settings::KeepAlive;
use h2::{Ping, PingPong};
use std::sync::Arc;
use std::time::Duration;

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Calls under way finish.
    Gracefully,
    /// The peer does not answer.
    Now,
}

/// Waits for the first reason to end the connection.
pub(super) async fn ends(keepalive: &KeepAlive, activity: Arc<Activity>, ping: Option<PingPong>) -> End {
    tokio::select! {
        () = tokio::time::sleep(spread(keepalive.max_connection_age)) => End::Gracefully,
        () = activity.idle(keepalive.max_connection_idle) => End::Gracefully,
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
