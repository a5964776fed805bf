//! HTTP/1.1 as far as these tests need it, on both sides.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// A request or an answer.
pub struct Message {
    /// Its first line.
    pub first: String,
    pub body: Vec<u8>,
}

impl Message {
    /// The next one; nothing if the connection ends before its end.
    pub fn read(reader: &mut impl BufRead) -> Option<Message> {
        let (mut first, mut length) = (String::new(), 0);
        reader.read_line(&mut first).ok().filter(|read| *read > 0)?;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        Some(Message { first, body })
    }

    pub fn text(self) -> String {
        String::from_utf8(self.body).expect("the body is text")
    }

    fn status(&self) -> u16 {
        let status = self.first.split(' ').nth(1).expect("a status");
        status.parse().expect("a number")
    }
}

/// The status and the body of a page; nothing if nobody listens there yet.
pub fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").ok()?;
    let answer = Message::read(&mut BufReader::new(stream))?;
    Some((answer.status(), answer.text()))
}

/// The status of an answer to JSON; nothing if nobody listens there yet.
pub fn post(address: SocketAddr, path: &str, json: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(address).ok()?;
    let length = json.len();
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {length}");
    write!(stream, "{head}\r\nconnection: close\r\n\r\n{json}").ok()?;
    Some(Message::read(&mut BufReader::new(stream))?.status())
}

/// A port that is free now.
pub fn free_port() -> SocketAddr {
    let free = TcpListener::bind("127.0.0.1:0").expect("loopback");
    free.local_addr().expect("it is bound")
}

/// A request that came to a destination.
#[derive(Clone)]
pub struct Received {
    pub at: Instant,
    pub path: String,
    pub body: Vec<u8>,
    pub accepted: bool,
}

/// A destination that takes every request, or refuses all for a while. It ends with the process.
#[derive(Clone)]
pub struct Destination {
    pub address: SocketAddr,
    away: Arc<AtomicBool>,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Destination {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let destination = Destination {
            address: listener.local_addr().expect("it is bound"),
            away: Arc::default(),
            received: Arc::default(),
        };
        let shared = destination.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = shared.clone();
                std::thread::spawn(move || shared.serve(stream));
            }
        });
        destination
    }

    pub fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// What has come to a path, in order.
    pub fn received(&self, path: &str) -> Vec<Received> {
        let received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        received
            .iter()
            .filter(|request| request.path == path)
            .cloned()
            .collect()
    }

    fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        loop {
            let request = Message::read(&mut reader)?;
            let away = self.away.load(Ordering::SeqCst);
            let mut received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
            received.push(Received {
                at: Instant::now(),
                path: request.first.split(' ').nth(1).unwrap_or_default().to_owned(),
                body: request.body,
                accepted: !away,
            });
            drop(received);
            let status = if away { "503 Service Unavailable" } else { "200 OK" };
            (&stream)
                .write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").as_bytes())
                .ok()?;
        }
    }
}
