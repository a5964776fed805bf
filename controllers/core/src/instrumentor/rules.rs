//! InstrumentationRules: to which containers they apply, and what they make together.
//!
//! A rule applies where every group of its scopes that is given holds, and a group holds if one of its entries does. What
//! several rules say is merged so that their order never matters. Lists become their union. Of numbers that limit what is
//! collected the smallest holds, and of policies the strictest; what is asked for by one rule (an attribute, the capture of
//! logs, dropping of cut payloads) is done. A library that one rule switches off stays off. Of distributions for one
//! language the first by name of its rule is taken.

mod merge;

use super::workload::WorkloadId;
use crate::distributions;
use controllers_api::instrumentation::{
    AgentDiagnostics, CustomInstrumentations, EbpfLogCapture, LibraryOfLanguage, NetworkMetrics, TraceVerbosity,
};
use controllers_api::instrumentation_config::{HeadSampling, TracesConfig};
use controllers_api::instrumentation_rule::InstrumentationRuleSpec;
use controllers_api::workload::ProgrammingLanguage;
use merge::{Merge, sort};
use std::collections::BTreeMap;

/// The rules by namespace and name, as `namespace/name`.
pub type Rules = BTreeMap<String, InstrumentationRuleSpec>;

/// What the rules say about a container.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Merged {
    /// What agents log about themselves.
    pub agent_diagnostics: Option<AgentDiagnostics>,
    /// What traces hold.
    pub traces: TracesConfig,
    /// The first rule by name that wants no traces.
    pub without_traces: Option<String>,
    /// Whether log lines are taken from writes.
    pub log_capture: Option<EbpfLogCapture>,
    /// Whether there are metrics of connections.
    pub network_metrics: Option<NetworkMetrics>,
}

/// A distribution that a rule asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The distribution's name.
    pub distribution: String,
    /// The rule's name.
    pub rule: String,
}

/// The rules that hold for a container of this workload and language.
fn holding<'a>(
    rules: &'a Rules,
    id: &'a WorkloadId,
    language: ProgrammingLanguage,
) -> impl Iterator<Item = (&'a String, &'a InstrumentationRuleSpec)> {
    rules.iter().filter(move |(_, rule)| applies(rule, id, Some(language)))
}

/// Whether a rule holds for a workload, and for containers of a language if one is given.
pub fn applies(rule: &InstrumentationRuleSpec, id: &WorkloadId, language: Option<ProgrammingLanguage>) -> bool {
    if rule.disabled == Some(true) {
        return false;
    }
    let Some(scopes) = &rule.scopes else {
        return true;
    };
    let of_language = |wanted: &ProgrammingLanguage| {
        *wanted == ProgrammingLanguage::Any || language.is_none_or(|language| language == *wanted)
    };
    (scopes.sources.is_empty() || scopes.sources.iter().any(|source| id.is(source)))
        && (scopes.namespaces.is_empty() || scopes.namespaces.contains(&id.namespace))
        && (scopes.languages.is_empty() || scopes.languages.iter().any(of_language))
}

/// The distribution that rules ask for, for a container of a language. One for the language comes before one for any.
pub fn distribution(rules: &Rules, id: &WorkloadId, language: ProgrammingLanguage) -> Option<Asked> {
    let mut for_any = None;
    for (name, rule) in holding(rules, id, language) {
        let names = rule.otel_distros.iter().flat_map(|distros| &distros.otel_distro_names);
        let known = names.filter_map(|name| distributions::find(name));
        let mut fitting: Vec<_> = known.filter(|distribution| distribution.is_for(language)).collect();
        fitting.sort_by(|a, b| a.name.cmp(&b.name));
        let asked = |distribution: &distributions::Distribution| Asked {
            distribution: distribution.name.clone(),
            rule: name.clone(),
        };
        if let Some(exact) = fitting.iter().find(|distribution| distribution.language == language) {
            return Some(asked(exact));
        }
        for_any = for_any.or_else(|| fitting.first().map(|distribution| asked(distribution)));
    }
    for_any
}

/// Everything else that the rules say about a container of a language.
pub fn merged(rules: &Rules, id: &WorkloadId, language: ProgrammingLanguage) -> Merged {
    let mut merged = Merged::default();
    let mut libraries = TraceVerbosity::default();
    for (name, rule) in holding(rules, id, language) {
        if rule.instrumentation_libraries.is_empty() {
            merged.add(name, rule);
        } else {
            add_libraries(&mut libraries, rule);
        }
    }
    let verbosity = &mut merged.traces.trace_verbosity;
    if libraries != TraceVerbosity::default() {
        Merge::merge(verbosity, &Some(libraries));
    }
    merged.finish(language);
    merged
}

impl Merged {
    fn add(&mut self, name: &str, rule: &InstrumentationRuleSpec) {
        self.agent_diagnostics.merge(&rule.agent_diagnostics);
        self.log_capture.merge(&rule.ebpf_log_capture);
        self.network_metrics.merge(&rule.network_metrics);
        let traces = &mut self.traces;
        traces.code_attributes.merge(&rule.code_attributes);
        traces.custom_instrumentations.merge(&rule.custom_instrumentations);
        traces.headers_collection.merge(&rule.headers_collection);
        traces.payload_collection.merge(&rule.payload_collection);
        traces.trace_verbosity.merge(&rule.trace_verbosity);
        if let Some(fraction) = &rule.head_sampling_fallback_fraction {
            let sampling = HeadSampling {
                fallback_fraction: fraction.fraction_to_keep,
                ..HeadSampling::default()
            };
            traces.head_sampling.merge(&Some(sampling));
        }
        let without = rule
            .trace_config
            .as_ref()
            .is_some_and(|config| config.disabled == Some(true));
        if without && self.without_traces.is_none() {
            self.without_traces = Some(name.to_owned());
        }
    }

    /// Leaves out what is for other languages, and what has become empty by that.
    fn finish(&mut self, language: ProgrammingLanguage) {
        let traces = &mut self.traces;
        traces.custom_instrumentations = traces
            .custom_instrumentations
            .take()
            .map(|all| of_language(all, language))
            .filter(|rest| *rest != CustomInstrumentations::default());
        let verbosity = traces.trace_verbosity.take();
        traces.trace_verbosity = verbosity
            .map(|all| libraries_of(all, language))
            .filter(|rest| *rest != TraceVerbosity::default());
    }
}

/// A rule that is restricted to libraries can switch their spans off or on; that is all that agents can be told of a library.
fn add_libraries(verbosity: &mut TraceVerbosity, rule: &InstrumentationRuleSpec) {
    let Some(disabled) = rule.trace_config.as_ref().and_then(|config| config.disabled) else {
        return;
    };
    let whole = rule
        .instrumentation_libraries
        .iter()
        .filter(|library| library.span_kind.is_none());
    let libraries = whole.map(|library| LibraryOfLanguage {
        language: library.language,
        library_name: library.name.clone(),
    });
    if disabled {
        verbosity.disabled_libraries.extend(libraries);
    } else {
        verbosity.enabled_libraries.extend(libraries);
    }
}

fn of_language(all: CustomInstrumentations, language: ProgrammingLanguage) -> CustomInstrumentations {
    let mut rest = CustomInstrumentations::default();
    match language {
        ProgrammingLanguage::CPlusPlus => rest.cpp = all.cpp,
        ProgrammingLanguage::Go => rest.golang = all.golang,
        ProgrammingLanguage::Java => rest.java = all.java,
        ProgrammingLanguage::Php => rest.php = all.php,
        ProgrammingLanguage::Python
        | ProgrammingLanguage::Dotnet
        | ProgrammingLanguage::JavaScript
        | ProgrammingLanguage::Ruby
        | ProgrammingLanguage::Rust
        | ProgrammingLanguage::MySql
        | ProgrammingLanguage::Nginx
        | ProgrammingLanguage::Redis
        | ProgrammingLanguage::Postgres
        | ProgrammingLanguage::Unknown
        | ProgrammingLanguage::Ignored
        | ProgrammingLanguage::Any => {}
    }
    rest
}

fn libraries_of(mut all: TraceVerbosity, language: ProgrammingLanguage) -> TraceVerbosity {
    let is_of =
        |library: &LibraryOfLanguage| library.language == language || library.language == ProgrammingLanguage::Any;
    all.disabled_libraries.retain(is_of);
    sort(&mut all.disabled_libraries);
    let disabled = &all.disabled_libraries;
    all.enabled_libraries
        .retain(|library| is_of(library) && !disabled.contains(library));
    sort(&mut all.enabled_libraries);
    all
}

/// What of a rule has no effect anywhere, for its author.
pub fn without_effect(rule: &InstrumentationRuleSpec) -> Vec<String> {
    let mut found = Vec::new();
    let names = rule.otel_distros.iter().flat_map(|distros| &distros.otel_distro_names);
    for name in names.filter(|name| distributions::find(name).is_none()) {
        let known: Vec<_> = distributions::all().map(|known| known.name.as_str()).collect();
        found.push(format!(
            "otelDistros: there is no distribution {name}, only {}",
            known.join(", ")
        ));
    }
    if rule.instrumentation_libraries.is_empty() {
        return found;
    }
    let parts = [
        ("payloadCollection", rule.payload_collection.is_some()),
        ("headersCollection", rule.headers_collection.is_some()),
        ("codeAttributes", rule.code_attributes.is_some()),
        ("customInstrumentations", rule.custom_instrumentations.is_some()),
        ("traceVerbosity", rule.trace_verbosity.is_some()),
        (
            "headSamplingFallbackFraction",
            rule.head_sampling_fallback_fraction.is_some(),
        ),
        ("agentDiagnostics", rule.agent_diagnostics.is_some()),
        ("ebpfLogCapture", rule.ebpf_log_capture.is_some()),
        ("networkMetrics", rule.network_metrics.is_some()),
    ];
    for (part, _) in parts.into_iter().filter(|(_, is_there)| *is_there) {
        found.push(format!(
            "{part}: cannot be restricted to libraries; put it into a rule without instrumentationLibraries"
        ));
    }
    for library in rule
        .instrumentation_libraries
        .iter()
        .filter(|it| it.span_kind.is_some())
    {
        found.push(format!(
            "instrumentationLibraries: {}: spans of one kind cannot be told apart; leave spanKind out",
            library.name
        ));
    }
    found
}
