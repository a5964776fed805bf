//! The way of items through an engine, and its ends.

use crate::fixture::{COMPONENTS, pipeline, start, wait_for};
use collector_config::Node;
use collector_engine::{Descriptors, EngineError, Plan, reason};
use std::time::{Duration, Instant};

#[test]
fn everything_arrives_at_every_exporter_and_the_engine_ends_with_its_receivers() {
    for feed in ["payloads: 100", "payloads: 100, from_thread: true"] {
        let (account, result) = start(feed, "hold, half", "all, all/2").wait();
        result.unwrap();
        let pipeline = pipeline(&account);
        assert_eq!(account.receivers[0].received, 1000);
        assert_eq!((pipeline.received, pipeline.forwarded, pipeline.held), (1000, 500, 0));
        assert_eq!(pipeline.dropped[&"sampled_out"], 500);
        for exporter in &pipeline.exporters {
            assert_eq!((exporter.exported, exporter.held), (500, 0), "{}", exporter.id);
        }
        let text = account.to_string();
        let expected = "feed: received 1000, dropped 0\n\
            traces -> all: received 1000, exported 500, dropped 500 (sampled_out 500), held 0\n\
            traces -> all/2: received 1000, exported 500, dropped 500 (sampled_out 500), held 0";
        assert_eq!(text, expected, "{text}");
    }
}

#[test]
fn the_account_can_be_read_while_items_are_held_and_a_drain_gives_them_out() {
    let engine = start("stays: true", "hold", "all");
    wait_for(&engine, "all items are held", |account| {
        account.pipelines[0].held == 1000
    });
    assert!(!engine.handle().has_ended());
    engine.handle().drain(Duration::from_secs(20));
    let (account, result) = engine.wait();
    result.unwrap();
    assert_eq!(pipeline(&account).exporters[0].exported, 1000);
}

#[test]
fn a_slow_destination_makes_the_receiver_wait_and_nothing_is_lost() {
    let (account, result) = start("payloads: 5000", "", "all").wait();
    result.unwrap();
    assert_eq!(pipeline(&account).exporters[0].exported, 50_000);
}

#[test]
fn a_destination_that_is_away_costs_only_its_own_items() {
    let engine = start("stays: true", "", "all, away");
    wait_for(&engine, "the other exporter has all", |account| {
        account.pipelines[0].exporters[0].exported == 1000
    });
    engine.handle().drain(Duration::from_millis(100));
    let (account, result) = engine.wait();
    result.unwrap();
    let away = &pipeline(&account).exporters[1];
    assert_eq!((away.exported, away.held), (0, 0));
    // One payload is with the exporter and three fit into its queue.
    assert_eq!(away.dropped[&reason::EXPORT_FAILED], 40);
    assert_eq!(away.dropped[&reason::QUEUE_FULL], 960);
}

#[test]
fn a_drain_that_goes_on_can_be_cut_short() {
    let engine = start("stays: true", "", "all, away");
    let begun = Instant::now();
    engine.handle().drain(Duration::from_secs(600));
    // By then the engine waits for the first deadline; if it does not yet, it is only not put to the test.
    std::thread::park_timeout(Duration::from_millis(50));
    engine.handle().drain(Duration::ZERO);
    let (account, result) = engine.wait();
    result.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    assert!(account.balances(), "{account}");
}

#[test]
fn at_the_deadline_all_that_is_left_is_counted_as_dropped() {
    for feed in ["payloads: 10000", "payloads: 10000, from_thread: true"] {
        let engine = start(feed, "half", "stuck");
        wait_for(&engine, "the pipeline is full", |account| {
            account.pipelines[0].received > 30_000
        });
        let begun = Instant::now();
        engine.handle().drain(Duration::from_millis(300));
        let (account, result) = engine.wait();
        result.unwrap();
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "the drain took {:?}",
            begun.elapsed()
        );
        let exporter = &account.pipelines[0].exporters[0];
        assert_eq!((exporter.exported, exporter.held), (0, 0), "{feed}: {exporter:?}");
        assert_eq!(exporter.received, exporter.dropped[&reason::EXPORT_FAILED], "{feed}");
        // A thread of a receiver's own may still be handing over what it had; each of these is dropped as it comes.
        assert!(account.pipelines[0].dropped[&reason::SHUTDOWN] > 0, "{feed}");
        if !feed.contains("from_thread") {
            assert_eq!(pipeline(&account).held, 0);
        }
    }
}

#[test]
fn a_component_that_fails_ends_the_engine_and_the_account_still_balances() {
    for (processors, exporters, component, cause) in [
        ("", "fails", "exporter fails", "out of paper"),
        ("", "leaves", "exporter leaves", "before its input did"),
        ("panics", "all", "pipeline traces", "panicked"),
    ] {
        let engine = start("stays: true", processors, exporters);
        let (account, result) = engine.wait();
        let Err(EngineError::Component {
            component: found,
            source,
        }) = result
        else {
            panic!("{result:?}")
        };
        assert_eq!(found, component);
        assert!(source.to_string().contains(cause), "{source}");
        let pipeline = pipeline(&account);
        assert_eq!(pipeline.received, 1000);
        assert_eq!(pipeline.held, 0, "{account:#?}");
        assert_eq!(pipeline.exporters[0].held, 0, "{account:#?}");
    }
}

#[test]
fn a_processor_that_loses_items_shows_in_the_account() {
    let (account, result) = start("payloads: 7", "leak", "all").wait();
    result.unwrap();
    assert_eq!(pipeline(&account).held, 70);
}

#[test]
fn a_plan_names_unknown_types_and_bad_settings_at_once() {
    let text = "
receivers:
  fed: {}
  feed: {payloads: many, pay: 1}
exporters:
  all: {x: 1}
service:
  pipelines:
    metrics: {receivers: [feed], exporters: [all]}
";
    let root = Node::parse(text, "c.yaml").unwrap();
    let errors = Plan::new(&root, &COMPONENTS, Descriptors::new())
        .unwrap_err()
        .to_string();
    let expected = "\
c.yaml:3: receivers::fed: unknown component type \"fed\"; did you mean \"feed\"? (known are: feed)
c.yaml:4: receivers::feed::payloads: expected a whole number that is not negative, found \"many\"
c.yaml:4: receivers::feed::pay: unknown key
c.yaml:6: exporters::all::x: unknown key
c.yaml:9: service::pipelines::metrics: \"feed\" does not carry metrics
c.yaml:9: service::pipelines::metrics: \"all\" does not carry metrics";
    assert_eq!(errors, expected, "found:\n{errors}");
}
