//! Rollouts, against a Deployment whose controller and webhook are simulated, so that hours pass in no time. On a real node it
//! is `tests/kube` that shows the same.

mod simulated;

use controllers_core::instrumentor::WorkloadKind;
use controllers_core::rollout::{Canary, Method, Settings};
use proptest::prelude::*;
use simulated::{Cluster, minutes};
use std::time::Duration;

fn settings() -> Settings {
    Settings {
        canary: Some(Canary {
            stable: Duration::from_secs(30),
            overhead: 0.1,
        }),
        ..Settings::default()
    }
}

/// The reason of the condition `WorkloadRollout`.
fn reason(cluster: &Cluster) -> String {
    cluster.decide().conditions[0].reason.clone()
}

fn message(cluster: &Cluster) -> String {
    cluster.decide().conditions[0].message.clone()
}

#[test]
fn one_pod_comes_first_and_then_the_workload_is_rolled_once() {
    let mut cluster = Cluster::new(3, settings());
    cluster.want("a");
    cluster.run(minutes(10));
    assert_eq!((cluster.evictions, cluster.rolls), (1, 1));
    assert_eq!(cluster.hashes(), ["a", "a", "a"]);
    assert_eq!(reason(&cluster), "RolloutFinished");
    assert_eq!(cluster.decide().conditions[1].reason, "PodsAppliedSuccessfully");
    cluster.run(minutes(300));
    assert_eq!((cluster.evictions, cluster.rolls), (1, 1));
}

#[test]
fn a_single_pod_is_rolled_without_being_missed() {
    let mut cluster = Cluster::new(1, settings());
    cluster.want("a");
    cluster.run(minutes(10));
    assert_eq!((cluster.evictions, cluster.rolls), (0, 1));
    assert_eq!(cluster.hashes(), ["a"]);
    assert_eq!(cluster.fewest_ready, 1);
}

#[test]
fn nothing_is_rolled_when_pods_may_stay_as_they_are() {
    let mut cluster = Cluster::new(3, settings());
    cluster.run(minutes(60));
    assert_eq!((cluster.evictions, cluster.rolls), (0, 0));
    assert_eq!(reason(&cluster), "NotRequired");
    assert_eq!(
        cluster.decide().conditions[1].reason,
        "PodsManifestInjectionNotRequired"
    );
}

#[test]
fn pods_that_their_owner_made_anew_are_not_rolled_again() {
    let mut cluster = Cluster::new(2, settings());
    cluster.pods.clear();
    cluster.want("a");
    cluster.run(minutes(10));
    assert_eq!((cluster.evictions, cluster.rolls), (0, 0));
    assert_eq!(reason(&cluster), "RolloutFinished");
}

#[test]
fn removing_takes_the_annotation_out_and_every_agent_with_it() {
    let mut cluster = Cluster::new(3, settings());
    cluster.want("a");
    cluster.run(minutes(10));
    cluster.desired = None;
    cluster.run(minutes(10));
    assert_eq!(cluster.hashes(), ["", "", ""]);
    assert_eq!(cluster.template, None);
    assert_eq!(cluster.rolls, 2);
    assert_eq!(reason(&cluster), "NotRequired");
}

#[test]
fn a_failing_agent_is_taken_out_again_before_a_second_pod_has_it() {
    let mut cluster = Cluster::new(3, settings());
    cluster.crashing = vec!["a".to_owned()];
    cluster.want("a");
    cluster.run(minutes(30));
    assert_eq!(cluster.rolled_back.keys().collect::<Vec<_>>(), ["app"]);
    let entry = &cluster.rolled_back["app"];
    assert_eq!(format!("{:?}", entry.reason), "CrashLoopBackOff");
    assert_eq!(entry.agent, "agent-a");
    assert_eq!(cluster.hashes(), ["", "", ""]);
    // The template was never touched: one pod was replaced by one with the agent, and that by one without it.
    assert_eq!((cluster.rolls, cluster.evictions), (0, 2));
    assert_eq!(cluster.fewest_ready, 2);
}

#[test]
fn a_single_pods_failing_agent_is_taken_out_again_while_the_old_pod_serves() {
    let mut cluster = Cluster::new(1, settings());
    cluster.crashing = vec!["a".to_owned()];
    cluster.want("a");
    cluster.run(minutes(30));
    assert_eq!(cluster.rolled_back.len(), 1);
    assert_eq!((cluster.template.as_deref(), cluster.rolls), (None, 2));
    assert_eq!(cluster.hashes(), [""]);
    assert_eq!(cluster.fewest_ready, 1);
}

#[test]
fn another_agent_is_tried_after_a_rollback_and_the_same_is_not() {
    let mut cluster = Cluster::new(3, settings());
    cluster.crashing = vec!["a".to_owned()];
    cluster.want("a");
    cluster.run(minutes(30));
    cluster.want("b");
    cluster.run(minutes(30));
    assert_eq!(cluster.hashes(), ["b", "b", "b"]);
    assert_eq!(reason(&cluster), "RolloutFinished");
}

#[test]
fn what_fails_without_an_agent_as_well_is_not_its_fault() {
    let mut cluster = Cluster::new(3, settings());
    cluster.crashing = vec!["a".to_owned()];
    cluster.want("a");
    cluster.run(minutes(2));
    cluster.crashing.push(String::new());
    cluster.run(minutes(30));
    assert!(cluster.rolled_back.is_empty());
}

#[test]
fn rollback_can_be_switched_off() {
    let off = Settings {
        rollback: false,
        ..settings()
    };
    let mut cluster = Cluster::new(3, off);
    cluster.crashing = vec!["a".to_owned()];
    cluster.want("a");
    cluster.run(minutes(60));
    assert!(cluster.rolled_back.is_empty());
    assert_eq!(
        (cluster.evictions, cluster.rolls),
        (1, 0),
        "the first pod fails, so no other follows"
    );
}

#[test]
fn a_pod_that_never_serves_stops_the_rollout_and_is_taken_back() {
    let mut cluster = Cluster::new(3, settings());
    cluster.unready = vec!["a".to_owned()];
    cluster.want("a");
    cluster.run(minutes(4));
    assert_eq!((cluster.evictions, cluster.rolls), (1, 0));
    assert!(
        message(&cluster).contains("came first and is not ready"),
        "{}",
        message(&cluster)
    );
    cluster.run(minutes(30));
    assert_eq!(format!("{:?}", cluster.rolled_back["app"].reason), "InjectionConflict");
    assert_eq!(cluster.hashes(), ["", "", ""]);
}

#[test]
fn an_agent_that_takes_too_much_stays_in_one_pod() {
    let mut cluster = Cluster::new(3, settings());
    cluster.overhead = Some(0.25);
    cluster.want("a");
    cluster.run(minutes(60));
    assert_eq!((cluster.evictions, cluster.rolls), (1, 0));
    assert!(message(&cluster).contains("takes 25 % more"), "{}", message(&cluster));
    cluster.overhead = Some(0.05);
    cluster.run(minutes(10));
    assert_eq!(cluster.hashes(), ["a", "a", "a"]);
}

#[test]
fn a_webhook_that_is_not_reached_does_not_lead_to_pods_being_evicted_over_and_over() {
    let mut cluster = Cluster::new(3, settings());
    cluster.webhook = false;
    cluster.want("a");
    cluster.run(minutes(59));
    assert!(cluster.evictions <= 7, "{}", cluster.evictions);
    assert_eq!(reason(&cluster), "FailedToPatch");
    cluster.webhook = true;
    cluster.run(minutes(30));
    assert_eq!(cluster.hashes(), ["a", "a", "a"]);
}

#[test]
fn budgets_are_respected() {
    let mut cluster = Cluster::new(8, settings());
    cluster.disruptions = Some(0);
    cluster.want("a");
    cluster.run(minutes(10));
    assert_eq!((cluster.evictions, cluster.rolls), (0, 0));
    assert_eq!(reason(&cluster), "WaitingInQueue");
    // Its strategy would take down two at once.
    cluster.disruptions = Some(1);
    cluster.run(minutes(60));
    assert_eq!((cluster.evictions, cluster.rolls), (8, 0));
    assert_eq!(cluster.fewest_ready, 7);
    cluster.desired = None;
    cluster.run(minutes(60));
    assert_eq!(cluster.hashes(), [""; 8]);
    assert_eq!(cluster.fewest_ready, 7);
}

#[test]
fn others_that_are_under_way_come_first() {
    let one = Settings {
        max_concurrent: Some(1),
        ..settings()
    };
    let mut cluster = Cluster::new(3, one);
    cluster.others_under_way = 1;
    cluster.want("a");
    cluster.run(minutes(10));
    assert_eq!((cluster.evictions, cluster.rolls), (0, 0));
    assert_eq!(reason(&cluster), "WaitingInQueue");
    assert!(cluster.decide().again.is_some(), "nothing else would wake it");
    cluster.others_under_way = 0;
    cluster.run(minutes(10));
    assert_eq!(reason(&cluster), "RolloutFinished");
}

#[test]
fn automatic_rollouts_can_be_switched_off_and_what_is_in_the_manifest_still_goes() {
    let off = Settings {
        automatic: false,
        ..settings()
    };
    let mut cluster = Cluster::new(3, off);
    cluster.want("a");
    cluster.run(minutes(10));
    assert_eq!((cluster.evictions, cluster.rolls), (0, 0));
    assert_eq!(reason(&cluster), "Disabled");
    assert_eq!(
        cluster.decide().conditions[1].reason,
        "RestartRequiredAutoRolloutDisabled"
    );
    let mut cluster = Cluster::new(3, settings());
    cluster.want("a");
    cluster.run(minutes(10));
    cluster.settings = off;
    cluster.desired = None;
    cluster.run(minutes(10));
    assert_eq!(cluster.template, None);
}

#[test]
fn kinds_that_are_not_rolled_wait_for_whoever_makes_their_pods() {
    let kinds = [
        (WorkloadKind::Job, "WaitingForRestart"),
        (WorkloadKind::CronJob, "WaitingForRestart"),
        (WorkloadKind::StaticPod, "WorkloadNotSupporting"),
    ];
    for (kind, expected) in kinds {
        let mut cluster = Cluster::new(2, settings());
        cluster.kind = kind;
        cluster.want("a");
        cluster.run(minutes(10));
        assert_eq!((cluster.evictions, cluster.rolls), (0, 0), "{kind}");
        assert_eq!(reason(&cluster), expected);
    }
    let mut cluster = Cluster::new(2, settings());
    cluster.on_delete = true;
    cluster.want("a");
    cluster.run(minutes(10));
    assert_eq!((cluster.evictions, cluster.rolls), (0, 0));
    assert_eq!(reason(&cluster), "WaitingForRestart");
}

#[test]
fn the_method_that_changes_templates_has_no_pod_that_comes_first() {
    let template = Settings {
        method: Method::Template,
        ..settings()
    };
    let mut cluster = Cluster::new(3, template);
    cluster.want("a");
    cluster.run(minutes(10));
    assert_eq!((cluster.evictions, cluster.rolls), (0, 1));
    assert_eq!(cluster.hashes(), ["a", "a", "a"]);
    cluster.desired = None;
    cluster.run(minutes(10));
    assert_eq!((cluster.evictions, cluster.rolls), (0, 2));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever is wanted in which order, with whoever taking over at any moment (nothing is remembered): in the end every pod
    /// is as it was wanted last, nothing is done any more, and the workload was never rolled more often than it was changed.
    #[test]
    fn every_order_of_wishes_ends_as_the_last_one(
        replicas in 1u32..6,
        wishes in proptest::collection::vec((proptest::option::of("[ab]"), 0u64..20), 1..6),
    ) {
        let mut cluster = Cluster::new(replicas, settings());
        let mut changes = 0;
        for (wish, wait) in &wishes {
            changes += u32::from(cluster.desired.as_ref().map(|it| &it.hash) != wish.as_ref());
            match wish {
                Some(hash) => cluster.want(hash),
                None => cluster.desired = None,
            }
            cluster.run(Duration::from_secs(wait * 10));
        }
        cluster.run(minutes(60));
        let expected = wishes.last().and_then(|it| it.0.clone()).unwrap_or_default();
        prop_assert!(cluster.hashes().iter().all(|hash| *hash == expected), "{:?}", cluster.hashes());
        prop_assert!(cluster.rolls <= changes, "{} rolls for {changes} changes", cluster.rolls);
        prop_assert!(cluster.fewest_ready + 1 >= replicas, "{} of {replicas} were ready", cluster.fewest_ready);
        if expected.is_empty() {
            prop_assert_eq!(&cluster.template, &None);
        }
        let (rolls, evictions) = (cluster.rolls, cluster.evictions);
        cluster.run(minutes(60));
        prop_assert_eq!((cluster.rolls, cluster.evictions), (rolls, evictions));
    }
}
