//! Several workers, and pipelines joined by connectors.

use crate::fixture::{LET_GO, pipeline, plan, plan_of, wait_for};
use std::sync::atomic::Ordering;
use std::time::Duration;

#[test]
fn each_worker_has_its_own_instances_and_one_account() {
    let plan = plan("payloads: 200, everywhere: true", "half", "everywhere, all").unwrap();
    let (account, result) = plan.start(3).unwrap().wait();
    result.unwrap();
    let pipeline = pipeline(&account);
    assert_eq!((account.receivers[0].received, pipeline.received), (6000, 6000));
    // Each worker's processor drops every other of the 200 payloads that it sees.
    assert_eq!(pipeline.dropped[&"sampled_out"], 3000);
    for exporter in &pipeline.exporters {
        assert_eq!(exporter.exported, 3000, "{}", exporter.id);
    }
}

#[test]
fn a_processor_that_must_see_everything_brings_its_pipeline_to_one_worker() {
    let plan = plan("payloads: 101, everywhere: true", "alone", "everywhere").unwrap();
    let (account, result) = plan.start(3).unwrap().wait();
    result.unwrap();
    // One processor sees 303 payloads: it drops 151, where three that see 101 each would drop 150.
    assert_eq!(pipeline(&account).dropped[&"sampled_out"], 1510);
}

#[test]
fn a_connector_joins_pipelines_and_the_drain_follows_the_flow() {
    let plan = plan_of(
        "
receivers: {feed: {payloads: 100, stays: true}}
processors: {hold: }
exporters: {all: , all/2: }
connectors: {forward: }
service:
  pipelines:
    traces: {receivers: [feed], processors: [hold], exporters: [all, forward]}
    traces/2: {receivers: [forward], processors: [hold], exporters: [all/2]}
",
    )
    .unwrap();
    let engine = plan.start(2).unwrap();
    wait_for(&engine, "the first pipeline holds all", |account| {
        account.pipelines[0].held == 1000
    });
    engine.handle().drain(Duration::from_secs(20));
    let (account, result) = engine.wait();
    result.unwrap();
    assert!(account.balances(), "{account:#?}");
    let second = account
        .pipelines
        .iter()
        .find(|pipeline| pipeline.id == "traces/2")
        .unwrap();
    assert_eq!((second.received, second.exporters[0].exported), (1000, 1000));
}

#[test]
fn a_worker_that_is_stuck_shows_by_its_silence() {
    let engine = plan("payloads: 1, stays: true", "sticks", "all")
        .unwrap()
        .start(1)
        .unwrap();
    let handle = engine.handle();
    wait_for(&engine, "the worker is silent", |_| {
        handle.worker_silence()[0] > Duration::from_millis(1500)
    });
    LET_GO.store(true, Ordering::Relaxed);
    wait_for(&engine, "it lives again", |_| {
        handle.worker_silence()[0] < Duration::from_millis(1000)
    });
    handle.drain(Duration::from_secs(5));
    engine.wait().1.unwrap();
}

#[test]
fn every_worker_shows_that_it_is_alive() {
    let engine = plan("stays: true", "", "all").unwrap().start(2).unwrap();
    let silence = engine.handle().worker_silence();
    assert_eq!(silence.len(), 2);
    assert!(
        silence.iter().all(|silence| *silence < Duration::from_secs(20)),
        "{silence:?}"
    );
    engine.handle().drain(Duration::from_secs(5));
    engine.wait().1.unwrap();
}
