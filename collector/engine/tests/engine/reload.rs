//! Going over to another plan while items flow: nothing is lost, and what is unchanged goes on.

use crate::fixture::{plan_of, wait_for};
use collector_engine::{Account, Engine, ExporterAccount, StartError};
use std::time::Duration;

/// A pipeline of these parts, fed without an end.
fn text(feed: &str, processors: &str, exporters: &str) -> String {
    format!(
        "
receivers: {{feed: {{goes_on: true, everywhere: true, {feed}}}}}
processors: {{hold: , half: }}
exporters: {{all: , all/2: {{}}, everywhere: , locked: }}
service: {{pipelines: {{traces: {{receivers: [feed], processors: [{processors}], exporters: [{exporters}]}}}}}}
"
    )
}

fn reload(engine: &Engine, text: &str) -> Result<(), StartError> {
    let handle = engine.handle();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(handle.reload(plan_of(text).unwrap()))
}

fn exporter<'a>(account: &'a Account, id: &str) -> &'a ExporterAccount {
    account.pipelines[0]
        .exporters
        .iter()
        .find(|exporter| exporter.id == id)
        .unwrap()
}

/// Waits until the exporter has taken more than it has now.
fn flows(engine: &Engine, id: &str) {
    let before = engine.handle().account().pipelines[0]
        .exporters
        .iter()
        .find(|e| e.id == id)
        .map_or(0, |e| e.exported);
    wait_for(engine, &format!("{id} takes more"), |account| {
        exporter(account, id).exported > before + 100
    });
}

#[test]
fn nothing_is_lost_while_pipelines_exporters_and_receivers_are_replaced() {
    let engine = plan_of(&text("", "", "all")).unwrap().start(2).unwrap();
    flows(&engine, "all");
    for (feed, processors, exporters, watched) in [
        ("", "", "all, all/2", "all/2"),
        ("", "half", "all, all/2", "all"),
        ("", "half", "everywhere", "everywhere"),
        ("stays: false", "half", "everywhere", "everywhere"),
        ("stays: true", "", "all, everywhere", "all"),
    ] {
        reload(&engine, &text(feed, processors, exporters)).unwrap();
        flows(&engine, watched);
    }
    engine.handle().drain(Duration::from_secs(20));
    let (account, result) = engine.wait();
    result.unwrap();
    assert!(account.balances(), "{account:#?}");
    assert_eq!(
        account.pipelines.len(),
        1,
        "one account for all that the pipeline has been"
    );
    let pipeline = &account.pipelines[0];
    assert_eq!(account.receivers[0].received, pipeline.received);
    assert_eq!(pipeline.received, pipeline.forwarded + pipeline.dropped[&"sampled_out"]);
    assert_eq!(pipeline.held, 0);
    for exporter in &pipeline.exporters {
        assert_eq!(exporter.held, 0, "{exporter:?}");
        assert_eq!(exporter.exported, exporter.received, "{exporter:?}");
    }
}

#[test]
fn what_a_replaced_pipeline_holds_is_given_out() {
    let held = "
receivers: {feed: {payloads: 7, stays: true}}
processors: {hold: }
exporters: {all: }
service: {pipelines: {traces: {receivers: [feed], processors: [hold], exporters: [all]}}}
";
    let engine = plan_of(held).unwrap().start(1).unwrap();
    wait_for(&engine, "all is held", |account| account.pipelines[0].held == 70);
    reload(&engine, &held.replace("[hold]", "[]")).unwrap();
    wait_for(&engine, "what was held has arrived", |account| {
        exporter(account, "all").exported == 70
    });
    assert_eq!(
        engine.handle().account().receivers[0].received,
        70,
        "the receiver went on undisturbed"
    );
    engine.handle().drain(Duration::from_secs(5));
    engine.wait().1.unwrap();
}

#[test]
fn a_plan_that_cannot_start_changes_nothing() {
    let engine = plan_of(&text("", "", "all")).unwrap().start(1).unwrap();
    let error = reload(&engine, &text("", "half", "locked")).unwrap_err();
    assert_eq!(error.to_string(), "exporter locked cannot start");
    flows(&engine, "all");
    let account = engine.handle().account();
    assert!(account.pipelines[0].dropped.is_empty(), "{account}");
    engine.handle().drain(Duration::from_secs(20));
    engine.wait().1.unwrap();
}

#[test]
fn an_engine_that_ends_takes_no_other_plan() {
    let engine = plan_of(&text("", "", "all")).unwrap().start(1).unwrap();
    let handle = engine.handle();
    handle.drain(Duration::from_secs(5));
    engine.wait().1.unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let answer = runtime.block_on(handle.reload(plan_of(&text("", "half", "all")).unwrap()));
    assert!(matches!(answer, Err(StartError::Ending)), "{answer:?}");
}

#[test]
fn what_a_removed_receiver_still_gives_arrives_where_it_always_did() {
    let with_both = "
receivers: {feed: {goes_on: true}, feed/2: {payloads: 1, stays: true, lingers: 50}}
exporters: {all: , all/2: }
service:
  pipelines:
    traces: {receivers: [feed], exporters: [all]}
    traces/2: {receivers: [feed/2], exporters: [all/2]}
";
    let one = "
receivers: {feed: {goes_on: true}}
exporters: {all: }
service: {pipelines: {traces: {receivers: [feed], exporters: [all]}}}
";
    let engine = plan_of(with_both).unwrap().start(2).unwrap();
    reload(&engine, one).unwrap();
    wait_for(&engine, "all that it gave has arrived", |account| {
        let second = account.pipelines.iter().find(|pipeline| pipeline.id == "traces/2");
        second.unwrap().exporters[0].exported == 510
    });
    flows(&engine, "all");
    engine.handle().drain(Duration::from_secs(20));
    let (account, result) = engine.wait();
    result.unwrap();
    assert!(account.balances(), "{account:#?}");
    let removed = account.receivers.iter().find(|receiver| receiver.id == "feed/2");
    assert_eq!(removed.unwrap().received, 510);
}
