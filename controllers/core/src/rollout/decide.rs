//! The next step.

use super::canary::{self, Verdict};
use super::health::{elapsed, health, is_in_backoff, present};
use super::{Decision, Method, Observed, PodState, Progress, Step};
use crate::instrumentor::{Finding, Status, WorkloadKind};
use controllers_api::conditions::{ConditionType, PodsManifestInjection, WorkloadRollout};
use controllers_api::instrumentation_config::PodsManifestInjectionStatus;
use std::time::Duration;

/// A pod that was made without the webhook is replaced again only after this time, so that a webhook that cannot be reached
/// does not lead to pods being evicted over and over.
const BETWEEN_ATTEMPTS: Duration = Duration::from_secs(600);

/// A pod this much younger than the hash may have been made before the webhook knew of it.
const TAKES_EFFECT: Duration = Duration::from_secs(10);

/// Nothing happens to a workload that waits for others, so it looks again by itself.
const IN_QUEUE: Duration = Duration::from_secs(3);

/// The apiserver asks the webhook on pods only of namespaces with something to inject, and learns of a new one with a delay.
const UNTIL_THE_WEBHOOK_IS_ASKED: Duration = Duration::from_secs(2);

/// The next step of a workload, and what is said of it.
pub fn decide(observed: &Observed<'_>) -> Decision {
    let mut again = None;
    if let Some(desired) = observed.desired.as_ref().filter(|_| observed.settings.rollback) {
        let health = health(observed, desired);
        again = health.again;
        if !health.rolled_back.is_empty() {
            let names: Vec<&str> = health.rolled_back.keys().map(String::as_str).collect();
            let message = format!("the agent is taken out of {} again", names.join(", "));
            let next = Next::step(
                Step::RollBack(health.rolled_back),
                WorkloadRollout::RolloutTriggeredSuccessfully,
                message,
            );
            return next.into_decision(observed, None);
        }
    }
    next(observed).into_decision(observed, again)
}

/// Whether the workload is being rolled because of us, so that it counts among those of `maxConcurrentRollouts`.
pub fn is_under_way(observed: &Observed<'_>) -> bool {
    let waits_for_owner = observed.workload.on_delete;
    let is_marked = observed.workload.is_marked() && template(observed) == hash(observed);
    let is_stale = stale(observed).next().is_some();
    let is_rolling = is_stale || matches!(observed.workload.progress, Progress::UnderWay(_));
    !waits_for_owner && ((is_marked && is_rolling) || (has_begun(observed) && is_stale))
}

/// A step, and why.
struct Next {
    step: Step,
    reason: WorkloadRollout,
    message: String,
    again: Option<Duration>,
}

impl Next {
    fn step(step: Step, reason: WorkloadRollout, message: impl Into<String>) -> Self {
        Self {
            step,
            reason,
            message: message.into(),
            again: None,
        }
    }

    fn wait(reason: WorkloadRollout, message: impl Into<String>) -> Self {
        Self::step(Step::Nothing, reason, message)
    }

    fn into_decision(self, observed: &Observed<'_>, again: Option<Duration>) -> Decision {
        let pods = counted(observed);
        let again = match (self.again, again) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        Decision {
            conditions: [
                rollout(self.reason, self.message),
                injection(observed, &pods, self.reason),
            ],
            step: self.step,
            pods,
            again,
        }
    }
}

fn next(observed: &Observed<'_>) -> Next {
    match observed.kind {
        WorkloadKind::Job | WorkloadKind::CronJob => {
            return by_owner(observed, WorkloadRollout::WaitingForRestart, "its next run");
        }
        WorkloadKind::StaticPod => {
            let reason = WorkloadRollout::WorkloadNotSupporting;
            return by_owner(observed, reason, "nobody: the kubelet makes these pods by itself");
        }
        WorkloadKind::Deployment
        | WorkloadKind::DaemonSet
        | WorkloadKind::StatefulSet
        | WorkloadKind::DeploymentConfig
        | WorkloadKind::Rollout => {}
    }
    let desired = hash(observed);
    let is_marked = observed.workload.is_marked();
    if stale(observed).next().is_none() && (desired.is_some() || !is_marked) {
        return finished(observed);
    }
    // By the other method the template itself is what is to be as desired.
    restoring_or_rolling(observed, desired, is_marked)
}

/// Kinds whose pods are not replaced by us.
fn by_owner(observed: &Observed<'_>, reason: WorkloadRollout, who: &str) -> Next {
    if observed.settings.method == Method::Template
        && template(observed) != hash(observed)
        && observed.kind == WorkloadKind::CronJob
    {
        let message = "its next run has what the template says now";
        return Next::step(set(observed), WorkloadRollout::WaitingForRestart, message);
    }
    if stale(observed).next().is_some() {
        return Next::wait(reason, format!("the pods change with {who}"));
    }
    match hash(observed) {
        Some(_) => Next::wait(
            reason,
            format!("no pod must be replaced now; the pods that come get the agent with {who}"),
        ),
        None => Next::wait(WorkloadRollout::NotRequired, "the pods are as their owner wrote them"),
    }
}

fn finished(observed: &Observed<'_>) -> Next {
    if observed.desired.is_none() {
        return Next::wait(WorkloadRollout::NotRequired, "the pods stay as they are");
    }
    if present(observed.pods).next().is_none() {
        return Next::wait(
            WorkloadRollout::NotRequired,
            "there is no pod; those that come get the agent",
        );
    }
    match &observed.workload.progress {
        Progress::UnderWay(how) => Next::wait(WorkloadRollout::RolloutTriggeredSuccessfully, how.clone()),
        Progress::Settled | Progress::Paused => Next::wait(WorkloadRollout::RolloutFinished, "every pod is up to date"),
    }
}

fn restoring_or_rolling(observed: &Observed<'_>, desired: Option<&str>, is_marked: bool) -> Next {
    let restores = desired.is_none() && is_marked;
    // What was put into the manifest is taken out even where nothing is replaced by itself: nothing of ours may stay there.
    if !observed.settings.automatic && !restores {
        let message =
            "automatic rollouts are switched off (rollout.automaticRolloutDisabled): restart the workload yourself";
        return Next::wait(WorkloadRollout::Disabled, message);
    }
    if observed.workload.on_delete {
        if template(observed) != desired && (restores || observed.settings.method == Method::Template) {
            return Next::step(set(observed), WorkloadRollout::WaitingForRestart, ON_DELETE);
        }
        return Next::wait(WorkloadRollout::WaitingForRestart, ON_DELETE);
    }
    if template(observed) == desired {
        return leftovers(observed);
    }
    if let Some(blocked) = blocked(observed, restores) {
        return blocked;
    }
    roll(observed)
}

const ON_DELETE: &str = "its strategy is OnDelete: delete the pods yourself, one after the other";

/// Rollouts that come first.
fn blocked(observed: &Observed<'_>, restores: bool) -> Option<Next> {
    // A rollout of ours that fails, or that is not wanted any more, is not waited for: it would never end.
    let failing = present(observed.pods)
        .any(|pod| pod.hash.is_some() && pod.hash.as_deref() != hash(observed) && is_in_backoff(pod));
    let supersedes = restores || failing;
    let has_begun = has_begun(observed);
    match &observed.workload.progress {
        Progress::Paused => {
            let message = "the workload is paused (spec.paused): the rollout begins when it is resumed";
            return Some(Next::wait(WorkloadRollout::PreviousRolloutOngoing, message));
        }
        Progress::UnderWay(how) if !supersedes && !has_begun => {
            return Some(Next::wait(WorkloadRollout::PreviousRolloutOngoing, how.clone()));
        }
        Progress::UnderWay(_) | Progress::Settled => {}
    }
    let most = observed
        .settings
        .max_concurrent
        .filter(|most| observed.others_under_way >= *most && !failing && !has_begun)?;
    let message = format!(
        "{} of at most {most} workloads are being rolled (rollout.maxConcurrentRollouts)",
        observed.others_under_way
    );
    let next = Next::wait(WorkloadRollout::WaitingInQueue, message);
    let again = Some(IN_QUEUE);
    Some(Next { again, ..next })
}

/// Replaces the pods: one first, then all by the workload's controller, or one by one where budgets allow no more.
fn roll(observed: &Observed<'_>) -> Next {
    if let Some(wait) = too_early(observed) {
        return wait;
    }
    if let Some(desired) = &observed.desired {
        match canary::verdict(observed, desired) {
            Verdict::GoOn => {}
            Verdict::Replace(pod) => {
                let message = format!("{pod} is replaced first; the others follow if the new one stays healthy");
                return evict(observed, &pod, message);
            }
            Verdict::Wait(message, again) => {
                let next = Next::wait(WorkloadRollout::RolloutTriggeredSuccessfully, message);
                return Next { again, ..next };
            }
        }
    }
    if let Progress::UnderWay(how) = &observed.workload.progress
        && !present(observed.pods).any(is_in_backoff)
        && observed.desired.is_some()
    {
        return Next::wait(WorkloadRollout::PreviousRolloutOngoing, how.clone());
    }
    let taken = observed.workload.max_unavailable;
    match observed.disruptions.filter(|allowed| *allowed < taken) {
        None => Next::step(
            set(observed),
            WorkloadRollout::RolloutTriggeredSuccessfully,
            "its controller replaces the pods",
        ),
        Some(0) => no_disruption(),
        Some(allowed) if observed.settings.method == Method::Template || observed.workload.is_marked() => {
            let message =
                format!("its controller replaces the pods; a PodDisruptionBudget allows {allowed} to be down");
            Next::step(set(observed), WorkloadRollout::RolloutTriggeredSuccessfully, message)
        }
        Some(_) => one_by_one(observed),
    }
}

fn too_early(observed: &Observed<'_>) -> Option<Next> {
    let since = observed.desired.as_ref()?.since?;
    let left = UNTIL_THE_WEBHOOK_IS_ASKED.saturating_sub(elapsed(observed.now, since));
    let next = Next::wait(
        WorkloadRollout::WaitingInQueue,
        "the webhook on pods gets to know the workload first",
    );
    let again = Some(left);
    (!left.is_zero()).then_some(Next { again, ..next })
}

/// Pods that are not as desired although the template stands for it: what came first before a rollback, what was made while
/// the webhook could not be reached, or what is replaced one by one.
fn leftovers(observed: &Observed<'_>) -> Next {
    // A controller that replaces pods comes first, unless it waits for the very pod that has to go.
    let all_there = present(observed.pods).count() == observed.workload.replicas as usize;
    let waits_for_one = all_there && stale(observed).any(|pod| !pod.ready);
    match &observed.workload.progress {
        Progress::UnderWay(how) if !waits_for_one => {
            return Next::wait(WorkloadRollout::RolloutTriggeredSuccessfully, how.clone());
        }
        Progress::Paused | Progress::UnderWay(_) | Progress::Settled => {}
    }
    one_by_one(observed)
}

fn one_by_one(observed: &Observed<'_>) -> Next {
    let is_up_to_date = |pod: &&PodState| pod.hash.as_deref() == hash(observed);
    if let Some(pod) = present(observed.pods).filter(is_up_to_date).find(|pod| !pod.ready) {
        let message = format!("pod {} must be ready before the next is replaced", pod.name);
        return Next::wait(WorkloadRollout::RolloutTriggeredSuccessfully, message);
    }
    // One that does not serve is missed by nobody; otherwise the one that was made last.
    match stale(observed).max_by_key(|pod| (!pod.ready, pod.created, &pod.name)) {
        Some(pod) => evict(
            observed,
            &pod.name,
            format!("{} is replaced; the others follow one by one", pod.name),
        ),
        None => Next::wait(
            WorkloadRollout::RolloutTriggeredSuccessfully,
            "the last pod is being replaced",
        ),
    }
}

/// Evicts a pod, unless the last one came back without its agent, or a budget forbids it.
fn evict(observed: &Observed<'_>, pod: &str, message: String) -> Next {
    if let Some(missed) = missed(observed) {
        let message = format!(
            "pod {} was made without the agent: the webhook of the instrumentor was not asked or not reached; it is tried again",
            missed.name
        );
        let wait = BETWEEN_ATTEMPTS.saturating_sub(elapsed(observed.now, missed.created));
        let next = Next::wait(WorkloadRollout::FailedToPatch, message);
        return Next {
            again: Some(wait),
            ..next
        };
    }
    let fails = observed.pods.iter().any(|it| it.name == pod && !it.ready);
    let (there, wanted) = (present(observed.pods).count(), observed.workload.replicas as usize);
    if there < wanted && !fails {
        let message = format!("{there} of {wanted} pods are there");
        return Next::wait(WorkloadRollout::PreviousRolloutOngoing, message);
    }
    if observed.disruptions == Some(0) && !fails {
        return no_disruption();
    }
    let step = Step::Replace { pod: pod.to_owned() };
    Next::step(step, WorkloadRollout::RolloutTriggeredSuccessfully, message)
}

fn no_disruption() -> Next {
    let message = "a PodDisruptionBudget allows no pod to be down now";
    Next::wait(WorkloadRollout::WaitingInQueue, message)
}

/// A pod that is younger than the hash and does not have it, if that was found out a short while ago.
fn missed<'a>(observed: &Observed<'a>) -> Option<&'a PodState> {
    let since = observed.desired.as_ref()?.since?;
    let young = |pod: &&PodState| {
        let age = elapsed(observed.now, pod.created);
        elapsed(pod.created, since) > TAKES_EFFECT && age < BETWEEN_ATTEMPTS
    };
    stale(observed).filter(young).max_by_key(|pod| pod.created)
}

fn set(observed: &Observed<'_>) -> Step {
    Step::Template(hash(observed).map(str::to_owned))
}

fn template<'a>(observed: &'a Observed<'_>) -> Option<&'a str> {
    observed.workload.template(observed.settings.method)
}

fn hash<'a>(observed: &'a Observed<'_>) -> Option<&'a str> {
    observed.desired.as_ref().map(|it| it.hash.as_str())
}

/// Whether there is a pod with the agents as they are desired.
fn has_begun(observed: &Observed<'_>) -> bool {
    present(observed.pods).any(|pod| pod.hash.is_some() && pod.hash.as_deref() == hash(observed))
}

/// The pods that are not as desired.
fn stale<'a>(observed: &Observed<'a>) -> impl Iterator<Item = &'a PodState> {
    let hash = hash(observed).map(str::to_owned);
    present(observed.pods).filter(move |pod| pod.hash != hash)
}

fn counted(observed: &Observed<'_>) -> PodsManifestInjectionStatus {
    let hash = hash(observed);
    let any = |is: &dyn Fn(&PodState) -> bool| Some(present(observed.pods).any(is));
    PodsManifestInjectionStatus {
        has_injected_out_of_date_pods: any(&|pod| pod.hash.is_some() && pod.hash.as_deref() != hash),
        has_injected_up_to_date_pods: any(&|pod| pod.hash.is_some() && pod.hash.as_deref() == hash),
        has_uninjected_pods: any(&|pod| pod.hash.is_none()),
    }
}

fn rollout(reason: WorkloadRollout, message: String) -> Finding {
    let status = match reason {
        WorkloadRollout::RolloutFinished | WorkloadRollout::NotRequired => Status::True,
        WorkloadRollout::RolloutTriggeredSuccessfully
        | WorkloadRollout::PreviousRolloutOngoing
        | WorkloadRollout::WaitingForRestart
        | WorkloadRollout::WaitingInQueue => Status::Unknown,
        WorkloadRollout::FailedToPatch | WorkloadRollout::Disabled | WorkloadRollout::WorkloadNotSupporting => {
            Status::False
        }
    };
    Finding {
        condition: ConditionType::WorkloadRollout,
        status,
        reason: reason.as_str().to_owned(),
        message,
    }
}

fn injection(observed: &Observed<'_>, pods: &PodsManifestInjectionStatus, rollout: WorkloadRollout) -> Finding {
    let all = present(observed.pods).count();
    let stale = stale(observed).count();
    let (status, reason, message) = if all == 0 {
        (
            Status::Unknown,
            PodsManifestInjection::NoPods,
            "there is no pod".to_owned(),
        )
    } else if stale > 0 {
        let message = format!("{stale} of {all} pods are not up to date");
        (Status::False, waits_for(observed.kind, rollout), message)
    } else if pods.has_injected_up_to_date_pods == Some(true) {
        let message = format!("all {all} pods have the agent");
        (Status::True, PodsManifestInjection::PodsAppliedSuccessfully, message)
    } else {
        let message = "nothing is put into the pods".to_owned();
        let reason = PodsManifestInjection::PodsManifestInjectionNotRequired;
        (Status::True, reason, message)
    };
    Finding {
        condition: ConditionType::PodsManifestInjection,
        status,
        reason: reason.as_str().to_owned(),
        message,
    }
}

/// What pods that are not up to date wait for.
const fn waits_for(kind: WorkloadKind, rollout: WorkloadRollout) -> PodsManifestInjection {
    match rollout {
        WorkloadRollout::RolloutTriggeredSuccessfully
        | WorkloadRollout::RolloutFinished
        | WorkloadRollout::NotRequired => PodsManifestInjection::RolloutInProgress,
        WorkloadRollout::PreviousRolloutOngoing => PodsManifestInjection::WaitingForAutomaticRollout,
        WorkloadRollout::WaitingInQueue => PodsManifestInjection::WaitingInRolloutQueue,
        WorkloadRollout::Disabled => PodsManifestInjection::RestartRequiredAutoRolloutDisabled,
        WorkloadRollout::FailedToPatch => PodsManifestInjection::RestartRequiredWebhookMissed,
        WorkloadRollout::WorkloadNotSupporting => PodsManifestInjection::RolloutNotSupportedForStaticPods,
        WorkloadRollout::WaitingForRestart => match kind {
            WorkloadKind::Job | WorkloadKind::CronJob => PodsManifestInjection::WaitingForNextJobRun,
            WorkloadKind::Deployment
            | WorkloadKind::DaemonSet
            | WorkloadKind::StatefulSet
            | WorkloadKind::StaticPod
            | WorkloadKind::DeploymentConfig
            | WorkloadKind::Rollout => PodsManifestInjection::RestartRequiredAutoRolloutFailed,
        },
    }
}
