//! One pod first.

use super::health::{elapsed, present};
use super::{Canary, Desired, Method, Observed, PodState};
use crate::instrumentor::WorkloadKind;
use std::time::Duration;

/// How far the pod that comes first has got.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// There is none, and none is wanted: the rollout may go on.
    GoOn,
    /// This pod is to be replaced first.
    Replace(String),
    /// It is looked at; at the latest after this time again.
    Wait(String, Option<Duration>),
}

/// Judges the pods that have the new hash already: whatever made them, they came first.
pub(super) fn verdict(observed: &Observed<'_>, desired: &Desired) -> Verdict {
    let Some(canary) = observed.settings.canary.filter(|_| is_possible(observed)) else {
        return Verdict::GoOn;
    };
    let mut first = present(observed.pods)
        .filter(|pod| pod.hash.as_ref() == Some(&desired.hash))
        .peekable();
    if first.peek().is_none() {
        return begin(observed);
    }
    if let Some(overhead) = observed.overhead.filter(|overhead| *overhead > canary.overhead) {
        let message = format!(
            "the pod with the agent takes {:.0} % more than the others, and the budget is {:.0} %: the rollout is stopped",
            overhead * 100.0,
            canary.overhead * 100.0
        );
        return Verdict::Wait(message, None);
    }
    // The one that is furthest decides.
    let left = first
        .map(|pod| (remaining(observed, pod, canary), pod))
        .min_by_key(|(left, _)| left.unwrap_or(Duration::MAX));
    match left {
        None | Some((Some(Duration::ZERO), _)) => Verdict::GoOn,
        Some((Some(left), pod)) => {
            let message = format!(
                "{} came first and must be ready for {} s more",
                pod.name,
                left.as_secs().max(1)
            );
            Verdict::Wait(message, Some(left))
        }
        Some((None, pod)) => Verdict::Wait(
            format!("{} came first and is not ready: the others stay as they are", pod.name),
            None,
        ),
    }
}

fn is_possible(observed: &Observed<'_>) -> bool {
    let replaces = match observed.kind {
        WorkloadKind::Deployment
        | WorkloadKind::DaemonSet
        | WorkloadKind::StatefulSet
        | WorkloadKind::DeploymentConfig
        | WorkloadKind::Rollout => true,
        WorkloadKind::CronJob | WorkloadKind::Job | WorkloadKind::StaticPod => false,
    };
    let by_webhook = observed.settings.method == Method::Webhook;
    replaces && by_webhook && observed.workload.replicas >= 2
}

/// A pod that does not serve is missed by nobody. Otherwise the one that was made last has served for the shortest time.
fn begin(observed: &Observed<'_>) -> Verdict {
    match present(observed.pods).max_by_key(|pod| (!pod.ready, pod.created, &pod.name)) {
        Some(pod) => Verdict::Replace(pod.name.clone()),
        None => Verdict::Wait("there is no pod that could come first".to_owned(), None),
    }
}

/// For how long the pod must still be ready; nothing while it is not.
fn remaining(observed: &Observed<'_>, pod: &PodState, canary: Canary) -> Option<Duration> {
    let since = pod.since.filter(|_| pod.ready)?;
    Some(canary.stable.saturating_sub(elapsed(observed.now, since)))
}
