//! Input and output that no system call does. The kernel's own TCP functions do it in the end.

use super::connection::{Manner, receive};
use super::program::Program;
use super::{Span, Traced};
use crate::samples::IO_URING;
use anyhow::{Context, Result, ensure};
use probe_loader::Target;
use probe_loader::table::Group;
use std::net::TcpStream;

const REQUEST: &str = "GET /ring HTTP/1.1\r\nHost: test\r\n\r\n";
const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n";

/// On the thread that submits, on the kernel's worker threads, and by the opcodes for files.
pub(super) fn every_way(traced: &mut Traced) -> Result<()> {
    for way in ["inline", "workers", "files"] {
        one_way(traced, way).with_context(|| way.to_owned())?;
    }
    Ok(())
}

fn one_way(traced: &mut Traced, way: &str) -> Result<()> {
    const REQUESTS: usize = 3;
    let server = Program::start(&IO_URING, &[way], &[])?;
    traced.trace(server.pid(), Target::HTTP1)?;
    let client = TcpStream::connect(server.address).context("cannot connect")?;
    for _ in 0..REQUESTS {
        rustix::io::write(&client, REQUEST.as_bytes())?;
        receive(&client, ANSWER.as_bytes(), Manner::PLAIN)?;
    }
    // The client is this process, which uses system calls.
    let is_seen = matches!(traced.probes().http1(), Some(Group::Http1Fentry | Group::Http1Kprobe));
    let spans = traced.take(if is_seen { 2 * REQUESTS } else { REQUESTS })?;
    let (clients, servers): (Vec<_>, Vec<_>) = spans.iter().partition(|span| span.span.flags.is_client());
    ensure!(clients.len() == REQUESTS, "{spans:#?}");
    for span in clients {
        check(span, std::process::id())?;
    }
    for span in servers {
        check(span, server.pid())?;
        ensure!(
            span.local == server.address && span.remote == client.local_addr()?,
            "{span:?}"
        );
    }
    Ok(())
}

fn check(span: &Span, pid: u32) -> Result<()> {
    let agrees = span.span.pid == pid
        && span.request == REQUEST
        && span.status == Some(200)
        && span.request_bytes == REQUEST.len() as u64
        && span.response_bytes == ANSWER.len() as u64
        && span.response_body == Some(6)
        && !span.span.flags.is_incomplete();
    ensure!(agrees, "{span:?}");
    Ok(())
}
