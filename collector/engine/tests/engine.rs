//! Engines of small components: whatever happens, every item is accounted for.

#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use collector_config::{Node, Section};
use collector_engine::{
    Account, BoxFuture, Components, Connector, ConnectorFactory, Descriptors, Draining, Ended, Engine, EngineError,
    Exporter, ExporterFactory, ExporterInput, Limits, Output, Overflow, PipelineAccount, Placement, Plan, Processor,
    ProcessorFactory, ProcessorRecipe, Queue, Receiver, ReceiverFactory, Sink, reason,
};
use collector_pdata::{Payload, Signal};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

const TRACES: &[Signal] = &[Signal::Traces];
const ITEMS: usize = 10;

/// Gives so many payloads of [`ITEMS`] items, from the runtime or from a thread, and ends or waits for the drain.
#[derive(Clone, Copy)]
struct Feed {
    payloads: usize,
    stays: bool,
    from_thread: bool,
    everywhere: bool,
}

fn feed(section: &mut Section<'_, '_>, _: Option<OwnedFd>) -> Box<dyn Receiver> {
    Box::new(Feed {
        payloads: section.count("payloads", 100) as usize,
        stays: section.flag("stays", false),
        from_thread: section.flag("from_thread", false),
        everywhere: section.flag("everywhere", false),
    })
}

impl Receiver for Feed {
    fn placement(&self) -> Placement {
        if self.everywhere {
            Placement::Every
        } else {
            Placement::One
        }
    }

    fn run(&mut self, output: Output, mut draining: Draining) -> BoxFuture<Ended> {
        let feed = *self;
        let payload = || Payload::new(Signal::Traces, Bytes::from_static(&[0; 100]), ITEMS);
        Box::pin(async move {
            if feed.from_thread {
                let payloads = feed.payloads;
                let thread =
                    std::thread::spawn(move || (0..payloads).for_each(|_| output.send_blocking(payload(), || ())));
                tokio::task::spawn_blocking(move || thread.join())
                    .await?
                    .map_err(|_| "the feeding thread panicked")?;
            } else {
                for _ in 0..feed.payloads {
                    output.send(payload()).await;
                }
            }
            if feed.stays {
                draining.begun().await;
            }
            Ok(())
        })
    }
}

/// Holds everything until it is flushed.
#[derive(Default)]
struct Hold(Vec<Payload>);

impl Processor for Hold {
    fn process(&mut self, payload: Payload, _: Instant, _: &mut Sink<'_>) {
        self.0.push(payload);
    }
    fn flush(&mut self, sink: &mut Sink<'_>) {
        self.0.drain(..).for_each(|payload| sink.forward(payload));
    }
}

/// Drops every other payload.
#[derive(Default)]
struct Half(bool);

impl Processor for Half {
    fn process(&mut self, payload: Payload, _: Instant, sink: &mut Sink<'_>) {
        self.0 = !self.0;
        if self.0 {
            sink.forward(payload)
        } else {
            sink.dropped("sampled_out", payload.items())
        }
    }
}

/// Forgets everything, which no processor may.
struct Leak;

impl Processor for Leak {
    fn process(&mut self, _: Payload, _: Instant, _: &mut Sink<'_>) {}
}

struct Panics(usize);

impl Processor for Panics {
    fn process(&mut self, payload: Payload, _: Instant, sink: &mut Sink<'_>) {
        self.0 += 1;
        assert!(self.0 < 5, "the fifth payload");
        sink.forward(payload);
    }
}

fn hold(_: &mut Section<'_, '_>) -> ProcessorRecipe {
    ProcessorRecipe::new(|_| Hold::default())
}
fn half(_: &mut Section<'_, '_>) -> ProcessorRecipe {
    ProcessorRecipe::new(|_| Half::default())
}
fn leak(_: &mut Section<'_, '_>) -> ProcessorRecipe {
    ProcessorRecipe::new(|_| Leak)
}
fn panics(_: &mut Section<'_, '_>) -> ProcessorRecipe {
    ProcessorRecipe::new(|_| Panics(0))
}

#[derive(Clone, Copy)]
enum Take {
    All,
    Nothing,
    FailsAt(usize),
    LeavesAt(usize),
}

/// Takes as it is told, on one worker or on each.
struct Taker(Take, Overflow, Placement);

impl Exporter for Taker {
    fn placement(&self) -> Placement {
        self.2
    }

    fn queue(&self) -> Queue {
        Queue {
            limits: SMALL,
            overflow: self.1,
            abandoned: reason::EXPORT_FAILED,
        }
    }

    fn run(&mut self, mut input: ExporterInput) -> BoxFuture<Ended> {
        let take = self.0;
        Box::pin(async move {
            let mut taken = 0;
            while let Some(delivery) = input.next().await {
                match take {
                    Take::All => delivery.claim.exported(),
                    Take::Nothing => std::future::pending().await,
                    Take::FailsAt(at) if taken == at => return Err("out of paper".into()),
                    Take::LeavesAt(at) if taken == at => return Ok(()),
                    Take::FailsAt(_) | Take::LeavesAt(_) => delivery.claim.exported(),
                }
                taken += 1;
                tokio::task::yield_now().await;
            }
            Ok(())
        })
    }
}

const SMALL: Limits = Limits {
    items: 30,
    bytes: 10_000,
};

const fn exporter(kind: &'static str, configure: fn(&mut Section<'_, '_>) -> Box<dyn Exporter>) -> ExporterFactory {
    ExporterFactory {
        kind,
        signals: TRACES,
        configure,
    }
}

fn taker(take: Take, overflow: Overflow) -> Box<dyn Exporter> {
    Box::new(Taker(take, overflow, Placement::One))
}

/// Hands on from one pipeline to another.
struct Forward;

impl Connector for Forward {
    fn run(&mut self, mut input: ExporterInput, output: Output) -> BoxFuture<Ended> {
        Box::pin(async move {
            while let Some(delivery) = input.next().await {
                output.send(delivery.payload).await;
                delivery.claim.exported();
            }
            Ok(())
        })
    }
}

const COMPONENTS: Components = Components {
    receivers: &[ReceiverFactory {
        kind: "feed",
        signals: TRACES,
        configure: feed,
    }],
    processors: &[
        ProcessorFactory {
            kind: "hold",
            signals: TRACES,
            configure: hold,
        },
        ProcessorFactory {
            kind: "half",
            signals: TRACES,
            configure: half,
        },
        ProcessorFactory {
            kind: "leak",
            signals: TRACES,
            configure: leak,
        },
        ProcessorFactory {
            kind: "panics",
            signals: TRACES,
            configure: panics,
        },
    ],
    exporters: &[
        exporter("all", |_| taker(Take::All, Overflow::Wait)),
        exporter("everywhere", |_| {
            Box::new(Taker(Take::All, Overflow::Wait, Placement::Every))
        }),
        exporter("stuck", |_| taker(Take::Nothing, Overflow::Wait)),
        exporter("away", |_| taker(Take::Nothing, Overflow::Drop)),
        exporter("fails", |_| taker(Take::FailsAt(3), Overflow::Wait)),
        exporter("leaves", |_| taker(Take::LeavesAt(3), Overflow::Wait)),
    ],
    connectors: &[ConnectorFactory {
        kind: "forward",
        signals: &[(Signal::Traces, Signal::Traces)],
        configure: |_| Box::new(Forward),
    }],
    extensions: &[],
    telemetry: None,
};

fn plan(feed: &str, processors: &str, exporters: &str) -> Result<Plan, String> {
    let text = format!(
        "
receivers: {{feed: {{{feed}}}}}
processors: {{hold: , half: , leak: , panics: }}
exporters: {{all: , all/2: , everywhere: , stuck: , away: , fails: , leaves: }}
service:
  pipelines:
    traces:
      receivers: [feed]
      processors: [{processors}]
      exporters: [{exporters}]
"
    );
    let root = Node::parse(&text, "").map_err(|errors| errors.to_string())?;
    Plan::new(&root, &COMPONENTS, Descriptors::new()).map_err(|errors| errors.to_string())
}

fn start(feed: &str, processors: &str, exporters: &str) -> Engine {
    plan(feed, processors, exporters).unwrap().start(1).unwrap()
}

fn pipeline(account: &Account) -> &PipelineAccount {
    assert!(account.balances(), "{account:#?}");
    &account.pipelines[0]
}

/// Waits until the account is as wanted.
fn wait_for(engine: &Engine, what: &str, holds: impl Fn(&Account) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds(&engine.handle().account()) {
        assert!(
            Instant::now() < deadline,
            "never: {what}\n{:#?}",
            engine.handle().account()
        );
        std::thread::yield_now();
    }
}

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
