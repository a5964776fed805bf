//! Paths of requests, with placeholders for what varies in them.
//!
//! A span of a server gets `http.route`, one of a client `url.template`, if it has none; and where its name says no more
//! than the method, the path behind it.

use super::spans::is_named_by;
use super::{ActionError, Change, wrong};
use crate::collectors::scopes;
use crate::collectors::statements::{Group, all, any, literal_pattern, plain_replacement, quoted};
use crate::destinations::Signal;
use collector_ottl::go_regex;
use controllers_api::action::{DefaultTemplatizationRule, UrlTemplatizationAction};
use controllers_api::attributes::UrlTemplatizationSkipPolicy;

const PATH: &str = "cache[\"path\"]";
const GUESS: &str = "cache[\"guess\"]";
const TEMPLATE: &str = "cache[\"template\"]";

/// What varies in the segments of paths, the most telling first: patterns of a whole segment, and the placeholders.
const VARIABLES: [(&str, &str); 6] = [
    (r"\d{4}-\d{2}-\d{2}[^/]*", "{date}"),
    (r"[^/@]+@[^/@]+\.[^/@]+", "{email}"),
    (
        r"[^/]*[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}[^/]*",
        "{id}",
    ),
    (r"[0-9a-fA-F]{16,}", "{id}"),
    (r"[^/]*\d{7,}[^/]*", "{id}"),
    (r"\d+", "{id}"),
];

pub(super) fn templatization(action: &UrlTemplatizationAction) -> Result<Change, ActionError> {
    let mut statements = read_path();
    for (index, rule) in action.rules.iter().enumerate() {
        let scope = scopes::condition(rule.scopes.as_ref());
        for (number, template) in rule.templates.iter().enumerate() {
            let field = format!("spec.urlTemplatization.rules[{index}].templates[{number}]");
            let template = Template::parse(template).map_err(|message| wrong(field, message))?;
            statements.push(template.statement(scope.as_deref()));
        }
    }
    // Without any rule the Action is what its name says, for everything.
    let everything = [DefaultTemplatizationRule::default()];
    let defaults = match action.rules.is_empty() && action.default.is_empty() {
        true => &everything[..],
        false => &action.default,
    };
    let defaults: Vec<_> = defaults.iter().filter(|rule| rule.disabled != Some(true)).collect();
    if !defaults.is_empty() {
        statements.extend(guess());
        statements.extend(defaults.into_iter().map(use_guess));
    }
    statements.extend(write());
    let group = Group {
        signal: Signal::Traces,
        context: "span",
        condition: Some("kind == SPAN_KIND_SERVER or kind == SPAN_KIND_CLIENT".to_owned()),
        statements,
    };
    Ok(Change::of("urlTemplatization", vec![group]))
}

/// The path of the request, by the present semantic conventions and by those before.
fn read_path() -> Vec<String> {
    let from = |key: &str| {
        let path = format!("attributes[{}]", quoted(key));
        format!("set({PATH}, {path}) where {PATH} == nil and {path} != nil and IsString({path})")
    };
    let mut statements: Vec<String> = ["url.path", "http.target", "url.full", "http.url"].map(from).to_vec();
    statements.extend([
        format!("replace_pattern({PATH}, \"^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*\", \"\") where {PATH} != nil"),
        format!("replace_pattern({PATH}, \"[?#].*$\", \"\") where {PATH} != nil"),
        format!("set({PATH}, \"/\") where {PATH} == \"\""),
    ]);
    statements
}

/// A user's template.
struct Template {
    /// As it is shown, without the expressions of its variables.
    shown: String,
    pattern: String,
}

impl Template {
    fn parse(written: &str) -> Result<Template, String> {
        let path = written.trim().trim_start_matches('/');
        let mut template = Template {
            shown: String::new(),
            pattern: String::from("^"),
        };
        for segment in path.split('/') {
            let (shown, pattern) = parse_segment(segment)?;
            template.shown.push('/');
            template.shown.push_str(&shown);
            template.pattern.push('/');
            template.pattern.push_str(&pattern);
        }
        template.pattern.push_str("/?$");
        Ok(template)
    }

    /// The first template that fits wins.
    fn statement(&self, scope: Option<&str>) -> String {
        let fits = format!(
            "{TEMPLATE} == nil and {PATH} != nil and IsMatch({PATH}, {})",
            quoted(&self.pattern)
        );
        let conditions: Vec<String> = std::iter::once(fits).chain(scope.map(str::to_owned)).collect();
        let condition = all(&conditions).unwrap_or_default();
        format!("set({TEMPLATE}, {}) where {condition}", quoted(&self.shown))
    }
}

/// As it is shown, and its pattern.
fn parse_segment(segment: &str) -> Result<(String, String), String> {
    if segment == "*" {
        return Ok(("*".to_owned(), "[^/]+".to_owned()));
    }
    let Some(variable) = segment.strip_prefix('{') else {
        if segment.contains(['{', '}']) {
            return Err(format!(
                "\"{segment}\": a variable must fill the whole segment, as in /user/{{id}}"
            ));
        }
        return Ok((segment.to_owned(), literal_pattern(segment)));
    };
    let Some(variable) = variable.strip_suffix('}') else {
        return Err(format!("\"{segment}\": the variable must end with }}"));
    };
    let (name, pattern) = variable.split_once(':').unwrap_or((variable, "[^/]+"));
    go_regex(pattern)?;
    let name = if name.is_empty() { "id" } else { name };
    Ok((format!("{{{name}}}"), format!("(?:{pattern})")))
}

fn guess() -> Vec<String> {
    let mut statements = vec![format!(
        "set({GUESS}, {PATH}) where {PATH} != nil and {TEMPLATE} == nil"
    )];
    for (pattern, placeholder) in VARIABLES {
        let statement = format!(
            "replace_pattern({GUESS}, {}, {}) where {GUESS} != nil",
            quoted(&format!("/{pattern}(/|$)")),
            quoted(&format!("/{}$1", plain_replacement(placeholder)))
        );
        // A match takes the slash behind it, with which the next segment begins.
        statements.extend([statement.clone(), statement]);
    }
    statements
}

fn use_guess(rule: &DefaultTemplatizationRule) -> String {
    let skipped = rule.skip_policy.as_ref().and_then(skipped);
    let conditions = [
        Some(format!("{TEMPLATE} == nil and {GUESS} != nil")),
        scopes::condition(rule.scopes.as_ref()),
        skipped.map(|skipped| format!("not ({skipped})")),
    ];
    let conditions: Vec<String> = conditions.into_iter().flatten().collect();
    let condition = all(&conditions).unwrap_or_default();
    format!("set({TEMPLATE}, {GUESS}) where {condition}")
}

/// Paths of requests that failed are often made up by whoever asks.
fn skipped(policy: &UrlTemplatizationSkipPolicy) -> Option<String> {
    let codes = ["http.response.status_code", "http.status_code"];
    let mut alternatives = Vec::new();
    for code in codes.map(|key| format!("attributes[{}]", quoted(key))) {
        if policy.skip_for_non_success_codes == Some(true) {
            alternatives.push(format!("{code} != nil and ({code} < 200 or {code} >= 400)"));
        }
        alternatives.extend(
            policy
                .skip_http_status_codes
                .iter()
                .map(|number| format!("{code} == {number}")),
        );
    }
    any(&alternatives)
}

fn write() -> Vec<String> {
    let mut statements = Vec::new();
    for (kind, target) in [("SPAN_KIND_SERVER", "http.route"), ("SPAN_KIND_CLIENT", "url.template")] {
        let target = format!("attributes[{}]", quoted(target));
        statements.push(format!(
            "set({target}, {TEMPLATE}) where {TEMPLATE} != nil and kind == {kind} and {target} == nil"
        ));
        for method in ["http.request.method", "http.method"] {
            statements.push(format!(
                "set(name, Concat([name, {target}], \" \")) where kind == {kind} and {target} != nil and {}",
                is_named_by(method)
            ));
        }
    }
    statements
}
