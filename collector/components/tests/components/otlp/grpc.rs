use super::raw::{LOGS, METRICS, TRACES, call, connect, export, framed};
use super::{Receiving, Setup, block_on};
use crate::otlp_must::{logs, metrics, traces};
use bytes::Bytes;
use collector_pdata::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message;
use std::time::{Duration, Instant};
use tonic::Code;

#[test]
fn a_tonic_client_sends_all_three_signals() {
    let receiving = Receiving::start();
    let url = format!("http://{}", receiving.grpc);
    block_on(async {
        let mut client = TraceServiceClient::connect(url.clone()).await.unwrap();
        let reply = client.export(traces(3)).await.unwrap().into_inner();
        assert_eq!(reply.partial_success, None);
        MetricsServiceClient::connect(url.clone())
            .await
            .unwrap()
            .export(metrics(4))
            .await
            .unwrap();
        LogsServiceClient::connect(url.clone())
            .await
            .unwrap()
            .export(logs(5))
            .await
            .unwrap();
    });
    let arrived = receiving.arrived(12);
    let expected = [
        (Signal::Traces, traces(3).encode_to_vec(), 3),
        (Signal::Metrics, metrics(4).encode_to_vec(), 4),
        (Signal::Logs, logs(5).encode_to_vec(), 5),
    ];
    for (signal, bytes, items) in expected {
        assert!(arrived.contains(&(signal, bytes.into(), items)), "{signal:?}");
    }
    let account = receiving.finish();
    assert_eq!(account.receivers[0].received, 12);
    let by_signal: Vec<u64> = account.receivers[0]
        .signals
        .iter()
        .map(|signal| signal.received)
        .collect();
    assert_eq!(by_signal, [3, 4, 5]);
}

#[test]
fn a_message_may_come_in_any_pieces() {
    let receiving = Receiving::start();
    let whole = framed(0, &traces(500).encode_to_vec());
    block_on(async {
        for size in [1000, 16_384, 16_389, whole.len()] {
            let frames: Vec<Bytes> = whole.chunks(size).map(Bytes::copy_from_slice).collect();
            assert_eq!(export(receiving.grpc, TRACES, &[], &frames).await.code(), 0, "{size}");
        }
        let torn = [
            whole.slice(..2),
            Bytes::new(),
            whole.slice(2..5),
            whole.slice(5..),
            Bytes::new(),
        ];
        assert_eq!(export(receiving.grpc, TRACES, &[], &torn).await.code(), 0);
    });
    for (_, bytes, items) in receiving.arrived(2500) {
        assert_eq!((&bytes[..], items), (&whole[5..], 500));
    }
    receiving.finish();
}

/// Path, headers and frames; the code, and what its message must hold.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], Vec<Bytes>, Code, &'a str);

#[test]
fn a_call_that_is_not_as_it_should_be_is_answered_with_the_code_for_it() {
    let receiving = Setup {
        signals: &["traces"],
        ..Setup::default()
    }
    .start();
    let one = framed(0, &traces(1).encode_to_vec());
    let two: Bytes = [&one[..], &one[..]].concat().into();
    let cut = one.slice(..one.len() - 1);
    let brotli = [("grpc-encoding", "br")];
    use Code::{Internal, InvalidArgument, Unimplemented};
    let cases: [Case<'_>; 12] = [
        (
            "/a.B/Export",
            &[],
            vec![one.clone()],
            Unimplemented,
            "nothing at /a.B/Export",
        ),
        (LOGS, &[], vec![one.clone()], Unimplemented, "no pipeline takes logs"),
        (
            METRICS,
            &[],
            vec![one.clone()],
            Unimplemented,
            "no pipeline takes metrics",
        ),
        (TRACES, &[], vec![], Unimplemented, "this one has none"),
        (TRACES, &[], vec![two], Unimplemented, "this one has more"),
        (TRACES, &[], vec![one.clone(), one.clone()], Unimplemented, "has more"),
        (TRACES, &[], vec![cut], Internal, "cut short"),
        (TRACES, &[], vec![one.slice(..3)], Internal, "cut short"),
        (TRACES, &[], vec![framed(2, b"")], Internal, "neither 0 nor 1"),
        (TRACES, &[], vec![framed(1, b"")], Internal, "names no encoding"),
        (
            TRACES,
            &brotli,
            vec![framed(1, b"")],
            Unimplemented,
            "\"br\" is not known",
        ),
        (TRACES, &[], vec![framed(0, b"\x0a\xff")], InvalidArgument, "malformed"),
    ];
    block_on(async {
        for (path, headers, frames, code, message) in cases {
            let reply = export(receiving.grpc, path, headers, &frames).await;
            assert_eq!(Code::from(reply.code() as i32), code, "{message}: {reply:?}");
            assert!(reply.text("grpc-message").contains(message), "{message}: {reply:?}");
            assert!(reply.trailers_only, "{reply:?}");
            assert_eq!(reply.text("grpc-accept-encoding"), "identity,gzip,zstd");
        }
        let reply = export(
            receiving.grpc,
            TRACES,
            &[("content-type", "text/html")],
            std::slice::from_ref(&one),
        )
        .await;
        assert_eq!(reply.status, 415);
    });
    let account = receiving.finish();
    assert_eq!(
        (account.receivers[0].received, account.receivers[0].malformed_requests),
        (0, 8)
    );
}

#[test]
fn an_empty_request_succeeds_and_goes_nowhere() {
    let receiving = Receiving::start();
    block_on(async {
        for path in [TRACES, METRICS, LOGS] {
            assert_eq!(export(receiving.grpc, path, &[], &[framed(0, b"")]).await.code(), 0);
        }
        assert_eq!(
            export(receiving.grpc, TRACES, &[], &[framed(0, b"\x0a\x00")])
                .await
                .code(),
            0
        );
    });
    let account = receiving.finish();
    assert_eq!(
        (account.receivers[0].received, account.receivers[0].malformed_requests),
        (0, 0)
    );
}

#[test]
fn a_sender_with_a_deadline_is_told_when_its_message_is_not_there_by_then() {
    let receiving = Receiving::start();
    block_on(async {
        let client = connect(receiving.grpc).await;
        let mut ready = client.clone().ready().await.unwrap();
        let request = http::Request::post(format!("http://test{TRACES}"))
            .header("content-type", "application/grpc")
            .header("grpc-timeout", "50m");
        let (response, mut stream) = ready.send_request(request.body(()).unwrap(), false).unwrap();
        stream.send_data(Bytes::from_static(&[0, 0, 0]), false).unwrap();
        let head = response.await.unwrap().into_parts().0;
        assert_eq!(head.headers["grpc-status"], "4");
        // The connection serves on.
        let message = framed(0, &traces(1).encode_to_vec());
        assert_eq!(call(&client, TRACES, &[], &[message]).await.unwrap().code(), 0);
    });
    receiving.arrived(1);
    receiving.finish();
}

#[test]
fn the_drain_lets_calls_under_way_finish_and_takes_no_new_connection() {
    let receiving = Receiving::start();
    let message = framed(0, &traces(1).encode_to_vec());
    block_on(async {
        let mut client = connect(receiving.grpc).await.ready().await.unwrap();
        let request = http::Request::post(format!("http://test{TRACES}")).header("content-type", "application/grpc");
        let (response, mut stream) = client.send_request(request.body(()).unwrap(), false).unwrap();
        stream.send_data(message.slice(..7), false).unwrap();
        // An answered call says that the server has seen the one before.
        assert_eq!(call(&client, TRACES, &[], &[framed(0, b"")]).await.unwrap().code(), 0);
        receiving.engine().handle().drain(Duration::from_secs(20));
        let deadline = Instant::now() + Duration::from_secs(10);
        while tokio::net::TcpStream::connect(receiving.grpc).await.is_ok() {
            assert!(Instant::now() < deadline, "it still takes connections");
        }
        stream.send_data(message.slice(7..), true).unwrap();
        let mut body = response.await.unwrap().into_body();
        while let Some(piece) = body.data().await {
            piece.unwrap();
        }
        let trailers = body.trailers().await.unwrap().unwrap();
        assert!(
            ["0", "14"].contains(&trailers["grpc-status"].to_str().unwrap()),
            "{trailers:?}"
        );
    });
    receiving.finish();
}

#[test]
fn keepalive_ends_idle_and_aged_connections_and_those_that_do_not_answer() {
    for parameters in ["max_connection_idle: 50ms", "max_connection_age: 50ms"] {
        let keepalive = format!("keepalive: {{server_parameters: {{{parameters}}}}}");
        let receiving = Setup {
            grpc: &keepalive,
            ..Setup::default()
        }
        .start();
        block_on(async {
            let stream = tokio::net::TcpStream::connect(receiving.grpc).await.unwrap();
            let (_client, connection) = h2::client::handshake(stream).await.unwrap();
            // Ends when the server has said GOAWAY and closed.
            connection.await.unwrap();
        });
        receiving.finish();
    }
    let receiving = Setup {
        grpc: "keepalive: {server_parameters: {time: 30ms, timeout: 30ms}}",
        ..Setup::default()
    }
    .start();
    block_on(async {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut silent = tokio::net::TcpStream::connect(receiving.grpc).await.unwrap();
        silent
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
            .await
            .unwrap();
        let mut said = Vec::new();
        silent.read_to_end(&mut said).await.unwrap();
        assert!(
            said.windows(4).any(|frame| frame == [8, 6, 0, 0]),
            "no PING in {said:?}"
        );
    });
    receiving.finish();
}

#[test]
fn unix_sockets_serve_as_addresses_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("otlp.sock");
    let text = format!(
        "{{receivers: {{otlp: {{protocols: {{grpc: {{endpoint: 'unix://{}'}}}}}}}}, exporters: {{nop: }}, \
         service: {{telemetry: {{metrics: {{level: none}}}}, \
         pipelines: {{traces: {{receivers: [otlp], exporters: [nop]}}}}}}}}",
        path.display()
    );
    let root = collector_config::Node::parse(&text, "").unwrap();
    let components = &collector_components::COMPONENTS;
    let plan = collector_engine::Plan::new(&root, components, collector_engine::Descriptors::new()).unwrap();
    let engine = plan.start(2).unwrap();
    block_on(async {
        let stream = tokio::net::UnixStream::connect(&path).await.unwrap();
        let (client, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let message = framed(0, &traces(7).encode_to_vec());
        assert_eq!(call(&client, TRACES, &[], &[message]).await.unwrap().code(), 0);
    });
    engine.handle().drain(Duration::from_secs(5));
    let (account, result) = engine.wait();
    result.unwrap();
    assert_eq!(account.receivers[0].received, 7);
    assert!(!path.exists());
}
