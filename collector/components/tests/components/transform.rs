use crate::given::{errors, through};
use crate::samples::{int, log_request, metric_request, text, trace_request};
use collector_pdata::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{metric::Data, number_data_point::Value};
use prost::Message;

/// The request of the sample spans after statements, which are the lines of the list `trace_statements`.
fn traces(name: &str, statements: &str) -> ExportTraceServiceRequest {
    let (out, account) = through(
        name,
        Signal::Traces,
        &transform("trace", statements),
        &[trace_request()],
    );
    assert_eq!(account.forwarded, 3);
    ExportTraceServiceRequest::decode(&*out).unwrap()
}

fn transform(signal: &str, statements: &str) -> String {
    let lines: String = statements.lines().map(|line| format!("      {line}\n")).collect();
    format!("  transform:\n    {signal}_statements:\n{lines}")
}

/// The sample request, for a test to say what is to become of it.
fn before() -> ExportTraceServiceRequest {
    ExportTraceServiceRequest::decode(&*trace_request()).unwrap()
}

#[test]
fn statements_change_spans_in_order() {
    let after = traces(
        "transform-spans",
        "- set(span.attributes[\"host\"], resource.attributes[\"host\"])
- set(span.name, Concat([span.name, span.attributes[\"host\"]], \"@\")) where span.attributes[\"n\"] > 1
- delete_key(span.attributes, \"n\") where span.name == \"c@n2\"",
    );
    let mut expected = before();
    let scopes = expected
        .resource_spans
        .iter_mut()
        .map(|resource| &mut resource.scope_spans[0].spans);
    let [first, second] = scopes.collect::<Vec<_>>().try_into().unwrap();
    first[0].attributes.push(text("host", "n1"));
    first[1].attributes.push(text("host", "n1"));
    first[1].name = "b@n1".to_owned();
    second[0].attributes = vec![text("host", "n2")];
    second[0].name = "c@n2".to_owned();
    assert_eq!(after, expected);
}

#[test]
fn groups_have_contexts_conditions_and_their_own_statements() {
    let after = traces(
        "transform-groups",
        "- context: resource
  statements: ['set(attributes[\"seen\"], true)']
- context: scope
  statements: ['set(version, \"2\") where resource.attributes[\"seen\"] == true']
- context: span
  conditions: ['name == \"a\"', 'name == \"c\"']
  statements: ['replace_pattern(name, \"^(.)$\", \"$1$1\")']
- context: spanevent
  statements: ['set(attributes[\"of\"], span.name)', 'set(span.attributes[\"retried\"], 1) where name == \"retry\"']",
    );
    for resource in &after.resource_spans {
        assert_eq!(resource.resource.as_ref().unwrap().attributes[1].key, "seen");
        assert_eq!(resource.scope_spans[0].scope.as_ref().unwrap().version, "2");
    }
    let spans: Vec<_> = after
        .resource_spans
        .iter()
        .flat_map(|resource| &resource.scope_spans[0].spans)
        .collect();
    let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["aa", "b", "cc"]);
    assert_eq!(spans[0].events[1].attributes, [text("of", "aa")]);
    assert_eq!(spans[0].attributes, [int("n", 1), int("retried", 1)]);
    assert_eq!(spans[1].attributes, [int("n", 2)]);
}

#[test]
fn an_item_may_write_to_what_holds_it() {
    let after = traces(
        "transform-outer",
        "- context: span
  statements: ['set(resource.attributes[\"last\"], name)', 'set(scope.name, Concat([scope.name, name], \"-\"))']
- context: span
  statements: ['set(attributes[\"last\"], resource.attributes[\"last\"])']",
    );
    let mut expected = before();
    for (resource, last, scope) in [(0, "b", "lib-a-b"), (1, "c", "lib-c")] {
        let resource = &mut expected.resource_spans[resource];
        resource.resource.as_mut().unwrap().attributes.push(text("last", last));
        resource.scope_spans[0].scope.as_mut().unwrap().name = scope.to_owned();
        for span in &mut resource.scope_spans[0].spans {
            span.attributes.push(text("last", last));
        }
    }
    assert_eq!(after, expected);
}

#[test]
fn what_no_statement_changes_is_the_same_bytes() {
    let settings = transform("trace", "- set(span.name, \"x\") where span.name == \"absent\"");
    let (out, _) = through("transform-same", Signal::Traces, &settings, &[trace_request()]);
    assert_eq!(out, trace_request());
}

#[test]
fn metrics_and_points_are_changed() {
    let statements = "- set(metric.description, Concat([metric.name, metric.type], \"/\"))
- set(metric.unit, \"1\") where metric.is_monotonic == true
- set(datapoint.value_double, Double(datapoint.value_int) / 2) where datapoint.value_int == 3
- set(datapoint.attributes[\"k\"], metric.name)";
    let (out, account) = through(
        "transform-metrics",
        Signal::Metrics,
        &transform("metric", statements),
        &[metric_request()],
    );
    assert_eq!(account.forwarded, 3);
    let request = ExportMetricsServiceRequest::decode(&*out).unwrap();
    let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
    let described: Vec<_> = metrics
        .iter()
        .map(|metric| (metric.description.as_str(), metric.unit.as_str()))
        .collect();
    assert_eq!(described, [("sum/2", "1"), ("gauge/1", "")]);
    let Some(Data::Sum(sum)) = &metrics[0].data else {
        panic!("{metrics:?}")
    };
    assert!(
        sum.is_monotonic
            && sum
                .data_points
                .iter()
                .all(|point| point.attributes == [text("k", "sum")])
    );
    let Some(Data::Gauge(gauge)) = &metrics[1].data else {
        panic!("{metrics:?}")
    };
    assert_eq!(gauge.data_points[0].value, Some(Value::AsDouble(1.5)));
}

#[test]
fn log_records_are_changed() {
    let statements = "- replace_pattern(log.body, \"secret\", \"***\")
- set(log.severity_text, \"FAIL\") where log.severity_number >= SEVERITY_NUMBER_ERROR
- set(resource.attributes[\"failed\"], log.body) where log.severity_text == \"FAIL\"";
    let (out, _) = through(
        "transform-logs",
        Signal::Logs,
        &transform("log", statements),
        &[log_request()],
    );
    let request = ExportLogsServiceRequest::decode(&*out).unwrap();
    let resource = request.resource_logs[0].resource.as_ref().unwrap();
    assert_eq!(resource.attributes[1], text("failed", "a ***"));
    let severities = request.resource_logs[0].scope_logs[0].log_records.iter();
    let severities: Vec<&str> = severities.map(|record| record.severity_text.as_str()).collect();
    assert_eq!(severities, ["", "", "FAIL"]);
}

#[test]
fn a_statement_that_cannot_be_run_is_passed_over_or_ends_its_payload() {
    let failing = "['set(attributes[\"x\"], 1 / (attributes[\"n\"] - 1))', 'set(attributes[\"y\"], 1)']";
    let after = traces(
        "transform-ignore",
        &format!("- {{context: span, statements: {failing}}}"),
    );
    let keys = |span: usize| {
        let attributes = after.resource_spans[0].scope_spans[0].spans[span].attributes.iter();
        attributes
            .map(|attribute| attribute.key.clone())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!((keys(0).as_str(), keys(1).as_str()), ("n y", "n x y"));
    let settings = transform(
        "trace",
        &format!("- {{context: span, error_mode: propagate, statements: {failing}}}"),
    );
    let (out, account) = through("transform-propagate", Signal::Traces, &settings, &[trace_request()]);
    assert_eq!((out.len(), account.dropped["evaluation_failed"]), (0, 3));
}

#[test]
fn errors_name_the_statement_and_its_line() {
    let settings = "  transform:
    trace_statements:
      - context: spans
        statements: ['set(name, 1)']
      - context: span
        conditions: ['name']
        statements:
          - set(name, \"a\")
          - set(nam, 1) where foo == 1
        statement: []
    metric_statements: ['set(metric.name, 1)', {context: metric}]
    log_statements: [set(body, 1)]";
    let expected = [
        "line 6: processors::transform::trace_statements::0::context: expected resource, scope, span, spanevent, found \"spans\"",
        "trace_statements::1::conditions::0: column 1: a value stands here where a condition is needed",
        "line 12: processors::transform::trace_statements::1::statements::1: column 19: the context span has no path `foo`",
        "line 12: processors::transform::trace_statements::1::statements::1: column 5: the context span has no path `nam`; did you mean `name`?",
        "trace_statements::1::statement: unknown key",
        "metric_statements: is either a list of texts or a list of mappings, not both",
        "log_statements: begin a path with its context (resource, scope, log), so that it is known",
    ];
    let found = errors(Signal::Traces, settings);
    for line in expected {
        assert!(found.contains(line), "{line}\n---\n{found}");
    }
    assert_eq!(found.lines().count(), expected.len(), "{found}");
}
