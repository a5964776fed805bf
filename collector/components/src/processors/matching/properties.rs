//! One of `include` and `exclude`.

use super::texts::{Expected, MatchType, Texts};
use collector_config::Section;
use collector_pdata::attributes::{field, find};
use collector_pdata::logs::LogRecord;
use collector_pdata::traces::{SPAN_KINDS, Scope, Span};
use collector_pdata::{ItemKind, Malformed, Signal, Value};

/// What must hold of an item; what is not there always holds.
#[derive(Debug)]
pub(super) struct Properties {
    services: Option<Texts>,
    span_names: Option<Texts>,
    span_kinds: Option<Texts>,
    log_bodies: Option<Texts>,
    log_severity_texts: Option<Texts>,
    log_severity: Option<Severity>,
    pub(super) metric_names: Option<Texts>,
    pub(super) libraries: Vec<Library>,
    attributes: Vec<Expected>,
    resources: Vec<Expected>,
    /// A word in `span_kinds` that is no kind of span, although it is compared strictly.
    wrong_kind: Option<String>,
}

#[derive(Debug)]
struct Severity {
    min: i64,
    match_undefined: bool,
}

#[derive(Debug)]
pub(super) struct Library {
    name: Texts,
    /// `None` for any.
    version: Option<Texts>,
}

/// What upstream compares with where a resource has no `service.name`.
const NO_SERVICE: &str = "<nil-service-name>";

impl Properties {
    pub(super) fn read(section: &mut Section<'_, '_>) -> Properties {
        let kinds = [("strict", MatchType::Strict), ("regexp", MatchType::Regexp)];
        let chosen = section.choice("match_type", &kinds);
        if !section.is_written("match_type") {
            section.error("match_type", "is required: strict or regexp");
        }
        let kind = chosen.unwrap_or(MatchType::Strict);
        // Upstream may remember what matched. A pattern's time is linear in the text, so it is always compared here.
        section.optional_section("regexp", |section| {
            section.accept(&["cacheenabled", "cachemaxnumentries"])
        });
        let span_kinds = section.texts_list("span_kinds");
        let wrong_kind = span_kinds.iter().find(|word| !SPAN_KINDS[1..].contains(word));
        Properties {
            wrong_kind: wrong_kind
                .filter(|_| kind == MatchType::Strict)
                .map(|word| (*word).to_owned()),
            services: texts(section, "services", kind),
            span_names: texts(section, "span_names", kind),
            span_kinds: texts(section, "span_kinds", kind),
            log_bodies: texts(section, "log_bodies", kind),
            log_severity_texts: texts(section, "log_severity_texts", kind),
            log_severity: section.optional_section("log_severity_number", |section| Severity {
                min: section.integer("min", 0),
                match_undefined: section.flag("match_undefined", false),
            }),
            metric_names: texts(section, "metric_names", kind),
            libraries: section.sections("libraries", |section| Library::read(section, kind)),
            attributes: section.sections("attributes", |section| Expected::read(section, kind)),
            resources: section.sections("resources", |section| Expected::read(section, kind)),
        }
    }

    /// Why it cannot be used for a signal.
    pub(super) fn refusal(&self, signal: Signal) -> Option<String> {
        let written = self.written();
        let allowed: &[&str] = match signal {
            Signal::Traces => &[
                "services",
                "span_names",
                "span_kinds",
                "attributes",
                "libraries",
                "resources",
            ],
            Signal::Logs => &[
                "log_bodies",
                "log_severity_texts",
                "log_severity_number",
                "attributes",
                "libraries",
                "resources",
            ],
            Signal::Metrics => &["metric_names", "resources"],
        };
        if let Some(other) = written.iter().find(|name| !allowed.contains(name)) {
            return Some(format!("{other} is not for them; what is: {}", allowed.join(", ")));
        }
        if written.is_empty() {
            return Some(format!("at least one of these is required: {}", allowed.join(", ")));
        }
        let wrong = self.wrong_kind.as_ref().filter(|_| signal == Signal::Traces)?;
        let kinds = SPAN_KINDS[1..].join(", ");
        Some(format!("\"{}\" in span_kinds is none of {kinds}", wrong.escape_debug()))
    }

    fn written(&self) -> Vec<&'static str> {
        let all = [
            ("services", self.services.is_some()),
            ("span_names", self.span_names.is_some()),
            ("span_kinds", self.span_kinds.is_some()),
            ("log_bodies", self.log_bodies.is_some()),
            ("log_severity_texts", self.log_severity_texts.is_some()),
            ("log_severity_number", self.log_severity.is_some()),
            ("metric_names", self.metric_names.is_some()),
            ("libraries", !self.libraries.is_empty()),
            ("attributes", !self.attributes.is_empty()),
            ("resources", !self.resources.is_empty()),
        ];
        all.into_iter()
            .filter(|(_, is_written)| *is_written)
            .map(|(name, _)| name)
            .collect()
    }

    /// Whether what it says of resources holds.
    pub(super) fn match_resource(&self, resource: &[u8]) -> Result<bool, Malformed> {
        if let Some(services) = &self.services {
            let service = find(resource, field::RESOURCE, b"service.name")?;
            let name = service.map(Value::read).transpose()?;
            let name = name.map_or_else(|| NO_SERVICE.to_owned(), |name| name.as_string());
            if !services.matches(&name) {
                return Ok(false);
            }
        }
        all_in(&self.resources, resource, field::RESOURCE)
    }

    /// Whether what it says of scopes holds.
    pub(super) fn match_scope(&self, scope: &[u8]) -> Result<bool, Malformed> {
        let scope = Scope::read(scope)?;
        Ok(self.libraries.iter().all(|library| {
            let version = library.version.as_ref();
            library.name.match_bytes(scope.name) && version.is_none_or(|texts| texts.match_bytes(scope.version))
        }))
    }

    /// Whether what it says of metrics holds.
    pub(super) fn match_metric(&self, name: &[u8]) -> bool {
        self.metric_names.as_ref().is_none_or(|names| names.match_bytes(name))
    }

    /// Whether what it says of the item itself holds.
    pub(super) fn match_item(&self, kind: ItemKind, item: &[u8]) -> Result<bool, Malformed> {
        let holds = match kind {
            ItemKind::Span => self.match_span(item)?,
            ItemKind::LogRecord => self.match_log(item)?,
            _ => true,
        };
        Ok(holds && all_in(&self.attributes, item, kind.attributes_field())?)
    }

    fn match_span(&self, span: &[u8]) -> Result<bool, Malformed> {
        if self.span_names.is_none() && self.span_kinds.is_none() {
            return Ok(true);
        }
        let span = Span::read(span)?;
        let kind = usize::try_from(span.kind).ok().and_then(|kind| SPAN_KINDS.get(kind));
        let kind = kind.copied().unwrap_or_default();
        Ok(self
            .span_names
            .as_ref()
            .is_none_or(|names| names.match_bytes(span.name))
            && self.span_kinds.as_ref().is_none_or(|kinds| kinds.matches(kind)))
    }

    fn match_log(&self, record: &[u8]) -> Result<bool, Malformed> {
        if self.log_bodies.is_none() && self.log_severity_texts.is_none() && self.log_severity.is_none() {
            return Ok(true);
        }
        let record = LogRecord::read(record)?;
        let texts = self.log_severity_texts.as_ref();
        let severity = self.log_severity.as_ref();
        if texts.is_some_and(|texts| !texts.match_bytes(record.severity_text))
            || severity.is_some_and(|severity| !severity.matches(record.severity_number))
        {
            return Ok(false);
        }
        match &self.log_bodies {
            Some(bodies) => Ok(bodies.matches(&Value::of(record.body()?)?.as_string())),
            None => Ok(true),
        }
    }
}

impl Severity {
    fn matches(&self, number: i32) -> bool {
        match number {
            0 => self.match_undefined,
            number => i64::from(number) >= self.min,
        }
    }
}

impl Library {
    fn read(section: &mut Section<'_, '_>, kind: MatchType) -> Library {
        let name = section.text("name").unwrap_or_default();
        let name = Texts::new(section, "name", kind, &[name]);
        let version = section.text("version");
        let version = version.map(|version| Texts::new(section, "version", kind, &[version]));
        Library { name, version }
    }
}

fn texts(section: &mut Section<'_, '_>, key: &'static str, kind: MatchType) -> Option<Texts> {
    let texts = section.texts_list(key);
    (!texts.is_empty()).then(|| Texts::new(section, key, kind, &texts))
}

fn all_in(expected: &[Expected], message: &[u8], number: u32) -> Result<bool, Malformed> {
    for expected in expected {
        if !expected.is_in(message, number)? {
            return Ok(false);
        }
    }
    Ok(true)
}
