//! Which request caused which.

use super::connection::{Connection, Manner, pass};
use super::{Span, Traced};
use anyhow::{Context, Result, ensure};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// One thread is client, server and backend at once; only for the server's thread there is a parent.
pub(super) fn every_relation(traced: &mut Traced) -> Result<()> {
    child_of_the_request_served(traced, "GET /outer HTTP/1.1\r\n\r\n", None)?;
    for name in ["traceparent", "Traceparent"] {
        let outer = format!("GET /outer HTTP/1.1\r\nHost: a\r\n{name}: 00-{TRACE}-{PARENT}-01\r\n\r\n");
        child_of_the_request_served(traced, &outer, Some((TRACE, PARENT)))?;
    }
    for wrong in [
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
    ] {
        let outer = format!("GET /outer HTTP/1.1\r\ntraceparent: {wrong}\r\n\r\n");
        child_of_the_request_served(traced, &outer, None)?;
    }
    no_parent_rather_than_a_wrong_one(traced)?;
    // Had the count of open requests drifted, this would be ambiguous or without parent.
    answered_by_another_thread(traced)?;
    child_of_the_request_served(traced, "GET /outer HTTP/1.1\r\n\r\n", None)?;
    no_parent_after_the_response(traced)?;
    Ok(())
}

/// The server asks a backend, in a thread of its own, before it answers.
fn child_of_the_request_served(traced: &mut Traced, outer: &str, context: Option<(&str, &str)>) -> Result<()> {
    let (front, back) = (Connection::over("127.0.0.1:0")?, Connection::over("127.0.0.1:0")?);
    in_a_thread(|| {
        pass(&front.client, &front.server, outer.as_bytes(), Manner::PLAIN)?;
        ask(&back, "/inner")?;
        pass(&front.server, &front.client, OK, Manner::PLAIN)
    })?;
    let spans = traced.take(4)?;
    let served = find(&spans, "/outer", false)?;
    let made = find(&spans, "/inner", true)?;
    ensure!(
        served.span.flags.has_context() && made.span.flags.has_parent(),
        "{spans:#?}"
    );
    ensure!(
        made.span.trace_id == served.span.trace_id && made.span.parent_span_id == served.span.span_id,
        "{spans:#?}"
    );
    ensure!(
        made.span.span_id != served.span.span_id && made.span.span_id != [0; 8],
        "{spans:#?}"
    );
    ensure!(
        served.span.start_ns <= made.span.start_ns && made.span.end_ns <= served.span.end_ns,
        "{spans:#?}"
    );
    ensure!(
        served.span.flags.has_parent() == context.is_some(),
        "{outer}: {served:?}"
    );
    if let Some((trace, parent)) = context {
        let ids = (hex(&served.span.trace_id), hex(&served.span.parent_span_id));
        ensure!(ids == (trace.to_owned(), parent.to_owned()), "{ids:?}");
    }
    Ok(())
}

/// The thread has read two requests: which of them the third is for, nobody knows.
fn no_parent_rather_than_a_wrong_one(traced: &mut Traced) -> Result<()> {
    let fronts = [Connection::over("127.0.0.1:0")?, Connection::over("127.0.0.1:0")?];
    let back = Connection::over("127.0.0.1:0")?;
    in_a_thread(|| {
        for front in &fronts {
            pass(
                &front.client,
                &front.server,
                b"GET /outer HTTP/1.1\r\n\r\n",
                Manner::PLAIN,
            )?;
        }
        ask(&back, "/inner")?;
        for front in &fronts {
            pass(&front.server, &front.client, OK, Manner::PLAIN)?;
        }
        ask(&back, "/after")
    })?;
    let spans = traced.take(8)?;
    let flags = find(&spans, "/inner", true)?.span.flags;
    ensure!(flags.has_ambiguous_parent() && !flags.has_parent(), "{spans:#?}");
    let flags = find(&spans, "/after", true)?.span.flags;
    ensure!(!flags.has_ambiguous_parent() && !flags.has_parent(), "{spans:#?}");
    Ok(())
}

/// One thread reads the requests and another answers them, many times over.
fn answered_by_another_thread(traced: &mut Traced) -> Result<()> {
    const TIMES: usize = 100;
    let (front, back) = (Connection::over("127.0.0.1:0")?, Connection::over("127.0.0.1:0")?);
    in_a_thread(|| {
        for _ in 0..TIMES {
            pass(
                &front.client,
                &front.server,
                b"GET /outer HTTP/1.1\r\n\r\n",
                Manner::PLAIN,
            )?;
            in_a_thread(|| pass(&front.server, &front.client, OK, Manner::PLAIN))?;
        }
        pass(
            &front.client,
            &front.server,
            b"GET /last HTTP/1.1\r\n\r\n",
            Manner::PLAIN,
        )?;
        ask(&back, "/inner")?;
        pass(&front.server, &front.client, OK, Manner::PLAIN)
    })?;
    let spans = traced.take(2 * TIMES + 4)?;
    let (served, made) = (find(&spans, "/last", false)?, find(&spans, "/inner", true)?);
    ensure!(
        made.span.parent_span_id == served.span.span_id,
        "the thread's open requests are miscounted: {made:?}"
    );
    Ok(())
}

fn no_parent_after_the_response(traced: &mut Traced) -> Result<()> {
    let (front, back) = (Connection::over("127.0.0.1:0")?, Connection::over("127.0.0.1:0")?);
    in_a_thread(|| {
        ask(&front, "/outer")?;
        ask(&back, "/inner")
    })?;
    let spans = traced.take(4)?;
    let made = find(&spans, "/inner", true)?;
    ensure!(!made.span.flags.has_parent(), "{spans:#?}");
    Ok(())
}

/// A request and its response, all in this thread. The response ends before the thread can make another request.
fn ask(connection: &Connection, path: &str) -> Result<()> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: b\r\n\r\n");
    connection.ask(request.as_bytes(), OK)
}

fn in_a_thread(work: impl FnOnce() -> Result<()> + Send) -> Result<()> {
    std::thread::scope(|scope| match scope.spawn(work).join() {
        Ok(done) => done,
        Err(_) => anyhow::bail!("the thread panicked"),
    })
}

fn find<'a>(spans: &'a [Span], path: &str, client: bool) -> Result<&'a Span> {
    let matches = |span: &&Span| span.request.contains(path) && span.span.flags.is_client() == client;
    spans.iter().find(matches).with_context(|| format!("no span of {path}"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
