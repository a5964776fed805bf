//! Where a request and a response begin and end.

use super::Traced;
use super::connection::Manner;
use super::dialogue::{Dialogue, Expected, Step, request, response};
use anyhow::{Context, Result, ensure};
use probe_wire::layout::{Counter, HTTP1_REQUEST_CAPTURE};

const GET: &str = "GET /hello?x=1 HTTP/1.1\r\nHost: test\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const MEGABYTE: usize = 1 << 20;
const PIECE: usize = 32 << 10;

pub(super) fn every_dialogue(traced: &mut Traced) -> Result<()> {
    let early = traced.early_connection()?;
    simple()
        .hold_over(early, traced, Manner::PLAIN)
        .context("a connection from before")?;
    let tables = [heads(), bodies(), ends(), interim(), not_http(), pipelined()];
    for dialogue in tables.into_iter().flatten() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            dialogue.hold(traced, address, Manner::PLAIN)?;
        }
    }
    let counted = traced.counted();
    ensure!(
        counted.get(Counter::Seen) == counted.get(Counter::Emitted),
        "{counted:?}"
    );
    Ok(())
}

fn simple() -> Dialogue {
    Dialogue::one("one request", vec![request(GET), response(OK)], 200, Some(2))
}

/// `text` in pieces of `size` bytes.
fn pieces(step: fn(Vec<u8>) -> Step, text: &[u8], size: usize) -> Vec<Step> {
    text.chunks(size).map(|piece| step(piece.to_vec())).collect()
}

/// A head with `padding` bytes more than it needs.
fn padded(padding: usize) -> String {
    let padding = "p".repeat(padding);
    format!("HTTP/1.1 200 OK\r\nX-Padding: {padding}\r\nContent-Length: 2\r\n\r\nhi")
}

fn heads() -> Vec<Dialogue> {
    let exchange = |name, requests: Vec<Step>, responses: Vec<Step>| {
        Dialogue::one(name, [requests, responses].concat(), 200, Some(2))
    };
    let long_request = format!("GET / HTTP/1.1\r\nCookie: {}\r\n\r\n", "c".repeat(3000));
    let (asked, answered) = (vec![request(GET)], vec![response(OK)]);
    let lost = |name| Dialogue::one(name, vec![request(GET), response(&padded(600))], 200, None);
    vec![
        simple(),
        simple().then(simple()).then(simple()),
        exchange(
            "a request in single bytes",
            pieces(Step::Request, GET.as_bytes(), 1),
            answered.clone(),
        ),
        exchange(
            "a request in halves",
            pieces(Step::Request, GET.as_bytes(), 21),
            answered.clone(),
        ),
        exchange(
            "a request longer than what is captured, in pieces",
            pieces(Step::Request, long_request.as_bytes(), 700),
            answered.clone(),
        ),
        exchange(
            "a request whose second piece is long",
            [
                pieces(Step::Request, &long_request.as_bytes()[..9], 9),
                vec![Step::Request(long_request.as_bytes()[9..].to_vec())],
            ]
            .concat(),
            answered,
        ),
        exchange(
            "a response in single bytes",
            asked.clone(),
            pieces(Step::Response, OK.as_bytes(), 1),
        ),
        exchange(
            "a response head in pieces",
            asked.clone(),
            pieces(Step::Response, OK.as_bytes(), 17),
        ),
        exchange(
            "a response head that just fits",
            asked.clone(),
            vec![response(&padded(440))],
        ),
        exchange(
            "a length with white space around it",
            asked,
            vec![response(
                "HTTP/1.1 200 OK\r\ncontent-length:  \t2 \r\nConnection: keep-alive\r\n\r\nhi",
            )],
        ),
        lost("a response head that is too long, then a request").then(simple()),
        lost("a response head that is too long, then a pause"),
        lost("a response head that is too long, then a close").and(vec![Step::ServerCloses]),
    ]
}

fn bodies() -> Vec<Dialogue> {
    let body = vec![b'b'; MEGABYTE];
    let post = format!("POST /up HTTP/1.1\r\nHost: test\r\nContent-Length: {MEGABYTE}\r\n\r\n");
    let long = format!("HTTP/1.1 201 Created\r\nContent-Length: {MEGABYTE}\r\n\r\n");
    let both = [
        vec![request(&post)],
        pieces(Step::Request, &body, PIECE),
        vec![response(&long)],
        pieces(Step::Response, &body, PIECE),
    ]
    .concat();
    let answer = |name, responses: Vec<Step>, status, body| {
        Dialogue::one(name, [vec![request(GET)], responses].concat(), status, body)
    };
    let chunked = |name, chunks: &[&str]| {
        let responses: Vec<Step> = chunks.iter().map(|chunk| response(chunk)).collect();
        // How much of it is the body's own, is not told.
        answer(name, responses, 200, None)
    };
    let whole = format!("{CHUNKED}2\r\nhi\r\n0\r\n\r\n");
    vec![
        Dialogue::one("a megabyte both ways", both, 201, Some(MEGABYTE)).then(simple()),
        chunked("a chunked response in one piece", &[&whole]),
        chunked(
            "a chunked response in pieces",
            &[CHUNKED, "2\r\nhi\r\n", "3\r\nyou\r\n0\r\n\r\n"],
        ),
        chunked("the last chunk on its own", &[CHUNKED, "2\r\nhi\r\n", "0\r\n\r\n"]).then(simple()),
        chunked("no chunk but the last", &[CHUNKED, "0\r\n\r\n"]),
        Dialogue::one(
            "a chunked response in single bytes",
            [vec![request(GET)], pieces(Step::Response, whole.as_bytes(), 1)].concat(),
            200,
            None,
        ),
        Dialogue::one(
            "HEAD",
            vec![
                request("HEAD / HTTP/1.1\r\n\r\n"),
                response("HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n"),
            ],
            200,
            Some(0),
        )
        .then(simple()),
        answer("204", vec![response("HTTP/1.1 204 No Content\r\n\r\n")], 204, Some(0)).then(simple()),
        answer(
            "304",
            vec![response("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n")],
            304,
            Some(0),
        )
        .then(simple()),
    ]
}

fn ends() -> Vec<Dialogue> {
    let until_close = "HTTP/1.0 200 OK\r\nServer: test\r\n\r\n";
    let announced = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart";
    let answer = |name, responses: Vec<Step>, body| {
        Dialogue::one(name, [vec![request(GET)], responses].concat(), 200, Some(body))
    };
    let unanswered = Expected {
        request: GET.into(),
        status: None,
        response_bytes: 0,
        body: None,
        incomplete: true,
    };
    vec![
        answer(
            "a response that ends with the connection",
            vec![response(until_close), response("all of it"), Step::ServerCloses],
            9,
        ),
        answer(
            "a reset within a response of known length",
            vec![response(announced), Step::ServerResets],
            4,
        )
        .incomplete(),
        answer(
            "a reset within a response that ends with the connection",
            vec![response(until_close), response("part"), Step::ServerResets],
            4,
        )
        .incomplete(),
        answer(
            "a close within a response of known length",
            vec![response(announced), Step::ServerCloses],
            4,
        )
        .incomplete(),
        Dialogue {
            name: "a request without a response",
            steps: vec![request(GET), Step::ServerCloses],
            expected: vec![unanswered],
        },
    ]
}

fn interim() -> Vec<Dialogue> {
    let go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n";
    let post = "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 15\r\n\r\n";
    let body = "GET / is a body";
    let together = format!("{go_on}{hints}{OK}");
    let upgrade = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: test\r\n\r\n";
    let opaque = vec![request(GET), response(OK), request("\x01\x02"), response(OK)];
    vec![
        Dialogue::one(
            "an interim response before the body",
            vec![request(post), response(go_on), request(body), response(OK)],
            200,
            Some(2),
        )
        .without(go_on.len())
        .then(simple()),
        Dialogue::one(
            "interim responses and the final one in one piece",
            vec![request(post), request(body), response(&together)],
            200,
            Some(2),
        )
        .without(go_on.len() + hints.len()),
        Dialogue::one("an upgrade", vec![request(GET), response(upgrade)], 101, Some(0)).and(opaque.clone()),
        Dialogue::one(
            "a tunnel",
            vec![
                request("CONNECT test:443 HTTP/1.1\r\n\r\n"),
                response("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
            ],
            200,
            Some(0),
        )
        .and(opaque),
    ]
}

fn not_http() -> Vec<Dialogue> {
    let other = |name, client: &[u8], server: &[u8]| Dialogue {
        name,
        steps: vec![Step::Request(client.to_vec()), Step::Response(server.to_vec())],
        expected: Vec::new(),
    };
    vec![
        other("Redis", b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"),
        other(
            "TLS",
            b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03",
            b"\x16\x03\x03\x00\x7a\x02",
        ),
        other("a method without a path", b"GET key\r\n", b"value\r\n"),
        other(
            "a server that does not answer in HTTP",
            GET.as_bytes(),
            b"-ERR unknown command\r\n",
        ),
        Dialogue {
            name: "a method that goes on as something else",
            steps: vec![request("GE"), request("T key\r\n"), response("value\r\n")],
            expected: Vec::new(),
        },
    ]
}

/// The request and the response of the given number.
fn numbered(number: usize) -> (String, String) {
    let body = format!("body of {number}");
    (
        format!("GET /item/{number} HTTP/1.1\r\nHost: test\r\n\r\n"),
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
    )
}

/// What is expected of requests with these numbers, of which the bytes pass as `steps` says.
fn several(name: &'static str, numbers: std::ops::Range<usize>, steps: Vec<Step>) -> Dialogue {
    let expected = numbers.flat_map(|number| {
        let (asked, answered) = numbered(number);
        Dialogue::one(
            name,
            vec![request(&asked), response(&answered)],
            200,
            Some(format!("body of {number}").len()),
        )
        .expected
    });
    Dialogue {
        name,
        steps,
        expected: expected.collect(),
    }
}

/// Requests that come before the response to the one before has ended.
fn pipelined() -> Vec<Dialogue> {
    let (asked, answered): (Vec<_>, Vec<_>) = (0..4).map(numbered).unzip();
    let ask = |numbers: std::ops::Range<usize>| request(&asked[numbers].concat());
    let answer = |numbers: std::ops::Range<usize>| response(&answered[numbers].concat());
    let (begun, rest) = answered[0].split_at(answered[0].len() - 3);
    let post = "POST /form HTTP/1.1\r\nContent-Length: 7\r\n\r\nGET /no";
    let mixed = Dialogue::one("", vec![request(post), response(OK)], 200, Some(2)).then(simple());
    vec![
        several(
            "requests and responses in one piece each",
            0..4,
            vec![ask(0..4), answer(0..4)],
        ),
        several(
            "requests in one piece, responses one by one",
            0..3,
            vec![ask(0..3), answer(0..1), answer(1..2), answer(2..3)],
        ),
        several(
            "a request while the one before is served",
            0..2,
            vec![ask(0..1), ask(1..2), answer(0..1), answer(1..2)],
        ),
        several(
            "a request while the response before is written",
            0..2,
            vec![ask(0..1), response(begun), ask(1..2), response(rest), answer(1..2)],
        ),
        several(
            "always one request ahead",
            0..4,
            vec![
                ask(0..2),
                answer(0..1),
                ask(2..3),
                answer(1..2),
                ask(3..4),
                answer(2..4),
            ],
        ),
        several(
            "a request in two pieces, the first behind another request",
            0..2,
            vec![
                request(&format!("{}{}", asked[0], &asked[1][..12])),
                request(&asked[1][12..]),
                answer(0..1),
                answer(1..2),
            ],
        ),
        several(
            "several requests after a single one",
            0..4,
            vec![ask(0..1), answer(0..1), ask(1..4), answer(1..4)],
        ),
        Dialogue {
            name: "a body that looks like a request, then a request",
            steps: vec![request(&format!("{post}{GET}")), response(OK), response(OK)],
            expected: mixed.expected,
        },
    ]
}

/// Of more requests than are kept, those that are not are counted when their responses come.
pub(super) fn too_many(traced: &mut Traced) -> Result<()> {
    const REQUESTS: usize = 40;
    let (asked, answered): (Vec<_>, Vec<_>) = (0..REQUESTS).map(numbered).unzip();
    let mut kept = 0;
    let mut bytes = 0;
    while bytes + asked[kept].len() <= HTTP1_REQUEST_CAPTURE {
        bytes += asked[kept].len();
        kept += 1;
    }
    let steps = vec![request(&asked.concat()), response(&answered.concat())];
    several("more requests than are kept", 0..kept, steps)
        .then(simple())
        .hold(traced, "127.0.0.1:0", Manner::PLAIN)?;
    let counted = traced.counted();
    let (emitted, unmatched) = (2 * (kept + 1) as u64, 2 * (REQUESTS - kept) as u64);
    ensure!(
        counted.get(Counter::Emitted) == emitted
            && counted.get(Counter::Unmatched) == unmatched
            && counted.get(Counter::Seen) == emitted + unmatched,
        "{kept} kept, {counted:?}"
    );
    Ok(())
}
