//! Processors in a running engine, between a payload that is given and what comes out.

use bytes::Bytes;
use collector_components::COMPONENTS;
use collector_config::{Node, Section};
use collector_engine::{
    BoxFuture, Components, Descriptors, Draining, Ended, Exporter, ExporterFactory, ExporterInput, Output,
    PipelineAccount, Plan, Queue, Receiver, ReceiverFactory,
};
use collector_pdata::{Payload, Signal, count};
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

/// What is given, and then what came out, by the name in the settings.
static PAYLOADS: LazyLock<Mutex<HashMap<String, Payload>>> = LazyLock::new(Mutex::default);

struct Given(Option<Payload>);

impl Receiver for Given {
    fn run(&mut self, output: Output, mut draining: Draining) -> BoxFuture<Ended> {
        let payload = self.0.take().unwrap();
        Box::pin(async move {
            output.send(payload).await;
            draining.begun().await;
            Ok(())
        })
    }
}

struct Taken(String);

impl Exporter for Taken {
    fn queue(&self) -> Queue {
        Queue::LOCAL
    }

    fn run(&mut self, mut input: ExporterInput) -> BoxFuture<Ended> {
        let name = self.0.clone();
        Box::pin(async move {
            while let Some(delivery) = input.next().await {
                PAYLOADS.lock().unwrap().insert(name.clone(), delivery.payload);
                delivery.claim.exported();
            }
            Ok(())
        })
    }
}

const WITH_GIVEN: Components = Components {
    receivers: &[ReceiverFactory {
        kind: "given",
        signals: &Signal::ALL,
        configure: |section: &mut Section<'_, '_>, _: Option<OwnedFd>| {
            let name = section.text("name").unwrap_or_default();
            Box::new(Given(PAYLOADS.lock().unwrap().remove(name)))
        },
    }],
    exporters: &[ExporterFactory {
        kind: "taken",
        signals: &Signal::ALL,
        configure: |section| Box::new(Taken(section.text("name").unwrap_or_default().to_owned())),
    }],
    telemetry: None,
    ..COMPONENTS
};

fn plan(name: &str, signal: Signal, processors: &str) -> Result<Plan, String> {
    let text = format!(
        "
receivers: {{given: {{name: {name}}}}}
processors:
{processors}
exporters: {{taken: {{name: {name}}}}}
service: {{pipelines: {{{}: {{receivers: [given], processors: [it], exporters: [taken]}}}}}}
",
        signal.name()
    );
    let text = text.replace("[it]", &format!("[{}]", processors.trim().split(':').next().unwrap()));
    let root = Node::parse(&text, "").map_err(|error| error.to_string())?;
    Plan::new(&root, &WITH_GIVEN, Descriptors::new()).map_err(|errors| errors.to_string())
}

/// What is wrong with a processor's settings.
pub fn errors(signal: Signal, processors: &str) -> String {
    plan("none", signal, processors).err().unwrap_or_default()
}

/// What one processor makes of requests, one after the other in one payload, and its pipeline's account. `name` is the
/// test's own.
pub fn through(name: &str, signal: Signal, processors: &str, requests: &[Vec<u8>]) -> (Vec<u8>, PipelineAccount) {
    let mut payload = Payload::empty(signal);
    for request in requests {
        let items = count(signal, request).unwrap_or(1);
        payload.append(Payload::new(signal, Bytes::copy_from_slice(request), items));
    }
    PAYLOADS.lock().unwrap().insert(name.to_owned(), payload);
    let engine = plan(name, signal, processors)
        .unwrap_or_else(|errors| panic!("{errors}"))
        .start(1)
        .unwrap();
    let handle = engine.handle();
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let account = handle.account();
        let pipeline = &account.pipelines[0];
        if pipeline.received > 0 && pipeline.held == 0 && pipeline.exporters[0].held == 0 {
            break;
        }
        assert!(Instant::now() < deadline, "never done\n{account}");
        std::thread::yield_now();
    }
    handle.drain(Duration::from_secs(10));
    let (account, result) = engine.wait();
    result.unwrap();
    assert!(account.balances(), "{account:#?}");
    let taken = PAYLOADS.lock().unwrap().remove(name);
    let chunks = taken.iter().flat_map(|payload| payload.chunks().to_vec());
    (chunks.flatten().collect(), account.pipelines[0].clone())
}
