//! What hostile senders try.

use super::raw::{TRACES, call, connect, export, framed, post};
use super::{Receiving, Setup, block_on};
use crate::otlp_must::{PROTOBUF, gzip, traces};
use bytes::Bytes;
use h2::Reason;
use prost::Message;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The code for a message over gRPC, and the status for the same body over HTTP; both must agree that it is refused.
async fn refused(receiving: &Receiving, message: &[u8], expected: &str) {
    let reply = export(receiving.grpc, TRACES, &[], &[framed(0, message)]).await;
    assert_eq!(reply.code(), 3, "{expected}: {reply:?}");
    assert!(reply.text("grpc-message").contains(expected), "{expected}: {reply:?}");
    let reply = post(receiving.http, "/v1/traces", &[PROTOBUF], message.to_vec()).await;
    assert_eq!(reply.status, 400, "{expected}: {reply:?}");
}

async fn serves_on(address: SocketAddr) {
    let message = framed(0, &traces(1).encode_to_vec());
    assert_eq!(export(address, TRACES, &[], &[message]).await.code(), 0);
}

fn within(number: u8, message: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = message.len();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend(message);
    out
}

fn request_of(span: &[u8]) -> Vec<u8> {
    within(1, &within(2, &within(2, span)))
}

#[test]
fn messages_that_no_consumer_could_read_are_refused_with_the_reason() {
    let receiving = Receiving::start();
    let deep = (0..10_000).fold(Vec::new(), |value, _| within(5, &within(1, &value)));
    let attribute = |value: &[u8]| request_of(&within(9, &within(2, value)));
    block_on(async {
        refused(&receiving, &attribute(&deep), "nested deeper than").await;
        refused(
            &receiving,
            &attribute(&within(1, &[0xff])),
            "field 1 of AnyValue is not UTF-8",
        )
        .await;
        refused(
            &receiving,
            &request_of(&within(5, &[0xc3, 0x28])),
            "field 5 of Span is not UTF-8",
        )
        .await;
        refused(
            &receiving,
            &request_of(&within(1, &[1; 15])),
            "field 1 of Span is an id of the wrong length",
        )
        .await;
        refused(
            &receiving,
            &request_of(&within(4, &[1; 9])),
            "field 4 of Span is an id of the wrong length",
        )
        .await;
        refused(
            &receiving,
            &request_of(&[0x28, 1]),
            "field 5 of Span has the wrong wire type",
        )
        .await;
        refused(&receiving, &request_of(&[0x3b]), "wire type 3").await;
        refused(
            &receiving,
            &[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f],
            "cut short within TracesRequest",
        )
        .await;
        refused(&receiving, &[0x0a, 5, 1], "cut short").await;
        refused(&receiving, &[0xff; 11], "longer than 64 bits").await;
        refused(&receiving, &[0x02, 0], "number out of range").await;
    });
    let account = receiving.finish();
    assert_eq!(
        (account.receivers[0].malformed_requests, account.receivers[0].received),
        (22, 0)
    );
}

#[test]
fn unknown_fields_pass_as_they_are() {
    let receiving = Receiving::start();
    let span = [
        within(15, &within(1, b"old")),
        vec![0xa0, 0x1f, 1],
        vec![0xa5, 0x1f, 1, 2, 3, 4],
    ]
    .concat();
    let message = request_of(&span);
    block_on(async {
        assert_eq!(
            export(receiving.grpc, TRACES, &[], &[framed(0, &message)]).await.code(),
            0
        );
    });
    assert_eq!(receiving.arrived(1)[0].1, message);
    receiving.finish();
}

#[test]
fn bombs_are_refused() {
    let receiving = Receiving::start();
    let zeros = vec![0; 64 << 20];
    let bombs = [
        ("gzip", gzip(&zeros)),
        ("zstd", zstd::bulk::compress(&zeros, 1).unwrap()),
    ];
    block_on(async {
        for (encoding, bomb) in &bombs {
            let reply = export(
                receiving.grpc,
                TRACES,
                &[("grpc-encoding", encoding)],
                &[framed(1, bomb)],
            )
            .await;
            assert_eq!(reply.code(), 8, "{encoding}: {reply:?}");
            let headers = [PROTOBUF, ("content-encoding", encoding)];
            let reply = post(receiving.http, "/v1/traces", &headers, bomb.clone()).await;
            assert_eq!(reply.status, 413, "{encoding}: {reply:?}");
        }
        serves_on(receiving.grpc).await;
    });
    receiving.arrived(1);
    receiving.finish();
}

#[test]
fn a_length_of_a_gigabyte_is_refused_at_once() {
    let receiving = Receiving::start();
    block_on(async {
        let prefix = Bytes::from_static(&[0, 0x40, 0, 0, 0]);
        let reply = export(receiving.grpc, TRACES, &[], &[prefix, Bytes::from_static(b"abc")]).await;
        assert_eq!(reply.code(), 8, "{reply:?}");
        let mut stream = TcpStream::connect(receiving.http).await.unwrap();
        let head = "POST /v1/traces HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\ncontent-length: 1073741824\r\n\r\n{";
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut said = [0; 12];
        stream.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"HTTP/1.1 413");
    });
    receiving.finish();
}

#[test]
fn a_connection_that_drops_in_the_middle_of_a_body_costs_nothing() {
    let receiving = Receiving::start();
    block_on(async {
        for _ in 0..20 {
            let client = connect(receiving.grpc).await;
            let mut ready = client.ready().await.unwrap();
            let request = http::Request::post(format!("http://t{TRACES}")).header("content-type", "application/grpc");
            let (_response, mut stream) = ready.send_request(request.body(()).unwrap(), false).unwrap();
            stream
                .send_data(Bytes::from_static(&[0, 0, 0, 0, 99, 1, 2]), false)
                .unwrap();
            tokio::task::yield_now().await;
            let mut http = TcpStream::connect(receiving.http).await.unwrap();
            let head =
                "POST /v1/traces HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{";
            http.write_all(head.as_bytes()).await.unwrap();
        }
        serves_on(receiving.grpc).await;
    });
    receiving.arrived(1);
    receiving.finish();
}

#[test]
fn connections_beyond_the_limit_are_closed_and_places_come_back() {
    let receiving = Setup {
        grpc: "max_connections: 2",
        ..Setup::default()
    }
    .start();
    block_on(async {
        let first = connect(receiving.grpc).await;
        let second = connect(receiving.grpc).await;
        for client in [&first, &second] {
            assert_eq!(call(client, TRACES, &[], &[framed(0, b"")]).await.unwrap().code(), 0);
        }
        let mut third = TcpStream::connect(receiving.grpc).await.unwrap();
        let read = third.read(&mut [0; 1]).await;
        assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
        drop((first, second));
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let stream = TcpStream::connect(receiving.grpc).await.unwrap();
            if let Ok((client, connection)) = h2::client::handshake(stream).await {
                tokio::spawn(connection);
                if call(&client, TRACES, &[], &[framed(0, b"")]).await.is_ok() {
                    break;
                }
            }
            assert!(Instant::now() < deadline, "no place has come back");
        }
    });
    receiving.finish();
}

/// The HTTP/2 greeting of a client, and one request's headers without an end, each on a stream of its own.
const GREETING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// `:method POST`, `:scheme http`, `:path /`, without Huffman coding.
const HEADERS: &[u8] = &[0x83, 0x86, 0x84];

/// Writes frames until the server has had enough, and gives the reason of its GOAWAY.
async fn goaway(address: SocketAddr, mut frames: impl FnMut(u32) -> Vec<u8>) -> u32 {
    let (mut read, mut write) = TcpStream::connect(address).await.unwrap().into_split();
    write.write_all(GREETING).await.unwrap();
    let writing = async {
        for index in 0..100_000 {
            if write.write_all(&frames(index)).await.is_err() {
                break;
            }
        }
        std::future::pending::<()>().await
    };
    let reading = async {
        loop {
            let mut head = [0; 9];
            read.read_exact(&mut head).await.expect("closed without GOAWAY");
            let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
            read.read_exact(&mut payload).await.unwrap();
            if head[3] == 7 {
                return u32::from_be_bytes(payload[4..8].try_into().unwrap());
            }
        }
    };
    tokio::select! {
        () = writing => unreachable!(),
        reason = reading => reason,
    }
}

#[test]
fn a_rapid_reset_ends_the_connection() {
    let receiving = Receiving::start();
    block_on(async {
        let reason = goaway(receiving.grpc, |index| {
            let stream = index * 2 + 1;
            [frame(1, 4, stream, HEADERS), frame(3, 0, stream, &8u32.to_be_bytes())].concat()
        });
        assert_eq!(Reason::from(reason.await), Reason::ENHANCE_YOUR_CALM);
        serves_on(receiving.grpc).await;
    });
    receiving.arrived(1);
    receiving.finish();
}

#[test]
fn a_flood_of_continuations_ends_the_connection() {
    let receiving = Receiving::start();
    block_on(async {
        let reason = goaway(receiving.grpc, |index| match index {
            0 => frame(1, 0, 1, HEADERS),
            _ => frame(9, 0, 1, &[0x00, 1, b'a', 1, b'b']),
        });
        assert_ne!(Reason::from(reason.await), Reason::NO_ERROR);
        serves_on(receiving.grpc).await;
    });
    receiving.arrived(1);
    receiving.finish();
}

#[test]
fn streams_beyond_the_limit_are_refused_and_the_others_served() {
    let receiving = Setup {
        grpc: "max_concurrent_streams: 2",
        ..Setup::default()
    }
    .start();
    block_on(async {
        let mut stream = TcpStream::connect(receiving.grpc).await.unwrap();
        stream.write_all(GREETING).await.unwrap();
        // In one write: a stream that was answered in between would make room for the next.
        let streams = [1, 3, 5].map(|id| frame(1, 4, id, HEADERS));
        stream.write_all(&streams.concat()).await.unwrap();
        loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head).await.unwrap();
            let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
            stream.read_exact(&mut payload).await.unwrap();
            if head[3] == 3 && head[8] == 5 {
                assert_eq!(payload, u32::from(Reason::REFUSED_STREAM).to_be_bytes());
                break;
            }
        }
        serves_on(receiving.grpc).await;
    });
    receiving.arrived(1);
    receiving.finish();
}

#[test]
fn headers_of_more_than_their_limit_are_refused() {
    let receiving = Receiving::start();
    let large = "x".repeat(10_000);
    block_on(async {
        let client = connect(receiving.grpc).await;
        let headers = [("x-a", large.as_str()), ("x-b", large.as_str())];
        match call(&client, TRACES, &headers, &[framed(0, b"")]).await {
            Ok(reply) => assert_eq!(reply.status, 431),
            Err(error) => assert!(error.is_reset() || error.is_go_away() || error.is_library(), "{error}"),
        }
        serves_on(receiving.grpc).await;
    });
    receiving.arrived(1);
    receiving.finish();
}
