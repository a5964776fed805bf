//! A load of requests that can be told apart.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Threads that make requests; as many as the smallest machine has processors, so that none starves the servers.
const THREADS: usize = 2;

/// Connections that are kept, and asked in turn.
pub struct Connections {
    port: u16,
    /// What the path of each request begins with; its number follows.
    prefix: &'static str,
    open: Vec<BufReader<TcpStream>>,
}

impl Connections {
    pub fn open(port: u16, prefix: &'static str, count: usize) -> Self {
        let connect = |_| BufReader::new(TcpStream::connect(("127.0.0.1", port)).unwrap());
        Connections {
            port,
            prefix,
            open: (0..count).map(connect).collect(),
        }
    }

    /// Makes these requests, all connections at once, and reads each answer to its end.
    pub fn ask(&mut self, numbers: Range<u64>) {
        let (port, prefix) = (self.port, self.prefix);
        let share = self.open.len().div_ceil(THREADS);
        std::thread::scope(|scope| {
            for (index, part) in self.open.chunks_mut(share).enumerate() {
                let own = numbers.clone().skip(index).step_by(THREADS);
                scope.spawn(move || ask_in_turn(port, prefix, part, own));
            }
        });
    }
}

/// Every connection has a request in progress most of the time.
fn ask_in_turn(
    port: u16,
    prefix: &str,
    connections: &mut [BufReader<TcpStream>],
    mut numbers: impl Iterator<Item = u64>,
) {
    loop {
        let mut asked = 0;
        for (connection, number) in connections.iter_mut().zip(numbers.by_ref()) {
            let request = format!("GET {prefix}{number} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n");
            connection.get_mut().write_all(request.as_bytes()).unwrap();
            asked += 1;
        }
        connections[..asked].iter_mut().for_each(read_answer);
        if asked < connections.len() {
            return;
        }
    }
}

fn read_answer(connection: &mut BufReader<TcpStream>) {
    let (mut line, mut length) = (String::new(), 0);
    loop {
        line.clear();
        assert!(connection.read_line(&mut line).unwrap() > 0, "the server hung up");
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.trim_end().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    let read = std::io::copy(&mut connection.take(length), &mut std::io::sink()).unwrap();
    assert_eq!(read, length, "the answer was cut off");
}

/// A load that goes on in the background.
pub struct Steady {
    shared: Arc<Progress>,
    thread: JoinHandle<()>,
}

#[derive(Default)]
struct Progress {
    answered: AtomicU64,
    stop: AtomicBool,
}

/// The requests of so long are made at once.
const TURN: Duration = Duration::from_millis(25);

impl Steady {
    /// Goes on with about so many requests a second, numbered from 0.
    pub fn start(mut connections: Connections, per_second: u64) -> Self {
        let shared = Arc::new(Progress::default());
        let progress = shared.clone();
        let thread = std::thread::spawn(move || {
            let (mut done, mut next) = (0, Instant::now());
            while !progress.stop.load(Ordering::Acquire) {
                let count = per_second * TURN.as_millis() as u64 / 1000;
                connections.ask(done..done + count);
                done += count;
                progress.answered.store(done, Ordering::Release);
                next += TURN;
                std::thread::park_timeout(next.saturating_duration_since(Instant::now()));
            }
        });
        Steady { shared, thread }
    }

    /// How many requests were answered so far.
    pub fn answered(&self) -> u64 {
        self.shared.answered.load(Ordering::Acquire)
    }

    /// Ends it; returns how many requests were answered.
    pub fn stop(self) -> u64 {
        self.shared.stop.store(true, Ordering::Release);
        self.thread.join().unwrap();
        self.shared.answered.load(Ordering::Acquire)
    }
}
