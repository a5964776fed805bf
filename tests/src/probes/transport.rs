//! The system calls by which programs send and receive.

use super::Traced;
use super::connection::{Manner, Receiving, Sending};
use super::dialogue::{Dialogue, Step, request, response};
use anyhow::Result;
use probe_loader::table::Group;

const POST: &str = "POST /form HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\na=b&c";
const CREATED: &str = "HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n\r\ncreated";

pub(super) fn every_way(traced: &mut Traced) -> Result<()> {
    let posted = Dialogue::one("a post", vec![request(POST), response(CREATED)], 201, Some(7));
    let chunked = Dialogue::one(
        "a chunked response",
        vec![
            request(POST),
            response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
        ],
        200,
        None,
    );
    let sendings = [Sending::Write, Sending::Writev, Sending::Sendto, Sending::Sendmsg];
    let receivings = [
        Receiving::Read,
        Receiving::Readv,
        Receiving::Recvfrom,
        Receiving::Recvmsg,
        Receiving::Peek,
        Receiving::Reports,
    ];
    for sending in sendings {
        for receiving in receivings {
            for at_most in [usize::MAX, 13, 1] {
                let manner = Manner {
                    sending,
                    receiving,
                    at_most,
                    ..Manner::PLAIN
                };
                posted.hold(traced, "127.0.0.1:0", manner)?;
                chunked.hold(traced, "[::1]:0", manner)?;
            }
        }
    }
    let manner = Manner {
        splices: traced.probes().http1() == Some(Group::Http1Syscalls),
        ..Manner::PLAIN
    };
    for unread in [Step::ResponseFile, Step::ResponseSpliced, Step::ResponseThrownAway] {
        body_by(unread).hold(traced, "127.0.0.1:0", manner)?;
    }
    Ok(())
}

/// A body that never passes the memory of the client, the server or both.
fn body_by(unread: fn(Vec<u8>) -> Step) -> Dialogue {
    let body = vec![b'f'; 60_000];
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    let step = unread(body.clone());
    let name = match &step {
        Step::ResponseFile(_) => "a body from a file",
        Step::ResponseSpliced(_) => "a body by way of a pipe",
        _ => "a body that is thrown away",
    };
    Dialogue::one(name, vec![request(POST), response(&head), step], 200, Some(body.len()))
}
