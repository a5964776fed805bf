//! Which of several replicas decides: the one that holds a Lease.
//!
//! The others watch the Lease, so that one takes over at once when it is released, and otherwise when it was not renewed for
//! its whole duration by the watcher's own clock; clocks of different machines are never compared.

use futures_util::StreamExt;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube_client::api::PostParams;
use kube_client::{Api, Client};
use kube_runtime::{WatchStreamExt, watcher};
use std::time::Duration;
use tokio::time::Instant;

/// Without a renewal for so long, others may take over. The duration, the deadline and the pause of renewals are those of
/// Kubernetes' own components.
const DURATION: Duration = Duration::from_secs(15);
/// A holder that could not renew for so long has lost it: well before others take over.
const DEADLINE: Duration = Duration::from_secs(10);
const RENEWED_EVERY: Duration = Duration::from_secs(5);
/// After a renewal that failed.
const TRIED_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A Lease that this process wants to hold.
#[derive(Debug, Clone)]
pub struct Candidate {
    api: Api<Lease>,
    name: &'static str,
    identity: String,
}

/// The Lease, held. It must be renewed ([`Held::until_lost`]) and is released by [`Held::release`].
#[derive(Debug)]
pub struct Held {
    candidate: Candidate,
    lease: Lease,
}

impl Candidate {
    /// For the Lease of that name; `identity` is this process alone.
    pub fn new(client: Client, namespace: &str, name: &'static str, identity: String) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name,
            identity,
        }
    }

    /// Waits until this process holds it. Errors of the apiserver are logged and tried again.
    pub async fn acquire(self) -> Held {
        let config = watcher::Config::default().fields(&format!("metadata.name={}", self.name));
        let mut events = std::pin::pin!(watcher(self.api.clone(), config).default_backoff());
        let mut known: Option<Lease> = None;
        let mut free_at: Option<Instant> = None;
        loop {
            let expiry = free_at.unwrap_or_else(|| Instant::now() + DURATION);
            match tokio::time::timeout_at(expiry, events.next()).await {
                Ok(Some(Ok(watcher::Event::Init))) => {
                    known = None;
                    free_at = None;
                }
                Ok(Some(Ok(watcher::Event::Apply(lease) | watcher::Event::InitApply(lease)))) => {
                    free_at = Some(Instant::now() + free_in(&lease));
                    known = Some(lease);
                }
                Ok(Some(Ok(watcher::Event::Delete(_) | watcher::Event::InitDone))) if known.is_none() => {
                    free_at = Some(Instant::now());
                }
                Ok(Some(Ok(watcher::Event::Delete(_)))) => {
                    known = None;
                    free_at = Some(Instant::now());
                }
                Ok(Some(Ok(watcher::Event::InitDone)) | None) | Err(_) => {}
                Ok(Some(Err(error))) => {
                    let error = kit::logging::chain(&error);
                    tracing::warn!(
                        error,
                        lease = self.name,
                        "the lease cannot be watched, and is tried again"
                    );
                }
            }
            if free_at.is_some_and(|at| at <= Instant::now()) {
                match self.take(known.clone()).await {
                    Ok(lease) => return Held { candidate: self, lease },
                    Err(error) => {
                        tracing::info!(%error, lease = self.name, "the lease was not taken");
                        free_at = Some(Instant::now() + TRIED_AGAIN_AFTER);
                    }
                }
            }
        }
    }

    async fn take(&self, known: Option<Lease>) -> kube_client::Result<Lease> {
        let mut lease = known.unwrap_or_default();
        lease.metadata.name = Some(self.name.to_owned());
        lease.metadata.managed_fields = None;
        let before = lease.spec.take().unwrap_or_default();
        let now = MicroTime(Timestamp::now());
        lease.spec = Some(LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: Some(now.clone()),
            renew_time: Some(now),
            lease_transitions: Some(before.lease_transitions.unwrap_or(-1).saturating_add(1)),
            ..before
        });
        self.write(&lease).await
    }

    /// Makes or replaces it; refused by the apiserver if somebody else was quicker.
    async fn write(&self, lease: &Lease) -> kube_client::Result<Lease> {
        let parameters = PostParams::default();
        match lease.metadata.resource_version {
            Some(_) => self.api.replace(self.name, &parameters, lease).await,
            None => self.api.create(&parameters, lease).await,
        }
    }
}

impl Held {
    /// Renews it until that fails for too long or somebody else has taken it; says why.
    pub async fn until_lost(&mut self) -> String {
        let mut renewed = Instant::now();
        let mut wait = RENEWED_EVERY;
        loop {
            tokio::time::sleep(wait).await;
            let deadline = renewed + DEADLINE;
            match tokio::time::timeout_at(deadline, self.renew()).await {
                Ok(Ok(())) => {
                    renewed = Instant::now();
                    wait = RENEWED_EVERY;
                }
                Ok(Err(kube_client::Error::Api(status))) if status.is_conflict() && self.is_taken().await => {
                    return "another process has taken it".to_owned();
                }
                Ok(Err(error)) if Instant::now() >= deadline => return kit::logging::chain(&error),
                Ok(Err(error)) => {
                    let error = kit::logging::chain(&error);
                    tracing::warn!(error, "the lease could not be renewed");
                    wait = TRIED_AGAIN_AFTER;
                }
                Err(_) => return "the apiserver did not answer in time".to_owned(),
            }
        }
    }

    /// Gives it back, so that another takes over at once.
    pub async fn release(mut self) -> kube_client::Result<()> {
        if let Some(spec) = &mut self.lease.spec {
            spec.holder_identity = None;
            spec.renew_time = Some(MicroTime(Timestamp::now()));
        }
        self.candidate.write(&self.lease).await.map(drop)
    }

    async fn renew(&mut self) -> kube_client::Result<()> {
        let mut lease = self.lease.clone();
        lease.metadata.managed_fields = None;
        lease.spec.get_or_insert_default().renew_time = Some(MicroTime(Timestamp::now()));
        self.lease = self.candidate.write(&lease).await?;
        Ok(())
    }

    /// Whether somebody else holds it. If only the object was changed, what it is now is renewed next.
    async fn is_taken(&mut self) -> bool {
        match self.candidate.api.get(self.candidate.name).await {
            Ok(lease) if holder(&lease) == Some(self.candidate.identity.as_str()) => {
                self.lease = lease;
                false
            }
            Ok(_) => true,
            Err(error) => matches!(&error, kube_client::Error::Api(status) if status.is_not_found()),
        }
    }
}

/// After how long without a further change the lease is free.
fn free_in(lease: &Lease) -> Duration {
    if holder(lease).is_none() {
        return Duration::ZERO;
    }
    let seconds = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds);
    seconds.map_or(DURATION, |seconds| {
        Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
    })
}

fn holder(lease: &Lease) -> Option<&str> {
    let holder = lease.spec.as_ref()?.holder_identity.as_deref();
    holder.filter(|holder| !holder.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_without_a_holder_is_free_and_another_for_its_own_duration() {
        let lease = |holder: Option<&str>, seconds| Lease {
            spec: Some(LeaseSpec {
                holder_identity: holder.map(str::to_owned),
                lease_duration_seconds: seconds,
                ..LeaseSpec::default()
            }),
            ..Lease::default()
        };
        assert_eq!(free_in(&lease(None, Some(15))), Duration::ZERO);
        assert_eq!(free_in(&lease(Some(""), Some(15))), Duration::ZERO);
        assert_eq!(free_in(&lease(Some("a"), Some(7))), Duration::from_secs(7));
        assert_eq!(free_in(&lease(Some("a"), None)), DURATION);
        assert_eq!(free_in(&Lease::default()), Duration::ZERO);
    }
}
