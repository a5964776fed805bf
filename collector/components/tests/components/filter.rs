use crate::given::{errors, through};
use crate::samples::{log_request, metric_request, trace_request};
use collector_engine::PipelineAccount;
use collector_pdata::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

/// The spans' names, each with those of its events, after a filter.
fn spans(name: &str, settings: &str) -> (String, PipelineAccount) {
    let processors = format!("  filter: {{{settings}}}");
    let (out, account) = through(name, Signal::Traces, &processors, &[trace_request()]);
    let request = ExportTraceServiceRequest::decode(&*out).unwrap();
    let spans = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    let spans = spans.flat_map(|scope| &scope.spans).map(|span| {
        let events: Vec<&str> = span.events.iter().map(|event| event.name.as_str()).collect();
        format!("{}({})", span.name, events.join(","))
    });
    (spans.collect::<Vec<_>>().join(" "), account)
}

#[test]
fn spans_and_events_are_dropped_if_a_condition_holds() {
    let cases = [
        ("filter-none", "", "a(start,retry) b() c(retry)", 0),
        (
            "filter-span",
            "traces: {span: ['name == \"b\"', 'attributes[\"n\"] == 3']}",
            "a(start,retry)",
            2,
        ),
        (
            "filter-event",
            "traces: {spanevent: ['name == \"retry\" and span.name == \"c\"']}",
            "a(start,retry) b() c()",
            0,
        ),
        (
            "filter-resource",
            "traces: {resource: ['attributes[\"host\"] == \"n1\"']}",
            "c(retry)",
            2,
        ),
        (
            "filter-outer",
            "traces: {span: ['resource.attributes[\"host\"] == \"n2\" or scope.name == \"x\"']}",
            { "a(start,retry) b()" },
            1,
        ),
        (
            "filter-flat",
            "trace_conditions: ['span.name == \"a\"', 'resource.attributes[\"host\"] == \"n2\"']",
            "b()",
            2,
        ),
        (
            "filter-groups",
            {
                "trace_conditions: [{context: scope, conditions: ['name == \"lib\" and resource.attributes[\"host\"] == \"n2\"']}, \
             {conditions: ['IsMatch(span.name, \"^b$\")'], error_mode: silent}]"
            },
            "a(start,retry)",
            2,
        ),
        ("filter-all", "traces: {span: ['true']}", "", 3),
    ];
    for (name, settings, expected, dropped) in cases {
        let (left, account) = spans(name, settings);
        assert_eq!(left, expected, "{settings}");
        assert_eq!(
            account.dropped.get("filtered").copied().unwrap_or(0),
            dropped,
            "{settings}"
        );
        assert_eq!(account.forwarded, 3 - dropped, "{settings}");
    }
}

#[test]
fn a_condition_that_cannot_be_evaluated_does_not_hold_or_ends_its_payload() {
    let failing = "'1 / 0 == attributes[\"n\"]', 'name == \"b\"'";
    let (left, _) = spans("filter-ignore", &format!("traces: {{span: [{failing}]}}"));
    assert_eq!(left, "a(start,retry) c(retry)");
    let (left, account) = spans(
        "filter-propagate",
        &format!("error_mode: propagate, traces: {{span: [{failing}]}}"),
    );
    assert_eq!(left, "");
    assert_eq!(account.dropped["evaluation_failed"], 3);
}

#[test]
fn metrics_and_points_are_dropped() {
    let points = |name: &str, settings: &str| {
        let processors = format!("  filter: {{{settings}}}");
        let (out, account) = through(name, Signal::Metrics, &processors, &[metric_request()]);
        let request = ExportMetricsServiceRequest::decode(&*out).unwrap();
        let metrics = request
            .resource_metrics
            .iter()
            .flat_map(|resource| &resource.scope_metrics);
        let names = metrics
            .flat_map(|scope| &scope.metrics)
            .map(|metric| metric.name.clone());
        (names.collect::<Vec<_>>().join(" "), account.forwarded)
    };
    let cases = [
        ("filter-metric", "metrics: {metric: ['name == \"sum\"']}", "gauge", 1),
        (
            "filter-type",
            "metrics: {metric: ['type == METRIC_DATA_TYPE_GAUGE']}",
            "sum",
            2,
        ),
        (
            "filter-point",
            "metrics: {datapoint: ['value_int == 1']}",
            "sum gauge",
            2,
        ),
        (
            "filter-point-of",
            "metrics: {datapoint: ['metric.name == \"sum\"']}",
            "gauge",
            1,
        ),
        (
            "filter-metric-flat",
            "metric_conditions: ['datapoint.value_int > 1 and metric.is_monotonic']",
            "",
            0,
        ),
    ];
    for (name, settings, expected, forwarded) in &cases[..4] {
        assert_eq!(
            points(name, settings),
            ((*expected).to_owned(), *forwarded),
            "{settings}"
        );
    }
    let error = errors(Signal::Metrics, &format!("  filter: {{{}}}", cases[4].1));
    assert!(error.contains("compare it, for instance with `== true`"), "{error}");
}

#[test]
fn log_records_are_dropped() {
    let settings =
        "  filter: {logs: {log_record: ['severity_number < SEVERITY_NUMBER_INFO', 'IsMatch(body, \"secret\")']}}";
    let (out, account) = through("filter-logs", Signal::Logs, settings, &[log_request()]);
    let request = ExportLogsServiceRequest::decode(&*out).unwrap();
    let records = &request.resource_logs[0].scope_logs[0].log_records;
    assert_eq!((records.len(), records[0].severity_number), (1, 9));
    assert_eq!(account.dropped["filtered"], 2);
}

#[test]
fn a_part_of_a_payload_that_is_not_otlp_is_counted() {
    let settings = "  filter: {traces: {span: ['name == \"b\"']}}";
    let requests = [trace_request(), vec![0x0a, 0x20, 1]];
    let (_, account) = through("filter-malformed", Signal::Traces, settings, &requests);
    assert_eq!((account.dropped["filtered"], account.dropped["malformed"]), (1, 1));
}

#[test]
fn errors_name_the_condition_and_its_line() {
    let settings = "  filter:
    error_mode: ignor
    traces:
      span:
        - name == \"a\"
        - nam == \"b\" or kin == 1
      exclude: {}
    trace_conditions: ['name == \"a\"']
    log_conditions: ['log.body == 1', 'span.name == \"x\"']";
    let expected = [
        "line 5: processors::filter::error_mode: \"ignor\" is none of ignore, silent, propagate; did you mean",
        "processors::filter::traces::span::1: column 1: the context span has no path `nam`; did you mean `name`?",
        "processors::filter::traces::span::1: column 15: the context span has no path `kin`; did you mean `kind`?",
        "processors::filter::traces::exclude: is not supported by this collector: what it names would not be dropped; write conditions",
        "processors::filter::trace_conditions: begin a path with its context (resource, scope, span, spanevent), so that it is known",
        "processors::filter::log_conditions: column 1: `log` and `span` do not go together; give each a group of its own",
    ];
    let found = errors(Signal::Traces, settings);
    for line in expected {
        assert!(found.contains(line), "{line}\n---\n{found}");
    }
    assert_eq!(found.lines().count(), expected.len(), "{found}");
}
