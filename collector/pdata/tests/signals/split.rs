use crate::disorder::disorder;
use crate::generate::{Request, points, request};
use collector_pdata::encode::put_resource_spans;
use collector_pdata::{Payload, Signal, count, split};
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric::Data};
use proptest::prelude::*;

/// Each item of a request with all that it is in, in order.
fn items(request: &Request) -> Vec<String> {
    let mut items = Vec::new();
    match request {
        Request::Traces(request) => {
            for resource in &request.resource_spans {
                for scope in &resource.scope_spans {
                    let of = (
                        &resource.resource,
                        &resource.schema_url,
                        &scope.scope,
                        &scope.schema_url,
                    );
                    items.extend(scope.spans.iter().map(|span| format!("{of:?} {span:?}")));
                }
            }
        }
        Request::Logs(request) => {
            for resource in &request.resource_logs {
                for scope in &resource.scope_logs {
                    let of = (
                        &resource.resource,
                        &resource.schema_url,
                        &scope.scope,
                        &scope.schema_url,
                    );
                    items.extend(scope.log_records.iter().map(|record| format!("{of:?} {record:?}")));
                }
            }
        }
        Request::Metrics(request) => {
            for resource in &request.resource_metrics {
                for scope in &resource.scope_metrics {
                    let of = (
                        &resource.resource,
                        &resource.schema_url,
                        &scope.scope,
                        &scope.schema_url,
                    );
                    let points = scope.metrics.iter().flat_map(one_by_one);
                    items.extend(points.map(|point| format!("{of:?} {point:?}")));
                }
            }
        }
    }
    items
}

/// The metric once for each of its points.
fn one_by_one(metric: &Metric) -> Vec<Metric> {
    (0..points(metric))
        .map(|index| {
            let mut metric = metric.clone();
            match metric.data.as_mut().unwrap() {
                Data::Gauge(data) => data.data_points = vec![data.data_points[index].clone()],
                Data::Sum(data) => data.data_points = vec![data.data_points[index].clone()],
                Data::Histogram(data) => data.data_points = vec![data.data_points[index].clone()],
                Data::ExponentialHistogram(data) => data.data_points = vec![data.data_points[index].clone()],
                Data::Summary(data) => data.data_points = vec![data.data_points[index].clone()],
            }
            metric
        })
        .collect()
}

proptest! {
    #[test]
    fn parts_hold_the_same_items_in_order_and_keep_the_limits(
        request in request(), disordered in any::<bool>(), max_items in 1usize..6,
        max_bytes in prop_oneof![Just(usize::MAX), 20usize..2000], pieces in 1usize..4,
    ) {
        let bytes = if disordered { disorder(&request) } else { request.encode() };
        let mut whole = Payload::empty(request.signal());
        for _ in 0..pieces {
            whole.append(Payload::new(request.signal(), bytes.clone().into(), request.items()));
        }
        let total = whole.items();
        let parts = split::parts(whole, max_items, max_bytes).unwrap();
        let mut found = Vec::new();
        for part in &parts {
            let joined: Vec<u8> = part.chunks().iter().flat_map(|chunk| chunk.to_vec()).collect();
            prop_assert_eq!(count(request.signal(), &joined), Ok(part.items()));
            prop_assert_eq!(joined.len(), part.bytes());
            prop_assert!(part.items() <= max_items);
            prop_assert!(part.items() > 0 || total == 0);
            prop_assert!(part.bytes() <= max_bytes || part.items() <= 1);
            found.extend(items(&Request::decode(request.signal(), &joined)));
        }
        let mut expected = Vec::new();
        (0..pieces).for_each(|_| expected.extend(items(&request)));
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn damaged_bytes_are_an_error_or_parts(
        request in request(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()
    ) {
        let mut bytes = request.encode();
        if !bytes.is_empty() {
            let index = at.index(bytes.len());
            bytes[index] = byte;
            bytes.truncate(cut.index(bytes.len()) + 1);
        }
        let length = bytes.len();
        let payload = Payload::new(request.signal(), bytes.into(), 9);
        if let Ok(parts) = split::parts(payload, 2, length / 2) {
            prop_assert!(parts.iter().all(|part| part.items() <= 2));
        }
    }
}

#[test]
fn cutting_a_large_resource_with_tiny_items_takes_no_memory_without_bound() {
    const SPANS: usize = 50_000;
    let resource = [&[0x12, 0x80, 0x80, 0x40][..], &vec![0; 1 << 20]].concat();
    let spans = [0x12, 0].repeat(SPANS);
    let mut request = Vec::new();
    put_resource_spans(&mut request, &resource, &[], &spans);
    let length = request.len();
    for (max_items, max_bytes) in [(usize::MAX, 1 << 20), (10, usize::MAX)] {
        let payload = Payload::new(Signal::Traces, request.clone().into(), SPANS);
        let parts = split::parts(payload, max_items, max_bytes).unwrap();
        let taken: usize = parts.iter().map(Payload::bytes).sum();
        assert!(
            parts.len() > 50 && taken < (64 << 20) + 10 * length,
            "{} parts, {taken} bytes",
            parts.len()
        );
        assert_eq!(parts.iter().map(Payload::items).sum::<usize>(), SPANS);
    }
}
