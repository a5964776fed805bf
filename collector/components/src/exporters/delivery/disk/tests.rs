//! The queue on a disk that is full or fails, in a running engine.

use super::run::deliver;
use super::store::{Capacity, Store};
use crate::COMPONENTS;
use crate::exporters::delivery::queue::Sizer;
use crate::exporters::delivery::settings::read_alone;
use crate::exporters::delivery::{Courier, EncodeError, Outcome, Retry, Transport};
use bytes::Bytes;
use collector_config::{Node, Section};
use collector_engine::{
    Account, BoxFuture, Components, Descriptors, Draining, Ended, Engine, Exporter, ExporterAccount, ExporterFactory,
    ExporterInput, Limits, Output, Overflow, Plan, Queue, Receiver, ReceiverFactory, reason,
};
use collector_pdata::{Payload, Signal};
use collector_spool::sim::{Call, SimDisk};
use collector_spool::{Options, Spool};
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What an engine of these tests is made of, by the name in its configuration.
static WORLDS: Mutex<Option<HashMap<String, World>>> = Mutex::new(None);

#[derive(Clone)]
struct World {
    disk: SimDisk,
    open: Arc<AtomicBool>,
    received: Arc<Mutex<Vec<u64>>>,
    send: Arc<tokio::sync::Semaphore>,
}

impl World {
    fn new(name: &str) -> Self {
        let world = World {
            disk: SimDisk::new(7),
            open: Arc::default(),
            received: Arc::default(),
            send: Arc::new(tokio::sync::Semaphore::new(0)),
        };
        let mut worlds = WORLDS.lock().unwrap_or_else(PoisonError::into_inner);
        worlds.get_or_insert_default().insert(name.to_owned(), world.clone());
        world
    }

    fn find(section: &mut Section<'_, '_>) -> Self {
        let name = section.required_text("world").unwrap_or_default();
        let worlds = WORLDS.lock().unwrap_or_else(PoisonError::into_inner);
        worlds.as_ref().unwrap()[name].clone()
    }

    fn received(&self) -> usize {
        self.received.lock().unwrap().len()
    }
}

/// Gives one item for each permit.
struct Feed(World);

impl Receiver for Feed {
    fn run(&mut self, output: Output, mut draining: Draining) -> BoxFuture<Ended> {
        let send = self.0.send.clone();
        Box::pin(async move {
            for number in 0u64.. {
                tokio::select! {
                    permit = send.acquire() => permit?.forget(),
                    _ = draining.begun() => break,
                }
                let bytes = [&number.to_le_bytes()[..], &[0; 1000]].concat();
                output.send(Payload::new(Signal::Traces, Bytes::from(bytes), 1)).await;
            }
            Ok(())
        })
    }
}

struct Door(World);

impl Transport for Door {
    type Request = u64;

    fn encode(&self, payload: &Payload) -> Result<u64, EncodeError> {
        let number = payload.chunks()[0].first_chunk();
        let number = number.ok_or_else(|| EncodeError::Impossible("it is too short".to_owned()))?;
        Ok(u64::from_le_bytes(*number))
    }

    async fn send(&self, number: &u64) -> Outcome {
        if !self.0.open.load(Ordering::SeqCst) {
            return Outcome::Later {
                reason: "closed".to_owned(),
                after: None,
            };
        }
        self.0.received.lock().unwrap().push(*number);
        Outcome::Delivered
    }
}

struct Spooling(World);

impl Exporter for Spooling {
    fn queue(&self) -> Queue {
        Queue {
            limits: Limits {
                items: 1,
                bytes: 1 << 20,
            },
            counts_requests: true,
            overflow: Overflow::Wait,
            abandoned: reason::EXPORT_FAILED,
        }
    }

    fn run(&mut self, input: ExporterInput) -> BoxFuture<Ended> {
        let world = self.0.clone();
        Box::pin(async move {
            let options = Options {
                max_bytes: 1 << 20,
                segment_bytes: 64 << 10,
                ..Options::default()
            };
            let (spool, _) = Spool::open(world.disk.clone(), options)?;
            let capacity = Capacity {
                sizer: Sizer::Bytes,
                size: 1 << 20,
            };
            let store = Store::new(spool, capacity, input.recovery());
            let settings = "retry_on_failure: {initial_interval: 1ms, max_interval: 2ms, max_elapsed_time: 0}";
            let (stop, draining) = kit::drain::channel();
            let courier = Arc::new(Courier {
                transport: Door(world),
                retry: read_alone(&Node::parse(settings, "")?, Retry::configure).map_err(|error| error.to_string())?,
                destination: "the door".to_owned(),
                draining,
                health: input.health(),
                failing: AtomicBool::new(false),
            });
            deliver(store, false, courier, stop, 2, input).await
        })
    }
}

fn feed(section: &mut Section<'_, '_>, _: Option<OwnedFd>) -> Box<dyn Receiver> {
    Box::new(Feed(World::find(section)))
}

fn spooling(section: &mut Section<'_, '_>) -> Box<dyn Exporter> {
    Box::new(Spooling(World::find(section)))
}

const SIMULATED: Components = Components {
    receivers: &[ReceiverFactory {
        kind: "feed",
        signals: &[Signal::Traces],
        configure: feed,
    }],
    exporters: &[ExporterFactory {
        kind: "spooling",
        signals: &[Signal::Traces],
        configure: spooling,
    }],
    telemetry: None,
    ..COMPONENTS
};

fn start(name: &str) -> Engine {
    let text = format!(
        "{{receivers: {{feed: {{world: {name}}}}}, exporters: {{spooling: {{world: {name}}}}}, \
         service: {{pipelines: {{traces: {{receivers: [feed], exporters: [spooling]}}}}}}}}"
    );
    let root = Node::parse(&text, "").unwrap();
    Plan::new(&root, &SIMULATED, Descriptors::new())
        .unwrap()
        .start(1)
        .unwrap()
}

fn exporter(engine: &Engine) -> ExporterAccount {
    engine.handle().account().pipelines[0].exporters[0].clone()
}

fn wait_for(engine: &Engine, what: &str, holds: impl Fn(&ExporterAccount) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds(&exporter(engine)) {
        assert!(Instant::now() < deadline, "never: {what}\n{:#?}", exporter(engine));
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

fn finish(engine: Engine) -> Account {
    engine.handle().drain(Duration::from_secs(5));
    let (account, result) = engine.wait();
    result.unwrap();
    assert!(account.balances(), "{account:#?}");
    account
}

fn complaint(exporter: &ExporterAccount) -> &str {
    let error = exporter.last_error.as_ref().filter(|error| error.lasting);
    error.map_or("", |error| error.reason.as_str())
}

#[test]
fn a_disk_without_room_makes_the_senders_wait_and_loses_nothing() {
    let world = World::new("full");
    world.disk.set_capacity(16 << 10);
    let engine = start("full");
    world.send.add_permits(100);
    wait_for(&engine, "it says that there is no room", |exporter| {
        complaint(exporter).contains("no space left for the record")
    });
    assert!(exporter(&engine).received < 100, "the pipeline waits");
    world.open.store(true, Ordering::SeqCst);
    wait_for(&engine, "all is delivered", |exporter| exporter.exported == 100);
    wait_for(&engine, "it says that all is well", |exporter| {
        complaint(exporter).is_empty()
    });
    finish(engine);
    let mut received = world.received.lock().unwrap().clone();
    received.sort_unstable();
    assert_eq!(received, (0..100).collect::<Vec<_>>());
}

#[test]
fn what_a_failing_disk_does_not_take_is_delivered_from_memory() {
    let world = World::new("failing");
    world.open.store(true, Ordering::SeqCst);
    let engine = start("failing");
    for call in [Call::Write, Call::Create] {
        world.disk.set_failing(call, true);
    }
    world.send.add_permits(20);
    wait_for(&engine, "all is delivered", |exporter| exporter.exported == 20);
    let said = exporter(&engine);
    assert!(
        complaint(&said).contains("the queue on disk: the record could not be written"),
        "{said:?}"
    );
    for call in [Call::Write, Call::Create] {
        world.disk.set_failing(call, false);
    }
    world.send.add_permits(5);
    wait_for(&engine, "the rest is delivered", |exporter| exporter.exported == 25);
    wait_for(&engine, "it says that all is well", |exporter| {
        complaint(exporter).is_empty()
    });
    finish(engine);
    assert_eq!(world.received(), 25);
}

#[test]
fn what_is_left_on_disk_is_stored_and_found_by_the_next() {
    let world = World::new("restart");
    let engine = start("restart");
    world.send.add_permits(30);
    wait_for(&engine, "all is on disk", |exporter| exporter.held == 30);
    let account = finish(engine);
    let exporter = &account.pipelines[0].exporters[0];
    assert_eq!(
        (exporter.stored, exporter.dropped.len(), world.received()),
        (30, 0, 0),
        "{account}"
    );
    world.open.store(true, Ordering::SeqCst);
    let engine = start("restart");
    let deadline = Instant::now() + Duration::from_secs(30);
    while world.received() < 30 {
        assert!(Instant::now() < deadline, "{}", engine.handle().account());
        std::thread::park_timeout(Duration::from_millis(1));
    }
    let account = finish(engine);
    let expected = "traces/(disk) -> spooling: received 30, exported 30, dropped 0, held 0";
    assert!(account.to_string().contains(expected), "{account}");
}

#[test]
fn records_that_are_damaged_while_they_wait_are_dropped_and_counted() {
    let world = World::new("damaged");
    let engine = start("damaged");
    world.send.add_permits(200);
    wait_for(&engine, "all is on disk", |exporter| exporter.held == 200);
    world.disk.set_failing(Call::Read, true);
    world.open.store(true, Ordering::SeqCst);
    wait_for(&engine, "all has an end", |exporter| exporter.held == 0);
    let account = finish(engine);
    let exporter = &account.pipelines[0].exporters[0];
    let damaged = exporter.dropped[super::store::DAMAGED];
    assert!(damaged > 0 && exporter.exported + damaged == 200, "{account}");
}
