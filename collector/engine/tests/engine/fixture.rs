//! Small components, and engines of them.

use bytes::Bytes;
use collector_config::{Node, Section};
use collector_engine::{
    Account, BoxFuture, Components, Connector, ConnectorFactory, Descriptors, Draining, Ended, Engine, Exporter,
    ExporterFactory, ExporterInput, Host, Limits, Output, Overflow, PipelineAccount, Placement, Plan, Processor,
    ProcessorFactory, ProcessorRecipe, Queue, Receiver, ReceiverFactory, Sink, reason,
};
use collector_pdata::{Payload, Signal};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub const TRACES: &[Signal] = &[Signal::Traces];
pub const ITEMS: usize = 10;

/// Gives so many payloads of [`ITEMS`] items, from the runtime or from a thread, and ends or waits for the drain.
#[derive(Clone, Copy)]
struct Feed {
    /// Gives payloads until the drain, a few at a time.
    goes_on: bool,
    /// Gives so many payloads when the drain has begun.
    lingers: usize,
    payloads: usize,
    stays: bool,
    from_thread: bool,
    everywhere: bool,
}

fn feed(section: &mut Section<'_, '_>, _: Option<OwnedFd>) -> Box<dyn Receiver> {
    Box::new(Feed {
        goes_on: section.flag("goes_on", false),
        lingers: section.count("lingers", 0) as usize,
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
                let (payloads, output) = (feed.payloads, output.clone());
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
            while feed.goes_on && draining.deadline().is_none() {
                // Whoever is refused has still got it.
                let _ = output.try_send(payload());
                tokio::task::yield_now().await;
            }
            if feed.stays {
                draining.begun().await;
            }
            for _ in 0..feed.lingers {
                output.send(payload()).await;
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

/// Lets the stuck processor go on.
pub static LET_GO: AtomicBool = AtomicBool::new(false);

/// Blocks its worker, which no processor may.
struct Sticks;

impl Processor for Sticks {
    fn process(&mut self, payload: Payload, _: Instant, sink: &mut Sink<'_>) {
        while !LET_GO.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        sink.forward(payload);
    }
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
            counts_requests: false,
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

/// Cannot be opened.
struct Locked;

impl Exporter for Locked {
    fn queue(&self) -> Queue {
        taker(Take::All, Overflow::Wait).queue()
    }

    fn open(&mut self, _: &Host) -> Ended {
        Err("the door is locked".into())
    }

    fn run(&mut self, _: ExporterInput) -> BoxFuture<Ended> {
        Box::pin(async { Err("it was not opened".into()) })
    }
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

pub const COMPONENTS: Components = Components {
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
            kind: "sticks",
            signals: TRACES,
            configure: |_| ProcessorRecipe::new(|_| Sticks),
        },
        ProcessorFactory {
            kind: "alone",
            signals: TRACES,
            configure: |section| half(section).on_one_worker(),
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
        exporter("locked", |_| Box::new(Locked)),
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

pub fn plan(feed: &str, processors: &str, exporters: &str) -> Result<Plan, String> {
    plan_of(&format!(
        "
receivers: {{feed: {{{feed}}}}}
processors: {{hold: , half: , alone: , sticks: , leak: , panics: }}
exporters: {{all: , all/2: , everywhere: , stuck: , away: , fails: , leaves: }}
service:
  pipelines:
    traces:
      receivers: [feed]
      processors: [{processors}]
      exporters: [{exporters}]
"
    ))
}

pub fn plan_of(text: &str) -> Result<Plan, String> {
    let root = Node::parse(text, "").map_err(|errors| errors.to_string())?;
    Plan::new(&root, &COMPONENTS, Descriptors::new()).map_err(|errors| errors.to_string())
}

pub fn start(feed: &str, processors: &str, exporters: &str) -> Engine {
    plan(feed, processors, exporters).unwrap().start(1).unwrap()
}

pub fn pipeline(account: &Account) -> &PipelineAccount {
    assert!(account.balances(), "{account:#?}");
    &account.pipelines[0]
}

/// Waits until the account is as wanted.
pub fn wait_for(engine: &Engine, what: &str, holds: impl Fn(&Account) -> bool) {
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
