use super::*;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::{ScopeSpans, Span};
use prost::Message;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

fn written(exchange: &Exchange<'_>) -> Span {
    let start = SpanStart {
        trace_id: [1; 16],
        span_id: [2; 8],
        parent_span_id: None,
        flags: 0,
        kind: SpanKind::Internal,
        start_unix_nano: 1,
        end_unix_nano: 2,
    };
    let mut group = Vec::new();
    HttpSpans::default().write(&start, exchange, &mut group);
    ScopeSpans::decode(&group[..]).unwrap().spans.remove(0)
}

/// The span's name, kind, status and attributes as lines, which is how the expectations below are written.
fn shown(span: &Span) -> String {
    let status = span.status.as_ref().map_or(0, |status| status.code);
    let mut lines = vec![format!("{} kind={} status={status}", span.name, span.kind)];
    let attributes: BTreeMap<&str, String> = span
        .attributes
        .iter()
        .map(|attribute| {
            let value = match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
                Some(Value::StringValue(text)) => text.clone(),
                Some(Value::IntValue(number)) => format!("{number}i"),
                other => format!("{other:?}"),
            };
            (attribute.key.as_str(), value)
        })
        .collect();
    assert_eq!(
        attributes.len(),
        span.attributes.len(),
        "an attribute is twice: {span:?}"
    );
    lines.extend(attributes.into_iter().map(|(key, value)| format!("{key}={value}")));
    lines.join("\n")
}

fn check(exchange: &Exchange<'_>, expected: &[&str]) {
    let found = shown(&written(exchange));
    assert_eq!(found, expected.join("\n"), "found:\n{found}");
}

fn endpoint(last: u8, port: u16) -> Option<(IpAddr, u16)> {
    Some((Ipv4Addr::new(192, 0, 2, last).into(), port))
}

fn server() -> Exchange<'static> {
    Exchange {
        method: b"GET",
        target: b"/orders/7?full=1&sig=abc",
        host: b"shop.example:8080",
        local: endpoint(1, 8080),
        peer: endpoint(9, 40000),
        user_agent: b"curl/8",
        version: Some((1, 1)),
        status: Some(200),
        request_body: Some(3),
        response_body: Some(5),
        ..Exchange::default()
    }
}

#[test]
fn a_server_span_has_all_that_is_known() {
    check(
        &server(),
        &[
            "GET kind=2 status=0",
            "client.address=192.0.2.9",
            "http.request.body.size=3i",
            "http.request.method=GET",
            "http.response.body.size=5i",
            "http.response.status_code=200i",
            "network.peer.address=192.0.2.9",
            "network.peer.port=40000i",
            "network.protocol.version=1.1",
            "server.address=shop.example",
            "server.port=8080i",
            "url.path=/orders/7",
            "url.query=full=1&sig=REDACTED",
            "url.scheme=http",
            "user_agent.original=curl/8",
        ],
    );
}

#[test]
fn a_route_is_in_the_name_and_a_proxy_names_the_client() {
    let exchange = Exchange {
        route: b"/orders/{id}",
        forwarded_for: b"203.0.113.9, 10.0.0.1",
        host: b"",
        target: b"/orders/7",
        ..server()
    };
    let span = written(&exchange);
    let text = shown(&span);
    assert_eq!(span.name, "GET /orders/{id}");
    for line in [
        "http.route=/orders/{id}",
        "client.address=203.0.113.9",
        "network.peer.address=192.0.2.9",
        "server.address=192.0.2.1",
        "server.port=8080i",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}

#[test]
fn a_client_span_has_the_url_without_secrets() {
    check(
        &Exchange {
            is_client: true,
            method: b"GET",
            target: b"http://user:pass@api.example/a?X-Amz-Signature=x#f",
            host: b"other.example",
            route: b"/ignored",
            peer: endpoint(5, 3128),
            status: Some(404),
            version: Some((2, 0)),
            ..Exchange::default()
        },
        &[
            "GET kind=3 status=2",
            "error.type=404",
            "http.request.method=GET",
            "http.response.status_code=404i",
            "network.peer.address=192.0.2.5",
            "network.peer.port=3128i",
            "network.protocol.version=2",
            "server.address=api.example",
            "server.port=80i",
            "url.full=http://REDACTED:REDACTED@api.example/a?X-Amz-Signature=REDACTED",
        ],
    );
}

#[test]
fn a_client_without_a_host_names_its_peer() {
    let exchange = Exchange {
        is_client: true,
        method: b"POST",
        target: b"/a",
        scheme: b"https",
        peer: Some(("2001:db8::1".parse().unwrap(), 443)),
        status: Some(201),
        ..Exchange::default()
    };
    let text = shown(&written(&exchange));
    for line in [
        "url.full=https://[2001:db8::1]:443/a",
        "server.address=2001:db8::1",
        "server.port=443i",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}

#[test]
fn special_targets_are_understood() {
    for (method, target, expected) in [
        ("OPTIONS", "*", "url.path=*"),
        ("GET", "http://h.example:81/p?q", "server.port=81i"),
        ("GET", "http://h.example:81/p?q", "url.query=q"),
        ("CONNECT", "h.example:443", "server.port=443i"),
    ] {
        let exchange = Exchange {
            method: method.as_bytes(),
            target: target.as_bytes(),
            ..server()
        };
        let text = shown(&written(&exchange));
        assert!(
            text.lines().any(|line| line == expected),
            "{method} {target}: {expected} is not in\n{text}"
        );
    }
}

#[test]
fn unknown_methods_do_not_make_names() {
    for method in ["BREW", "get", "\u{1b}[2J"] {
        let exchange = Exchange {
            method: method.as_bytes(),
            route: b"/r",
            ..server()
        };
        let span = written(&exchange);
        let text = shown(&span);
        assert_eq!(span.name, "HTTP /r");
        assert!(text.contains("http.request.method=_OTHER\n"), "{text}");
        assert!(
            text.contains(&format!("http.request.method_original={method}\n")),
            "{text}"
        );
    }
    let unknown = written(&Exchange {
        method: b"",
        ..server()
    });
    assert_eq!(unknown.name, "HTTP");
    assert!(!shown(&unknown).contains("method_original"));
}

#[test]
fn the_status_follows_the_side_and_the_outcome() {
    for (is_client, status, incomplete, code, error) in [
        (false, Some(200), false, 0, None),
        (false, Some(404), false, 0, None),
        (false, Some(500), false, 2, Some("500")),
        (false, Some(503), true, 2, Some("503")),
        (true, Some(399), false, 0, None),
        (true, Some(400), false, 2, Some("400")),
        (true, Some(502), false, 2, Some("502")),
        (true, None, true, 2, Some(NO_RESPONSE)),
        (false, None, false, 2, Some(NO_RESPONSE)),
        (false, Some(200), true, 2, Some(INCOMPLETE_RESPONSE)),
    ] {
        let exchange = Exchange {
            is_client,
            status,
            incomplete,
            ..server()
        };
        let span = written(&exchange);
        let found = shown(&span);
        let case = format!("client {is_client}, status {status:?}, incomplete {incomplete}: {found}");
        assert_eq!(span.status.as_ref().map_or(0, |status| status.code), code, "{case}");
        let error_type = found.lines().find_map(|line| line.strip_prefix("error.type="));
        assert_eq!(error_type, error, "{case}");
    }
}
