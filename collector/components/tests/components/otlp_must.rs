//! What OTLP demands of a receiver, one test a sentence.

use crate::otlp::raw::{TRACES, export, framed};
use crate::otlp::{Receiving, Setup, block_on, post};
use bytes::Bytes;
use collector_pdata::Signal;
use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use std::io::Write;

pub fn traces(spans: u64) -> ExportTraceServiceRequest {
    let span = |id: u64| Span {
        trace_id: vec![7; 16],
        span_id: id.to_be_bytes().to_vec(),
        name: "GET /a".to_owned(),
        start_time_unix_nano: 1,
        attributes: vec![attribute("http.route", "/a")],
        ..Span::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans: vec![ScopeSpans {
                spans: (1..=spans).map(span).collect(),
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
}

pub fn metrics(points: u64) -> ExportMetricsServiceRequest {
    let gauge = Gauge {
        data_points: (0..points)
            .map(|time| NumberDataPoint {
                time_unix_nano: time,
                ..NumberDataPoint::default()
            })
            .collect(),
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            scope_metrics: vec![ScopeMetrics {
                metrics: vec![Metric {
                    name: "requests".to_owned(),
                    data: Some(Data::Gauge(gauge)),
                    ..Metric::default()
                }],
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        }],
    }
}

pub fn logs(records: u64) -> ExportLogsServiceRequest {
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            scope_logs: vec![ScopeLogs {
                log_records: vec![LogRecord::default(); records as usize],
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        }],
    }
}

fn attribute(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            value: Some(Value::StringValue(value.to_owned())),
        }),
    }
}

pub fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

pub const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
pub const JSON: (&str, &str) = ("content-type", "application/json");

#[test]
fn grpc_is_accepted_uncompressed_gzip_and_zstd() {
    let receiving = Receiving::start();
    let message = traces(2).encode_to_vec();
    let zstd = zstd::bulk::compress(&message, 1).unwrap();
    block_on(async {
        for (encoding, flag, body) in [
            ("identity", 0, message.clone()),
            ("gzip", 1, gzip(&message)),
            ("gzip", 0, message.clone()),
            ("zstd", 1, zstd),
        ] {
            let reply = export(
                receiving.grpc,
                TRACES,
                &[("grpc-encoding", encoding)],
                &[framed(flag, &body)],
            )
            .await;
            assert_eq!(reply.code(), 0, "{encoding}: {reply:?}");
            assert_eq!(reply.body, [0; 5]);
        }
    });
    for arrived in receiving.arrived(8) {
        assert_eq!(arrived, (Signal::Traces, message.clone().into(), 2));
    }
    receiving.finish();
}

#[test]
fn http_with_protobuf_is_accepted_uncompressed_gzip_zstd_and_deflate() {
    let receiving = Receiving::start();
    let message = traces(2).encode_to_vec();
    let mut deflate = flate2::write::ZlibEncoder::new(Vec::new(), Compression::fast());
    deflate.write_all(&message).unwrap();
    block_on(async {
        for (encoding, body) in [
            ("identity", message.clone()),
            ("gzip", gzip(&message)),
            ("zstd", zstd::bulk::compress(&message, 1).unwrap()),
            ("deflate", deflate.finish().unwrap()),
        ] {
            let headers = [PROTOBUF, ("content-encoding", encoding)];
            let reply = post(receiving.http, "/v1/traces", &headers, body).await;
            assert_eq!(reply.status, 200, "{encoding}: {reply:?}");
        }
    });
    for arrived in receiving.arrived(8) {
        assert_eq!(arrived, (Signal::Traces, message.clone().into(), 2));
    }
    receiving.finish();
}

#[test]
fn http_with_json_is_accepted() {
    let receiving = Receiving::start();
    let body = serde_json::to_vec(&traces(2)).unwrap();
    block_on(async {
        let reply = post(
            receiving.http,
            "/v1/traces",
            &[JSON, ("content-encoding", "gzip")],
            gzip(&body),
        )
        .await;
        assert_eq!((reply.status.as_u16(), &reply.body[..]), (200, &b"{}"[..]));
        assert_eq!(post(receiving.http, "/v1/traces", &[JSON], body).await.status, 200);
    });
    for (_, bytes, _) in receiving.arrived(4) {
        assert_eq!(ExportTraceServiceRequest::decode(bytes).unwrap(), traces(2));
    }
    receiving.finish();
}

#[test]
fn a_size_limit_holds_after_decompression_with_413_and_with_resource_exhausted_without_retry_info() {
    let receiving = Setup {
        grpc: "max_recv_msg_size_mib: 1",
        http: "max_request_body_size: 1048576",
        ..Setup::default()
    }
    .start();
    let large = vec![0; (1 << 20) + 1];
    let zstd = zstd::bulk::compress(&large, 1).unwrap();
    block_on(async {
        for (encoding, flag, body) in [("identity", 0, &large), ("gzip", 1, &gzip(&large)), ("zstd", 1, &zstd)] {
            let frames: Vec<Bytes> = framed(flag, body).chunks(16_384).map(Bytes::copy_from_slice).collect();
            let reply = export(receiving.grpc, TRACES, &[("grpc-encoding", encoding)], &frames).await;
            assert_eq!(reply.code(), 8, "{encoding}: {reply:?}");
            assert_eq!(reply.text("grpc-status-details-bin"), "");
            let headers = [PROTOBUF, ("content-encoding", encoding)];
            let reply = post(receiving.http, "/v1/traces", &headers, body.clone()).await;
            assert_eq!(reply.status, 413, "{encoding}: {reply:?}");
        }
    });
    assert_eq!(receiving.finish().receivers[0].malformed_requests, 6);
}

#[test]
fn the_content_type_of_the_reply_is_that_of_the_request_and_an_error_is_a_status() {
    let receiving = Receiving::start();
    block_on(async {
        let reply = post(receiving.http, "/v1/traces", &[PROTOBUF], traces(1).encode_to_vec()).await;
        assert_eq!(reply.text("content-type"), "application/x-protobuf");
        let reply = post(receiving.http, "/v1/traces", &[JSON], b"{}".to_vec()).await;
        assert_eq!(reply.text("content-type"), "application/json");
        let reply = post(receiving.http, "/v1/traces", &[PROTOBUF], vec![0x0a]).await;
        assert_eq!(
            (reply.status.as_u16(), reply.text("content-type")),
            (400, "application/x-protobuf")
        );
        let status = tonic_types_status(&reply.body);
        assert_eq!(status.0, 3);
        assert!(status.1.contains("malformed"), "{status:?}");
        let reply = post(receiving.http, "/v1/traces", &[JSON], b"{".to_vec()).await;
        assert_eq!(
            (reply.status.as_u16(), reply.text("content-type")),
            (400, "application/json")
        );
        let status: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(status["code"], 3, "{status}");
    });
    receiving.arrived(1);
    receiving.finish();
}

/// Code, message and type of the first detail of an encoded `google.rpc.Status`.
pub fn tonic_types_status(encoded: &[u8]) -> (i32, String, String) {
    #[derive(Clone, PartialEq, prost::Message)]
    struct Any {
        #[prost(string, tag = "1")]
        type_url: String,
        #[prost(bytes, tag = "2")]
        value: Vec<u8>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    struct Status {
        #[prost(int32, tag = "1")]
        code: i32,
        #[prost(string, tag = "2")]
        message: String,
        #[prost(message, repeated, tag = "3")]
        details: Vec<Any>,
    }
    let status = Status::decode(encoded).unwrap();
    let detail = status.details.first().map(|any| any.type_url.clone());
    (status.code, status.message, detail.unwrap_or_default())
}

#[test]
fn a_full_queue_refuses_with_the_status_that_otlp_defines() {
    let receiving = Setup {
        closed: true,
        ..Setup::default()
    }
    .start();
    let message = traces(20_000).encode_to_vec();
    block_on(async {
        let headers = [PROTOBUF];
        let mut refused = None;
        for _ in 0..20 {
            let reply = post(receiving.http, "/v1/traces", &headers, message.clone()).await;
            if reply.status != 200 {
                refused = Some(reply);
                break;
            }
        }
        let reply = refused.expect("never refused");
        assert_eq!((reply.status.as_u16(), reply.text("retry-after")), (503, "1"));
        assert_eq!(tonic_types_status(&reply.body).0, 14);
        let frames: Vec<Bytes> = framed(0, &message).chunks(16_384).map(Bytes::copy_from_slice).collect();
        let reply = export(receiving.grpc, TRACES, &[], &frames).await;
        assert_eq!(reply.code(), 14, "{reply:?}");
        use base64::Engine;
        let details = base64::engine::general_purpose::STANDARD_NO_PAD.decode(reply.text("grpc-status-details-bin"));
        let status = tonic_types_status(&details.unwrap());
        assert_eq!(status.2, "type.googleapis.com/google.rpc.RetryInfo");
    });
    assert_eq!(receiving.account().refused, 40_000);
    receiving.finish();
}

#[test]
fn in_json_ids_are_hex_in_either_case_enums_are_integers_and_64_bit_numbers_are_text_or_not() {
    let receiving = Receiving::start();
    let body = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[
        {"traceId":"0AF7651916CD43DD8448EB211C80319C","spanId":"b7ad6b7169203331","kind":2,"name":"a",
         "startTimeUnixNano":"1700000000000000000","endTimeUnixNano":1700000000000000001}]}]}]}"#;
    block_on(async {
        assert_eq!(
            post(receiving.http, "/v1/traces", &[JSON], body.into()).await.status,
            200
        );
    });
    let arrived = receiving.arrived(1);
    let request = ExportTraceServiceRequest::decode(arrived[0].1.clone()).unwrap();
    let span = &request.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!((span.trace_id[0], span.span_id[7], span.kind), (0x0a, 0x31, 2));
    assert_eq!(
        (span.start_time_unix_nano, span.end_time_unix_nano),
        (1_700_000_000_000_000_000, 1_700_000_000_000_000_001)
    );
    receiving.finish();
}

#[test]
fn in_json_unknown_fields_are_ignored() {
    let receiving = Receiving::start();
    let body = r#"{"resourceSpans":[{"new":{"a":[1,{"b":null}]},"scopeSpans":[{"spans":[{"name":"a","newer":1}]}]}]}"#;
    block_on(async {
        assert_eq!(
            post(receiving.http, "/v1/traces", &[JSON], body.into()).await.status,
            200
        );
    });
    receiving.arrived(1);
    receiving.finish();
}

#[test]
fn the_order_of_fields_means_nothing() {
    let receiving = Receiving::start();
    // Upstream's encoder writes descending numbers: schema_url, spans, scope.
    let span = [&b"\x2a\x01n\x12\x08"[..], &[1; 8], b"\x0a\x10", &[2; 16]].concat();
    let field = |number: u8, bytes: &[u8]| [&[number << 3 | 2, bytes.len() as u8][..], bytes].concat();
    let scope = [field(3, b"schema"), field(2, &span), field(1, &field(1, b"scope"))].concat();
    let resource = [field(3, b"schema"), field(2, &scope), field(1, b"")].concat();
    block_on(async {
        let reply = export(receiving.grpc, TRACES, &[], &[framed(0, &field(1, &resource))]).await;
        assert_eq!(reply.code(), 0, "{reply:?}");
    });
    receiving.arrived(1);
    receiving.finish();
}
