//! The system calls by which programs send and receive.

use super::Traced;
use super::connection::{Manner, Receiving, Sending};
use super::dialogue::{Dialogue, Step, request, response};
use anyhow::Result;

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
        Some(15),
    );
    let sendings = [Sending::Write, Sending::Writev, Sending::Sendto, Sending::Sendmsg];
    let receivings = [
        Receiving::Read,
        Receiving::Readv,
        Receiving::Recvfrom,
        Receiving::Recvmsg,
        Receiving::Peek,
    ];
    for sending in sendings {
        for receiving in receivings {
            for at_most in [usize::MAX, 13, 1] {
                let manner = Manner {
                    sending,
                    receiving,
                    at_most,
                };
                posted.hold(traced, "127.0.0.1:0", manner)?;
                chunked.hold(traced, "[::1]:0", manner)?;
            }
        }
    }
    from_a_file().hold(traced, "127.0.0.1:0", Manner::PLAIN)?;
    Ok(())
}

fn from_a_file() -> Dialogue {
    let body = vec![b'f'; 100_000];
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    let steps = vec![request(POST), response(&head), Step::ResponseFile(body.clone())];
    Dialogue::one("a body from a file", steps, 200, Some(body.len()))
}
