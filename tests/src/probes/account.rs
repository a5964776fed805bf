//! That no span is lost without being counted, and none is reported twice.

use super::connection::{Connection, Manner, pass};
use super::traced::PAUSE;
use super::{Span, Traced};
use anyhow::{Context, Result, ensure};
use probe_wire::layout::{Counter, HTTP1_REQUEST_CAPTURE};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

/// A ring that nobody reads until it is full; and a request that is in progress at the end.
pub(super) fn full_ring(traced: &mut Traced) -> Result<()> {
    let connection = Connection::over("127.0.0.1:0")?;
    // Long requests fill it sooner.
    let request = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(HTTP1_REQUEST_CAPTURE));
    let room = u64::from(traced.probes().ring_bytes()) / HTTP1_REQUEST_CAPTURE as u64;
    let mut requests = 0;
    while traced.counted().get(Counter::RingFull) < 10 {
        ensure!(requests <= room, "the ring is not full after {requests} requests");
        connection.ask(request.as_bytes(), OK)?;
        requests += 1;
    }
    pass(
        &connection.client,
        &connection.server,
        request.as_bytes(),
        Manner::PLAIN,
    )?;
    let (spans, counted) = traced.finish()?;
    // One of each side.
    ensure!(
        counted.get(Counter::Seen) == 2 * requests + 2 && counted.get(Counter::Unfinished) == 2,
        "{counted:?}"
    );
    ensure!(
        spans.len() as u64 == counted.get(Counter::Emitted),
        "{} spans, {counted:?}",
        spans.len()
    );
    let lost = counted.get(Counter::RingFull)
        + counted.get(Counter::StateFull)
        + counted.get(Counter::Unreadable)
        + counted.get(Counter::Unfinished);
    ensure!(
        counted.get(Counter::Seen) == counted.get(Counter::Emitted) + lost,
        "{counted:?}"
    );
    Ok(())
}

/// Threads that make requests; few, so that the one that reads the ring is not starved.
const WORKERS: usize = 2;

/// Many requests over many connections at once: each has its server span and its client span, and none has two.
pub fn volume(traced: &mut Traced, requests: usize, connections: usize) -> Result<()> {
    let (next, working) = (AtomicUsize::new(0), AtomicUsize::new(WORKERS));
    let mut spans = std::thread::scope(|scope| -> Result<Vec<Span>> {
        let worker = || {
            let done = work(&next, requests, connections / WORKERS);
            working.fetch_sub(1, Ordering::Release);
            done
        };
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(worker)).collect();
        let mut spans = Vec::with_capacity(2 * requests);
        while working.load(Ordering::Acquire) > 0 {
            spans.extend(traced.read_now()?);
            std::thread::park_timeout(PAUSE);
        }
        for worker in workers {
            worker.join().map_err(|_| anyhow::anyhow!("a worker panicked"))??;
        }
        Ok(spans)
    })?;
    spans.extend(traced.read_now()?);
    let counted = traced.counted();
    ensure!(
        counted.get(Counter::Seen) == 2 * requests as u64
            && counted.get(Counter::Emitted) == counted.get(Counter::Seen),
        "{counted:?}"
    );
    let mut seen: HashMap<(String, bool), usize> = HashMap::with_capacity(2 * requests);
    for span in spans {
        *seen.entry((span.request, span.span.flags.is_client())).or_default() += 1;
    }
    for number in 0..requests {
        let text = String::from_utf8(request(number))?;
        for client in [false, true] {
            let times = seen.get(&(text.clone(), client)).copied().unwrap_or_default();
            ensure!(times == 1, "request {number} has {times} spans, client: {client}");
        }
    }
    Ok(())
}

/// Takes request after request, each over the next of its connections.
fn work(next: &AtomicUsize, requests: usize, connections: usize) -> Result<()> {
    let connections: Vec<_> = (0..connections)
        .map(|_| Connection::over("127.0.0.1:0"))
        .collect::<Result<_>>()?;
    for connection in connections.iter().cycle() {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= requests {
            break;
        }
        ask(connection, number).with_context(|| format!("request {number}"))?;
    }
    Ok(())
}

fn request(number: usize) -> Vec<u8> {
    format!("GET /item/{number} HTTP/1.1\r\nHost: test\r\n\r\n").into_bytes()
}

pub(super) fn ask(connection: &Connection, number: usize) -> Result<()> {
    pass(&connection.client, &connection.server, &request(number), Manner::PLAIN)?;
    pass(&connection.server, &connection.client, OK, Manner::PLAIN)
}
