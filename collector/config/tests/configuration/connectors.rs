use super::read;
use collector_config::{Config, Errors, Node, Signal};

fn document(pipelines: &str) -> String {
    format!(
        "
receivers: {{in: }}
processors: {{batch: }}
exporters: {{out: }}
connectors: {{forward: , forward/2: , count: }}
extensions: {{health_check: , unused: }}
service:
  extensions: [health_check]
  pipelines:
{pipelines}"
    )
}

#[test]
fn a_connector_joins_pipelines_and_an_extension_is_named_by_the_service() {
    let config = read(&document(
        "    traces: {receivers: [in], exporters: [forward]}\n    traces/2: {receivers: [forward], exporters: [out]}\n",
    ))
    .unwrap();
    assert_eq!(config.connectors.len(), 3);
    assert_eq!(config.extensions.len(), 2);
    assert_eq!(config.service_extensions.len(), 1);
    assert_eq!(config.service_extensions[0].id.to_string(), "health_check");
    assert!(config.is_connector(&config.pipelines[0].exporters[0].id));
    assert!(!config.is_connector(&config.pipelines[1].exporters[0].id));
}

#[test]
fn a_connector_that_leads_nowhere_or_comes_from_nowhere_is_refused() {
    let text = document(
        "    traces: {receivers: [in, forward/2], exporters: [forward]}\n    logs: {receivers: [in], processors: [forward], exporters: [out]}\n",
    );
    let expected = "\
c.yaml:10: service::pipelines::traces::exporters: the connector \"forward\" is given traces here, but no pipeline that it could pass them to has it as a receiver
c.yaml:10: service::pipelines::traces::receivers: the connector \"forward/2\" is to give traces here, but no pipeline that it could take them from has it as an exporter
c.yaml:11: service::pipelines::logs::processors: \"forward\" is not defined";
    let found = read(&text).unwrap_err();
    assert_eq!(found, expected, "found:\n{found}");
}

#[test]
fn pipelines_that_go_in_circles_are_refused_and_the_circle_is_named() {
    let text = document(
        "    traces/in: {receivers: [in], exporters: [forward]}
    traces: {receivers: [forward, forward/2], exporters: [out, count]}
    traces/2: {receivers: [count], exporters: [forward/2]}
",
    );
    let expected = "c.yaml:11: service::pipelines::traces::exporters: items would go in circles: \
        traces -> count -> traces/2 -> forward/2 -> traces";
    assert_eq!(read(&text).unwrap_err(), expected);
}

#[test]
fn the_signals_that_a_connector_joins_decide_what_is_joined() {
    let text = document(
        "    traces: {receivers: [in], exporters: [count]}\n    traces/2: {receivers: [count], exporters: [out]}\n    metrics: {receivers: [count], exporters: [out]}\n",
    );
    let root = Node::parse(&text, "c.yaml").unwrap();
    let mut errors = Errors::default();
    Config::read_with(
        &root,
        &|_, from, to| from == Signal::Traces && to == Signal::Metrics,
        &mut errors,
    );
    let expected = "c.yaml:11: service::pipelines::traces/2::receivers: the connector \"count\" is to give traces here, but no pipeline that it could take them from has it as an exporter";
    assert_eq!(errors.to_string(), expected);
}

#[test]
fn an_id_is_not_both_a_connector_and_another_component_and_references_must_exist() {
    let text = "
receivers: {forward: }
exporters: {out: }
connectors: {forward: }
service:
  extensions: [health_chek]
  pipelines:
    traces: {receivers: [forward], exporters: [out]}
    traces: {receivers: [forward], exporters: [out]}
";
    let found = read(text).unwrap_err();
    assert!(
        found.starts_with("c.yaml:9: "),
        "a key that is twice is the parser's to refuse: {found}"
    );
    let text = text.replacen("    traces: {receivers: [forward], exporters: [out]}\n", "", 1);
    let expected = "\
c.yaml:4: connectors::forward: is also the id of receivers::forward; rename one of them, such as \"forward/connector\"
c.yaml:6: service::extensions: \"health_chek\" is not defined
c.yaml:8: service::pipelines::traces::receivers: the connector \"forward\" is to give traces here, but no pipeline that it could take them from has it as an exporter";
    let found = read(&text).unwrap_err();
    assert_eq!(found, expected, "found:\n{found}");
}
