//! Metric families as an encoded `ExportMetricsServiceRequest`.

use super::{Family, Kind};
use collector_pdata::proto::{put_bytes, put_double, put_fixed64, put_varint_field};
use collector_pdata::{Value, attributes};

/// `AggregationTemporality`: the sum since `start`.
const CUMULATIVE: u64 = 2;

/// Encodes all families. `start` and `now` are nanoseconds since the Unix epoch.
pub(super) fn request(families: &[Family], resource: &[(String, String)], start: u64, now: u64) -> Vec<u8> {
    let mut scope_metrics = Vec::new();
    let mut scope = Vec::new();
    put_bytes(&mut scope, 1, b"odigos-collector");
    put_bytes(&mut scope, 2, env!("CARGO_PKG_VERSION").as_bytes());
    put_bytes(&mut scope_metrics, 1, &scope);
    for family in families {
        put_bytes(&mut scope_metrics, 2, &metric(family, start, now));
    }
    let mut resource_message = Vec::new();
    for (key, value) in resource {
        put_attribute(&mut resource_message, 1, key, value);
    }
    let mut resource_metrics = Vec::new();
    put_bytes(&mut resource_metrics, 1, &resource_message);
    put_bytes(&mut resource_metrics, 2, &scope_metrics);
    let mut request = Vec::new();
    put_bytes(&mut request, 1, &resource_metrics);
    request
}

fn metric(family: &Family, start: u64, now: u64) -> Vec<u8> {
    let mut data = Vec::new();
    for point in &family.points {
        let mut message = Vec::new();
        put_fixed64(&mut message, 2, start);
        put_fixed64(&mut message, 3, now);
        put_double(&mut message, 4, point.value);
        for (name, value) in &point.labels {
            put_attribute(&mut message, 7, name, value);
        }
        put_bytes(&mut data, 1, &message);
    }
    let mut metric = Vec::new();
    put_bytes(&mut metric, 1, family.name.as_bytes());
    put_bytes(&mut metric, 2, family.help.as_bytes());
    put_bytes(&mut metric, 3, family.unit.as_bytes());
    match family.kind {
        Kind::Gauge => put_bytes(&mut metric, 5, &data),
        Kind::Counter => {
            put_varint_field(&mut data, 2, CUMULATIVE);
            put_varint_field(&mut data, 3, 1);
            put_bytes(&mut metric, 7, &data);
        }
    }
    metric
}

fn put_attribute(message: &mut Vec<u8>, number: u32, key: &str, value: &str) {
    let mut any_value = Vec::new();
    Value::Text(value.to_owned()).put(&mut any_value);
    attributes::put(message, number, key.as_bytes(), &any_value);
}

#[cfg(test)]
mod tests {
    use super::super::Point;
    use super::*;
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
    use opentelemetry_proto::tonic::metrics::v1::metric::Data;
    use opentelemetry_proto::tonic::metrics::v1::number_data_point;
    use prost::Message;

    fn family(kind: Kind) -> Family {
        Family {
            name: "sent".to_owned(),
            help: "Sent items.",
            kind,
            unit: "1",
            points: vec![Point {
                labels: vec![("exporter", "otlp".to_owned())],
                value: 3.0,
            }],
        }
    }

    #[test]
    fn another_decoder_reads_what_was_encoded() {
        let resource = [("service.name".to_owned(), "shop".to_owned())];
        let bytes = request(&[family(Kind::Counter), family(Kind::Gauge)], &resource, 5, 7);
        let request = ExportMetricsServiceRequest::decode(&bytes[..]).unwrap();
        let resource = &request.resource_metrics[0];
        assert_eq!(resource.resource.as_ref().unwrap().attributes[0].key, "service.name");
        let metrics = &resource.scope_metrics[0].metrics;
        let Some(Data::Sum(sum)) = &metrics[0].data else {
            panic!("{metrics:?}")
        };
        assert!(sum.is_monotonic);
        assert_eq!(sum.aggregation_temporality, 2);
        let point = &sum.data_points[0];
        assert_eq!((point.start_time_unix_nano, point.time_unix_nano), (5, 7));
        assert_eq!(point.value, Some(number_data_point::Value::AsDouble(3.0)));
        assert_eq!(point.attributes[0].key, "exporter");
        assert!(matches!(&metrics[1].data, Some(Data::Gauge(gauge)) if gauge.data_points.len() == 1));
    }
}
