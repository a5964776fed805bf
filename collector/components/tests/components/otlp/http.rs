use super::raw::{post, request};
use super::{Receiving, Setup, block_on};
use crate::otlp_must::{JSON, PROTOBUF, logs, metrics, traces};
use bytes::Bytes;
use collector_pdata::Signal;
use http::Method;
use http_body_util::{BodyExt, Full};
use prost::Message;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[test]
fn each_signal_has_its_path() {
    let receiving = Setup {
        http: "traces_url_path: /in/t",
        ..Setup::default()
    }
    .start();
    block_on(async {
        for (path, body) in [
            ("/in/t", traces(1).encode_to_vec()),
            ("/v1/metrics", metrics(2).encode_to_vec()),
            ("/v1/logs", logs(3).encode_to_vec()),
        ] {
            assert_eq!(
                post(receiving.http, path, &[PROTOBUF], body).await.status,
                200,
                "{path}"
            );
        }
    });
    let mut items: Vec<(Signal, usize)> = receiving
        .arrived(6)
        .into_iter()
        .map(|(signal, _, items)| (signal, items))
        .collect();
    items.sort_by_key(|(_, items)| *items);
    assert_eq!(items, [(Signal::Traces, 1), (Signal::Metrics, 2), (Signal::Logs, 3)]);
    receiving.finish();
}

/// Method, path, headers and body; the status.
type Case<'a> = (Method, &'a str, &'a [(&'a str, &'a str)], &'a [u8], u16);

#[test]
fn a_request_that_is_not_as_it_should_be_is_answered_with_the_status_for_it() {
    let receiving = Setup {
        signals: &["traces"],
        http: "compression_algorithms: [gzip], response_headers: {x-served-by: us}",
        ..Setup::default()
    }
    .start();
    let cases: [Case<'_>; 11] = [
        (Method::POST, "/v1/trace", &[PROTOBUF], b"", 404),
        (Method::POST, "/v1/logs", &[PROTOBUF], b"", 404),
        (Method::GET, "/v1/traces", &[], b"", 405),
        (Method::PUT, "/v1/traces", &[PROTOBUF], b"", 405),
        (Method::POST, "/v1/traces", &[], b"", 415),
        (Method::POST, "/v1/traces", &[("content-type", "text/plain")], b"", 415),
        (
            Method::POST,
            "/v1/traces",
            &[PROTOBUF, ("content-encoding", "br")],
            b"",
            415,
        ),
        (
            Method::POST,
            "/v1/traces",
            &[PROTOBUF, ("content-encoding", "zstd")],
            b"",
            415,
        ),
        (
            Method::POST,
            "/v1/traces",
            &[PROTOBUF, ("content-encoding", "gzip")],
            b"no gzip",
            400,
        ),
        (Method::POST, "/v1/traces", &[JSON], b"[]", 400),
        (
            Method::POST,
            "/v1/traces",
            &[("content-type", "application/json; charset=utf-8")],
            b"{}",
            200,
        ),
    ];
    block_on(async {
        for (method, path, headers, body, status) in cases {
            let reply = request(receiving.http, method.clone(), path, headers, body.to_vec()).await;
            assert_eq!(reply.status, status, "{method} {path} {headers:?}: {reply:?}");
            assert_eq!(reply.text("x-served-by"), "us");
            if status == 405 {
                assert_eq!(reply.text("allow"), "POST");
            }
        }
    });
    assert_eq!(receiving.finish().receivers[0].malformed_requests, 2);
}

#[test]
fn a_page_of_an_allowed_origin_may_ask_and_send() {
    let receiving = Setup {
        http: "cors: {allowed_origins: ['https://*.a.test'], max_age: 60}",
        ..Setup::default()
    }
    .start();
    block_on(async {
        for (origin, allowed) in [("https://www.a.test", "https://www.a.test"), ("https://b.test", "")] {
            let asked = [
                ("origin", origin),
                ("access-control-request-method", "POST"),
                ("access-control-request-headers", "content-type"),
            ];
            let reply = request(receiving.http, Method::OPTIONS, "/v1/traces", &asked, Vec::new()).await;
            assert_eq!(
                (reply.status.as_u16(), reply.text("access-control-allow-origin")),
                (204, allowed)
            );
            let reply = post(
                receiving.http,
                "/v1/traces",
                &[JSON, ("origin", origin)],
                b"{}".to_vec(),
            )
            .await;
            assert_eq!(
                (reply.status.as_u16(), reply.text("access-control-allow-origin")),
                (200, allowed)
            );
        }
    });
    receiving.finish();
}

#[test]
fn http_2_without_tls_is_spoken_too_and_a_body_may_come_in_pieces() {
    let receiving = Receiving::start();
    let body = traces(1000).encode_to_vec();
    block_on(async {
        let stream = hyper_util::rt::TokioIo::new(TcpStream::connect(receiving.http).await.unwrap());
        let executor = hyper_util::rt::TokioExecutor::new();
        let (mut client, connection) = hyper::client::conn::http2::handshake(executor, stream).await.unwrap();
        tokio::spawn(connection);
        for _ in 0..3 {
            let request = http::Request::post(format!("http://{}/v1/traces", receiving.http))
                .header(PROTOBUF.0, PROTOBUF.1)
                .body(Full::new(Bytes::from(body.clone())));
            let response = client.send_request(request.unwrap()).await.unwrap();
            assert_eq!(response.status(), 200);
            assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "");
        }
    });
    for (_, bytes, _) in receiving.arrived(3000) {
        assert_eq!(bytes, body);
    }
    receiving.finish();
}

/// What the server says to this until it closes.
async fn said(receiving: &Receiving, written: &[u8]) -> String {
    let mut stream = TcpStream::connect(receiving.http).await.unwrap();
    stream.write_all(written).await.unwrap();
    let mut said = Vec::new();
    stream.read_to_end(&mut said).await.unwrap();
    String::from_utf8_lossy(&said).into_owned()
}

#[test]
fn a_chunked_body_and_an_expectation_to_continue_are_served() {
    let receiving = Receiving::start();
    let head = "POST /v1/traces HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\nconnection: close\r\n";
    block_on(async {
        let chunked =
            format!("{head}transfer-encoding: chunked\r\nexpect: 100-continue\r\n\r\n1\r\n{{\r\n1\r\n}}\r\n0\r\n\r\n");
        let answer = said(&receiving, chunked.as_bytes()).await;
        assert!(answer.contains("HTTP/1.1 200 OK"), "{answer}");
    });
    receiving.finish();
}

#[test]
fn a_slow_sender_of_a_head_or_of_a_body_is_given_up() {
    let receiving = Setup {
        http: "read_header_timeout: 50ms, idle_timeout: 50ms, read_timeout: 50ms",
        ..Setup::default()
    }
    .start();
    block_on(async {
        said(&receiving, b"P").await;
        said(&receiving, b"POST /v1/traces HTTP/1.1\r\nhost: t\r\nx-slow: ").await;
        let head =
            b"POST /v1/traces HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{";
        let answer = said(&receiving, head).await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    });
    receiving.finish();
}

#[test]
fn more_headers_than_a_request_may_have_are_refused() {
    let receiving = Receiving::start();
    let head = |lines: String| format!("POST /v1/traces HTTP/1.1\r\nhost: t\r\n{lines}\r\n");
    block_on(async {
        for lines in ["x-a: b\r\n".repeat(200), format!("x-a: {}\r\n", "b".repeat(1 << 20))] {
            let mut stream = TcpStream::connect(receiving.http).await.unwrap();
            // The server may close before all is written.
            let _ = stream.write_all(head(lines).as_bytes()).await;
            let mut said = [0; 12];
            match stream.read_exact(&mut said).await {
                Ok(_) => assert_eq!(&said, b"HTTP/1.1 431"),
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
            }
        }
    });
    receiving.finish();
}

#[test]
fn the_drain_closes_idle_connections() {
    let receiving = Receiving::start();
    block_on(async {
        let mut stream = TcpStream::connect(receiving.http).await.unwrap();
        stream
            .write_all(
                b"POST /v1/traces HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
            )
            .await
            .unwrap();
        let mut first = [0; 15];
        stream.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200 OK");
        receiving.engine().handle().drain(Duration::from_secs(20));
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
        assert!(rest.ends_with(b"{}"), "{rest:?}");
    });
    receiving.finish();
}

#[test]
fn a_connection_without_a_limit_on_its_time_is_served() {
    let receiving = Setup {
        http: "idle_timeout: 0s, read_header_timeout: 0s",
        ..Setup::default()
    }
    .start();
    block_on(async {
        let body = traces(1).encode_to_vec();
        assert_eq!(post(receiving.http, "/v1/traces", &[PROTOBUF], body).await.status, 200);
    });
    receiving.arrived(1);
    receiving.finish();
}
