//! Metric families as text, in Prometheus' exposition format 0.0.4.

use super::{Family, Kind};
use crate::exposition::{escaped, label_name};
use collector_config::PrometheusReader;
use std::fmt::Write;

/// The page. Names and labels follow the OpenTelemetry specification's mapping to Prometheus, as far as the reader wants.
pub(super) fn text(families: &[Family], resource: &[(String, String)], reader: &PrometheusReader) -> String {
    let mut out = String::new();
    put_target_info(&mut out, resource);
    for family in families {
        let name = name(family, reader);
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        put(
            &mut out,
            format_args!("# HELP {name} {}\n# TYPE {name} {kind}\n", family.help),
        );
        for point in &family.points {
            let names: Vec<String> = point.labels.iter().map(|(name, _)| label_name(name)).collect();
            let scope = [
                ("otel_scope_name", "odigos-collector"),
                ("otel_scope_version", env!("CARGO_PKG_VERSION")),
            ];
            let scope = scope.into_iter().filter(|_| reader.scope_info);
            let values = point.labels.iter().map(|(_, value)| value.as_str());
            let labels = names.iter().map(String::as_str).zip(values);
            put_sample(&mut out, &name, labels.chain(scope), point.value);
        }
    }
    out
}

fn name(family: &Family, reader: &PrometheusReader) -> String {
    let mut name = family.name.clone();
    let unit = match family.unit {
        "By" => "_bytes",
        "s" => "_seconds",
        _ => "",
    };
    if reader.units && !name.ends_with(unit) {
        name.push_str(unit);
    }
    if reader.type_suffix && family.kind == Kind::Counter {
        name.push_str("_total");
    }
    name
}

fn put_target_info(out: &mut String, resource: &[(String, String)]) {
    out.push_str("# HELP target_info Target metadata\n# TYPE target_info gauge\n");
    let names: Vec<String> = resource.iter().map(|(key, _)| label_name(key)).collect();
    let labels = names
        .iter()
        .zip(resource)
        .map(|(name, (_, value))| (name.as_str(), value.as_str()));
    put_sample(out, "target_info", labels, 1.0);
}

fn put_sample<'l>(out: &mut String, name: &str, labels: impl Iterator<Item = (&'l str, &'l str)>, value: f64) {
    out.push_str(name);
    let mut separator = '{';
    for (label, text) in labels {
        put(out, format_args!("{separator}{label}=\"{}\"", escaped(text)));
        separator = ',';
    }
    if separator == ',' {
        out.push('}');
    }
    put(out, format_args!(" {value}\n"));
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::super::Point;
    use super::*;

    fn reader(on: bool) -> PrometheusReader {
        PrometheusReader {
            host: "localhost".to_owned(),
            port: 8888,
            scope_info: on,
            type_suffix: on,
            units: on,
        }
    }

    fn family() -> Family {
        Family {
            name: "otelcol_process_cpu_seconds".to_owned(),
            help: "Work.",
            kind: Kind::Counter,
            unit: "s",
            points: vec![Point {
                labels: vec![
                    ("exporter", "otlp/\"a\\b\"".to_owned()),
                    ("otel.signal", "logs".to_owned()),
                ],
                value: 1.5,
            }],
        }
    }

    #[test]
    fn samples_have_their_labels_escaped_and_the_names_that_are_asked_for() {
        let resource = [("service.name".to_owned(), "shop".to_owned())];
        let plain = text(&[family()], &resource, &reader(false));
        let expected = "# HELP target_info Target metadata\n# TYPE target_info gauge\ntarget_info{service_name=\"shop\"} 1\n\
            # HELP otelcol_process_cpu_seconds Work.\n# TYPE otelcol_process_cpu_seconds counter\n\
            otelcol_process_cpu_seconds{exporter=\"otlp/\\\"a\\\\b\\\"\",otel_signal=\"logs\"} 1.5\n";
        assert_eq!(plain, expected);
        let full = text(&[family()], &[], &reader(true));
        assert!(full.contains("otelcol_process_cpu_seconds_total{exporter="), "{full}");
        assert!(full.contains("otel_scope_name=\"odigos-collector\""), "{full}");
    }
}
