//! The `otlp` receiver in a running engine, its senders real clients on loopback.

mod grpc;
mod hostile;
mod http;
pub mod raw;
mod tls;

pub use raw::post;

use bytes::Bytes;
use collector_components::COMPONENTS;
use collector_config::{Node, Section};
use collector_engine::{
    Account, BoxFuture, Components, Descriptors, Ended, Engine, Exporter, ExporterFactory, ExporterInput, Limits,
    Overflow, Placement, Plan, Queue, ReceiverAccount, reason,
};
use collector_pdata::Signal;
use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// What arrived at the end of the pipelines: the signal, the encoded request and its items.
pub type Arrived = Vec<(Signal, Bytes, usize)>;

fn shelves() -> &'static Mutex<HashMap<String, Arc<Mutex<Arrived>>>> {
    static SHELVES: OnceLock<Mutex<HashMap<String, Arc<Mutex<Arrived>>>>> = OnceLock::new();
    SHELVES.get_or_init(Mutex::default)
}

/// Keeps what it is given where the test finds it; or takes nothing, so that its queue fills.
struct Shelf {
    arrived: Arc<Mutex<Arrived>>,
    closed: bool,
}

fn configure(section: &mut Section<'_, '_>) -> Box<dyn Exporter> {
    let name = section.required_text("name").unwrap_or_default();
    Box::new(Shelf {
        arrived: shelves().lock().unwrap().entry(name.to_owned()).or_default().clone(),
        closed: section.flag("closed", false),
    })
}

impl Exporter for Shelf {
    fn placement(&self) -> Placement {
        Placement::Every
    }

    fn queue(&self) -> Queue {
        Queue {
            limits: Limits {
                items: 100,
                bytes: 1 << 20,
            },
            overflow: Overflow::Wait,
            abandoned: reason::SHUTDOWN,
            counts_requests: false,
        }
    }

    fn run(&mut self, mut input: ExporterInput) -> BoxFuture<Ended> {
        let (arrived, closed) = (self.arrived.clone(), self.closed);
        Box::pin(async move {
            if closed {
                input.draining().begun().await;
            }
            while let Some(delivery) = input.next().await {
                let payload = &delivery.payload;
                let chunk = Bytes::from(payload.chunks().concat());
                arrived.lock().unwrap().push((payload.signal(), chunk, payload.items()));
                delivery.claim.exported();
            }
            Ok(())
        })
    }
}

const SHELVED: Components = Components {
    exporters: &[ExporterFactory {
        kind: "shelf",
        signals: &[Signal::Traces, Signal::Metrics, Signal::Logs],
        configure,
    }],
    // Each test's collector would want the same port for its own metrics.
    telemetry: None,
    ..COMPONENTS
};

/// A running receiver.
pub struct Receiving {
    engine: Engine,
    pub grpc: SocketAddr,
    pub http: SocketAddr,
    arrived: Arc<Mutex<Arrived>>,
}

/// What is to be received, and how.
pub struct Setup<'a> {
    pub grpc: &'a str,
    pub http: &'a str,
    pub signals: &'a [&'a str],
    pub closed: bool,
}

impl Default for Setup<'_> {
    fn default() -> Self {
        Setup {
            grpc: "",
            http: "",
            signals: &["traces", "metrics", "logs"],
            closed: false,
        }
    }
}

/// A port that is free now.
pub fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Receiving {
    pub fn start() -> Self {
        Setup::default().start()
    }

    /// Waits until so many items have arrived, and gives them.
    pub fn arrived(&self, items: usize) -> Arrived {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let arrived = self.arrived.lock().unwrap().clone();
            let sum: usize = arrived.iter().map(|(_, _, items)| items).sum();
            if sum >= items {
                assert_eq!(sum, items, "more arrived than was sent");
                return arrived;
            }
            assert!(Instant::now() < deadline, "{sum} of {items} items have arrived");
            std::thread::yield_now();
        }
    }

    /// The receiver's part of the account.
    pub fn account(&self) -> ReceiverAccount {
        self.engine.handle().account().receivers[0].clone()
    }

    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Ends the engine, whose account must balance.
    pub fn finish(self) -> Account {
        self.engine.handle().drain(Duration::from_secs(5));
        let (account, result) = self.engine.wait();
        result.unwrap();
        assert!(account.balances(), "{account:#?}");
        account
    }
}

impl Setup<'_> {
    /// Starts an engine. Another process may take a port between its choice and its use, which is tried again.
    pub fn start(&self) -> Receiving {
        let mut last = None;
        for _ in 0..10 {
            let (grpc, http) = (free_port(), free_port());
            match self.plan(grpc, http).start(1) {
                Ok(engine) => {
                    let arrived = shelves().lock().unwrap()[&grpc.to_string()].clone();
                    return Receiving {
                        engine,
                        grpc,
                        http,
                        arrived,
                    };
                }
                Err(error) => last = Some(error),
            }
        }
        panic!("it did not start in ten tries: {last:?}")
    }

    fn plan(&self, grpc: SocketAddr, http: SocketAddr) -> Plan {
        let pipelines: Vec<String> = self
            .signals
            .iter()
            .map(|signal| format!("{signal}: {{receivers: [otlp], exporters: [shelf]}}"))
            .collect();
        let text = format!(
            "
receivers:
  otlp:
    protocols:
      grpc: {{endpoint: '{grpc}', {}}}
      http: {{endpoint: '{http}', {}}}
exporters: {{shelf: {{name: '{grpc}', closed: {}}}}}
service: {{pipelines: {{{}}}}}
",
            self.grpc,
            self.http,
            self.closed,
            pipelines.join(", ")
        );
        let root = Node::parse(&text, "").unwrap();
        Plan::new(&root, &SHELVED, Descriptors::new()).unwrap_or_else(|errors| panic!("{errors}\n{text}"))
    }
}

/// What is wrong with a configuration of the receiver.
fn errors(protocols: &str) -> String {
    let text = format!(
        "{{receivers: {{otlp: {{protocols: {protocols}}}}}, exporters: {{shelf: {{name: unused}}}}, \
         service: {{pipelines: {{traces: {{receivers: [otlp], exporters: [shelf]}}}}}}}}"
    );
    let root = Node::parse(&text, "").unwrap();
    Plan::new(&root, &SHELVED, Descriptors::new()).unwrap_err().to_string()
}

/// Runs a client.
pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), work).await.unwrap() })
}

#[test]
fn a_configuration_that_is_wrong_is_refused_with_the_reason() {
    for (protocols, expected) in [
        ("{}", "needs at least one of grpc and http"),
        ("{grpc: {endpoint: localhost}}", "expected host:port"),
        ("{grpc: {endpoint: a.sock, transport: unix}}", "not an absolute path"),
        ("{grpc: {auth: {authenticator: oidc}}}", "is not supported"),
        ("{grpc: {max_recv_msg_size_mib: 4096}}", "is more than 1024 MiB"),
        ("{grpc: {tls: {cert_file: a.pem}}}", "key_file"),
        (
            "{grpc: {max_recv_msg_size: 4}}",
            "unknown key; did you mean \"max_recv_msg_size_mib\"?",
        ),
        ("{http: {compression_algorithms: [lz5]}}", "\"lz5\" is none of"),
        ("{http: {cors: {allowed_origins: ['https://*.*']}}}", "more than one *"),
        ("{http: {response_headers: {'a b': c}}}", "not a valid header"),
    ] {
        let errors = errors(protocols);
        assert!(errors.contains(expected), "{protocols}: {errors}");
    }
}
