use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// A span of an OTLP/JSON file, flat.
#[derive(Debug, Clone)]
pub struct Span {
    pub name: String,
    /// 2 is a server's, 3 a client's.
    pub kind: u64,
    pub trace_id: String,
    pub span_id: String,
    pub parent_span_id: String,
    pub start: u64,
    pub end: u64,
    /// 2 is an error.
    pub status: u64,
    pub scope: String,
    pub attributes: BTreeMap<String, String>,
    pub resource: BTreeMap<String, String>,
}

impl Span {
    /// An attribute as text; empty if it is not there.
    pub fn get(&self, key: &str) -> &str {
        self.attributes.get(key).map_or("", String::as_str)
    }

    pub fn is_server(&self) -> bool {
        self.kind == 2
    }
}

/// All spans of a file that may not be there yet. An incomplete last line is left out: it is being written.
pub fn in_file(path: &Path) -> Vec<Span> {
    in_text(&fs::read_to_string(path).unwrap_or_default())
}

/// All spans of such a file's text.
pub fn in_text(text: &str) -> Vec<Span> {
    let complete = text.rfind('\n').map_or("", |end| &text[..end]);
    complete
        .lines()
        .flat_map(|line| of_request(&serde_json::from_str(line).unwrap()))
        .collect()
}

fn of_request(request: &Value) -> Vec<Span> {
    let mut spans = Vec::new();
    for resource_spans in each(&request["resourceSpans"]) {
        let resource = attributes(&resource_spans["resource"]["attributes"]);
        for scope_spans in each(&resource_spans["scopeSpans"]) {
            let scope = text(&scope_spans["scope"]["name"]);
            spans.extend(each(&scope_spans["spans"]).map(|span| of_span(span, &scope, &resource)));
        }
    }
    spans
}

fn of_span(span: &Value, scope: &str, resource: &BTreeMap<String, String>) -> Span {
    Span {
        name: text(&span["name"]),
        kind: span["kind"].as_u64().unwrap_or_default(),
        trace_id: text(&span["traceId"]),
        span_id: text(&span["spanId"]),
        parent_span_id: text(&span["parentSpanId"]),
        start: number(&span["startTimeUnixNano"]),
        end: number(&span["endTimeUnixNano"]),
        status: span["status"]["code"].as_u64().unwrap_or_default(),
        scope: scope.to_owned(),
        attributes: attributes(&span["attributes"]),
        resource: resource.clone(),
    }
}

fn each(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// OTLP/JSON gives 64-bit numbers as text.
fn number(value: &Value) -> u64 {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn attributes(list: &Value) -> BTreeMap<String, String> {
    each(list)
        .map(|pair| (text(&pair["key"]), any_value(&pair["value"])))
        .collect()
}

fn any_value(value: &Value) -> String {
    let Some((_, inner)) = value.as_object().and_then(|object| object.iter().next()) else {
        return String::new();
    };
    inner.as_str().map_or_else(|| inner.to_string(), str::to_owned)
}
