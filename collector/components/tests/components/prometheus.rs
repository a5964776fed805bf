//! The page of the `prometheus` exporter, fetched from a running engine.

use crate::feed::{finish, start_text, wait_for};
use crate::otlp::raw::{Reply, request};
use crate::otlp::{block_on, free_port};
use http::Method;
use std::net::{SocketAddr, TcpStream};

fn fetch(address: SocketAddr, method: Method, path: &str) -> Reply {
    block_on(request(address, method, path, &[], Vec::new()))
}

#[test]
fn what_came_in_stands_on_the_page_until_the_collector_ends() {
    let address = free_port();
    let engine = start_text(&format!(
        "
receivers: {{feed: {{payloads: 3, spans: 1, signal: metrics}}}}
exporters: {{prometheus: {{endpoint: '{address}', namespace: shop, const_labels: {{region: eu}}}}}}
service: {{pipelines: {{metrics: {{receivers: [feed], exporters: [prometheus]}}}}}}
"
    ));
    wait_for(&engine, "all is taken", |prometheus| prometheus.exported == 3);
    let page = fetch(address, Method::GET, "/metrics");
    assert_eq!(page.status, 200);
    assert_eq!(page.text("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let text = String::from_utf8(page.body).unwrap();
    let scope = "otel_scope_name=\"\",otel_scope_schema_url=\"\",otel_scope_version=\"\"";
    let expected = format!("# HELP shop_stock \n# TYPE shop_stock gauge\nshop_stock{{{scope},region=\"eu\"}} 7\n");
    assert_eq!(text, expected);
    let head = fetch(address, Method::HEAD, "/metrics");
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    assert_eq!(head.text("content-length"), expected.len().to_string());
    assert_eq!(fetch(address, Method::GET, "/").status, 404);
    let post = fetch(address, Method::POST, "/metrics");
    assert_eq!((post.status.as_u16(), post.text("allow")), (405, "GET, HEAD"));
    assert!(finish(engine).dropped.is_empty());
    assert!(TcpStream::connect(address).is_err(), "the page goes with the exporter");
}
