//! The program with a queue on disk, killed again and again while a client sends and the destination is away or slow:
//! what was accepted arrives.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::HashMap;
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::http::Message;
use support::{Collector, wait_until};

const KILLS: usize = 12;
/// As many requests as the exporter has on their way at the same time.
const CONSUMERS: usize = 4;

/// A destination over HTTP/1.1 that takes OTLP/JSON, refuses, or hangs.
struct Destination {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// How often each id has come.
    received: Mutex<HashMap<String, usize>>,
    away: AtomicBool,
    requests: AtomicUsize,
}

impl Destination {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::<State>::default();
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, state) = (stream.unwrap(), shared.clone());
                // A connection ends with the program that is killed.
                std::thread::spawn(move || serve(stream, &state));
            }
        });
        Destination { address, state }
    }

    fn set_away(&self, away: bool) {
        self.state.away.store(away, Ordering::SeqCst);
    }
}

fn serve(stream: TcpStream, state: &State) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let body = Message::read(&mut reader)?.text();
        let number = state.requests.fetch_add(1, Ordering::SeqCst);
        let away = state.away.load(Ordering::SeqCst);
        if !away {
            let mut received = state.received.lock().unwrap();
            for id in ids(&body) {
                *received.entry(id).or_default() += 1;
            }
        }
        // Every seventh answer is slow, so that a kill finds something in flight.
        if number % 7 == 3 {
            std::thread::park_timeout(Duration::from_millis(30));
        }
        let status = if away { "503 Service Unavailable" } else { "200 OK" };
        let answer = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}");
        (&stream).write_all(answer.as_bytes()).ok()?;
    }
}

fn ids(body: &str) -> impl Iterator<Item = String> + '_ {
    body.split("id-")
        .skip(1)
        .map(|rest| rest.chars().take_while(char::is_ascii_digit).collect())
}

/// The program, with ports and a directory that stay the same over its restarts.
struct Program {
    configuration: PathBuf,
    address: SocketAddr,
    collector: Collector,
}

impl Program {
    fn start(directory: &Path, destination: SocketAddr, queue: &str) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let text = format!(
            "
receivers: {{otlp: {{protocols: {{http: {{endpoint: '{address}'}}}}}}}}
extensions: {{file_storage: {{directory: '{}'}}}}
exporters:
  otlphttp:
    endpoint: http://{destination}
    encoding: json
    compression: none
    retry_on_failure: {{initial_interval: 5ms, max_interval: 20ms, max_elapsed_time: 0}}
    sending_queue: {{storage: file_storage, num_consumers: {CONSUMERS}, {queue}}}
service:
  extensions: [file_storage]
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{logs: {{receivers: [otlp], exporters: [otlphttp]}}}}
",
            directory.join("storage").display()
        );
        let configuration = directory.join("collector.yaml");
        std::fs::write(&configuration, text).unwrap();
        Program {
            collector: Collector::start(&configuration),
            configuration,
            address,
        }
    }

    fn kill_and_restart(&mut self) {
        self.collector.kill();
        self.collector = Collector::start(&self.configuration);
    }

    /// Its log, when it has ended.
    fn stop(self) -> String {
        self.collector.stop()
    }
}

/// Sends one log record, and says whether it was accepted.
fn send(address: SocketAddr, connection: &mut Option<BufReader<TcpStream>>, id: usize) -> bool {
    let body = format!(
        "{{\"resourceLogs\":[{{\"scopeLogs\":[{{\"logRecords\":[{{\"body\":{{\"stringValue\":\"id-{id} {}\"}}}}]}}]}}]}}",
        "x".repeat(id % 700)
    );
    let mut try_send = || {
        let reader = match connection {
            Some(reader) => reader,
            None => connection.insert(BufReader::new(TcpStream::connect(address).ok()?)),
        };
        let head = format!(
            "POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        reader.get_mut().write_all((head + &body).as_bytes()).ok()?;
        Message::read(reader).map(|answer| answer.first)
    };
    match try_send() {
        Some(first) => first.contains(" 200 "),
        None => {
            *connection = None;
            false
        }
    }
}

/// Sends ids from `next` on until it is told to stop; gives those that were accepted.
fn client(address: SocketAddr, next: Arc<AtomicUsize>, stop: Arc<AtomicBool>) -> Vec<usize> {
    let (mut accepted, mut connection) = (Vec::new(), None);
    while !stop.load(Ordering::SeqCst) {
        let id = next.fetch_add(1, Ordering::SeqCst);
        if send(address, &mut connection, id) {
            accepted.push(id);
        } else {
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }
    accepted
}

/// The same numbers for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

#[test]
fn what_was_accepted_arrives_whenever_the_program_is_killed() {
    let seed = std::env::var("ODIGOS_TEST_SEED").map_or(0x5eed, |seed| seed.parse().unwrap());
    let (mut random, destination) = (Random(seed), Destination::start());
    let directory = tempfile::tempdir().unwrap();
    let mut program = Program::start(directory.path(), destination.address, "queue_size: 100000");
    let (next, stop) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
    let clients: Vec<_> = (0..3)
        .map(|_| {
            let (address, next, stop) = (program.address, next.clone(), stop.clone());
            std::thread::spawn(move || client(address, next, stop))
        })
        .collect();
    for _ in 0..KILLS {
        destination.set_away(random.below(3) == 0);
        let goal = next.load(Ordering::SeqCst) + random.below(150) as usize + 1;
        wait_until("the clients send", || next.load(Ordering::SeqCst) >= goal);
        std::thread::park_timeout(Duration::from_micros(random.below(20_000)));
        program.kill_and_restart();
    }
    destination.set_away(false);
    stop.store(true, Ordering::SeqCst);
    let accepted: Vec<usize> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
    assert!(
        accepted.len() > 50,
        "seed {seed}: only {} were accepted",
        accepted.len()
    );
    let received = |id: &usize| destination.state.received.lock().unwrap().contains_key(&id.to_string());
    wait_until(&format!("all arrive, seed {seed}"), || accepted.iter().all(received));
    program.stop();
    let received = destination.state.received.lock().unwrap();
    let again: usize = received.values().map(|times| times - 1).sum();
    // Each kill finds as many requests in flight as there are consumers.
    assert!(again <= KILLS * CONSUMERS, "seed {seed}: {again} came again");
}

#[test]
fn a_drain_leaves_on_disk_what_the_destination_does_not_take_and_the_next_start_delivers_it() {
    let destination = Destination::start();
    destination.set_away(true);
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(directory.path(), destination.address, "queue_size: 1000");
    let mut connection = None;
    let accepted: Vec<usize> = (0..400)
        .filter(|id| {
            wait_until("the program listens", || TcpStream::connect(program.address).is_ok());
            send(program.address, &mut connection, *id)
        })
        .collect();
    assert_eq!(accepted.len(), 400);
    let configuration = program.configuration.clone();
    let log = program.stop();
    let line = "logs -> otlphttp: received 400, exported 0, dropped 0, stored 400, held 0";
    assert!(log.contains(line), "{log}");
    destination.set_away(false);
    let address = destination.address;
    let program = Program {
        collector: Collector::start(&configuration),
        configuration,
        address,
    };
    wait_until("all arrive", || destination.state.received.lock().unwrap().len() == 400);
    let log = program.stop();
    let line = "logs/(disk) -> otlphttp: received 400, exported 400, dropped 0, held 0";
    assert!(log.contains(line), "{log}");
    assert!(
        destination
            .state
            .received
            .lock()
            .unwrap()
            .values()
            .all(|times| *times == 1)
    );
}

#[test]
fn a_full_queue_refuses_and_goes_on_when_there_is_room() {
    let destination = Destination::start();
    destination.set_away(true);
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(directory.path(), destination.address, "queue_size: 10");
    wait_until("the program listens", || TcpStream::connect(program.address).is_ok());
    let mut connection = None;
    let mut id = 0;
    let mut accepted = Vec::new();
    while send(program.address, &mut connection, id) {
        accepted.push(id);
        id += 1;
    }
    assert_eq!(accepted.len(), 10, "the queue takes as many as it is said to");
    destination.set_away(false);
    let received = |id: &usize| destination.state.received.lock().unwrap().contains_key(&id.to_string());
    wait_until("all arrive", || accepted.iter().all(received));
    wait_until("there is room again", || send(program.address, &mut None, 1000));
    program.stop();
}
