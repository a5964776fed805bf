//! Destinations: why one is refused.
//!
//! The Secret is not looked at: it may be made after the Destination, and its values are none of admission's business. Where
//! one is named, it is taken to hold what is needed; the condition `DestinationConfigured` says if it does not.

use super::{Findings, names};
use crate::destinations::{self, Definition, FieldError, RenderError, SecretReference, Signal};
use controllers_api::destination::Destination;
use controllers_api::signals;
use std::collections::BTreeSet;

/// What is to be said of a Destination. A change that leaves the spec as it is (`before`) is not looked at, nor is an object
/// that is being deleted.
pub fn findings(destination: &Destination, before: Option<&Destination>) -> Findings {
    let mut findings = Findings::default();
    let is_untouched = before.is_some_and(|before| before.spec == destination.spec);
    if is_untouched || destination.metadata.deletion_timestamp.is_some() {
        return findings;
    }
    selector(destination, &mut findings);
    let secret = destination.spec.secret_ref.as_ref();
    if secret.is_some_and(|secret| !names::is_object_name(&secret.name)) {
        findings.refuse(
            "spec.secretRef.name",
            "must be the name of a Secret in the namespace of the Destination",
        );
    }
    match judged(destination) {
        Ok(without) => {
            for (signal, around) in without {
                findings.warn("spec.signals", format!("{signal} cannot be sent yet: {around}"));
            }
        }
        Err(error) => refuse(error, &destination.spec.r#type, &mut findings),
    }
    findings
}

/// Renders the destination as if its Secret held all fields that belong there, or only those that are required: some fields
/// exclude each other, and some are needed for a signal. The signals that cannot be sent, with the way around.
fn judged(destination: &Destination) -> Result<Vec<(Signal, String)>, RenderError> {
    let definition = destinations::find(&destination.spec.r#type);
    let keys = |needed: fn(&destinations::Field) -> bool| -> BTreeSet<String> {
        let fields = definition
            .iter()
            .flat_map(|definition: &&Definition| &definition.fields);
        let secret = fields.filter(|field| field.secret && needed(field));
        secret.map(|field| field.name.clone()).collect()
    };
    let with_all = destinations::render(&as_written(destination, keys(|_| true)));
    let rendered = match with_all {
        Ok(rendered) => Ok(rendered),
        Err(error) => {
            let with_required = destinations::render(&as_written(destination, keys(|field| field.required)));
            with_required.map_err(|_| error)
        }
    };
    rendered.map(|rendered| rendered.without)
}

fn as_written(destination: &Destination, keys: BTreeSet<String>) -> destinations::Destination {
    let spec = &destination.spec;
    let secret = spec.secret_ref.as_ref().map(|secret| SecretReference {
        name: secret.name.clone(),
        keys,
    });
    destinations::Destination {
        name: destination.metadata.name.clone().unwrap_or_default(),
        kind: spec.r#type.clone(),
        signals: spec.signals.iter().map(signal).collect(),
        data: spec.data.clone(),
        secret,
    }
}

fn signal(signal: &signals::Signal) -> Signal {
    match signal {
        signals::Signal::Traces => Signal::Traces,
        signals::Signal::Metrics => Signal::Metrics,
        signals::Signal::Logs => Signal::Logs,
        signals::Signal::Profiles => Signal::Profiles,
    }
}

/// A type that cannot be sent to yet is only warned of: manifests are shared among clusters, and the condition says it too.
fn refuse(error: RenderError, kind: &str, findings: &mut Findings) {
    match error {
        RenderError::UnknownType { .. } => findings.refuse("spec.type", error.to_string()),
        RenderError::NotSupported { .. } => findings.warn("spec.type", error.to_string()),
        RenderError::NoSignals(_) | RenderError::Signal { .. } => findings.refuse("spec.signals", error.to_string()),
        RenderError::Fields(fields) => {
            let definition = destinations::find(kind);
            for FieldError { field, message } in fields {
                let known = definition.and_then(|definition| definition.field(&field));
                let path = match known {
                    _ if field == "signals" => "spec.signals".to_owned(),
                    Some(known) if known.secret && !message.starts_with("is a secret") => {
                        format!("spec.secretRef ({field})")
                    }
                    _ => format!("spec.data[\"{field}\"]"),
                };
                findings.refuse(path, message);
            }
        }
    }
}

fn selector(destination: &Destination, findings: &mut Findings) {
    let Some(selector) = &destination.spec.source_selector else {
        return;
    };
    for (index, namespace) in selector.namespaces.iter().enumerate() {
        if !names::is_dns_label(namespace) {
            findings.refuse(
                format!("spec.sourceSelector.namespaces[{index}]"),
                format!("\"{namespace}\" cannot be the name of a namespace"),
            );
        }
    }
    for (index, stream) in selector.data_streams.iter().enumerate() {
        let label = format!("{}{stream}", controllers_api::labels::DATA_STREAM_PREFIX);
        if stream.is_empty() || !names::is_label_key(&label) {
            findings.refuse(
                format!("spec.sourceSelector.dataStreams[{index}]"),
                format!("\"{stream}\" cannot be the name of a data stream, which Sources have in a label"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn destination(mut spec: Value) -> Destination {
        for (field, value) in [
            ("signals", json!(["TRACES"])),
            ("data", json!({})),
            ("destinationName", json!("d")),
        ] {
            if spec.get(field).is_none() {
                spec[field] = value;
            }
        }
        let object = json!({
            "apiVersion": "odigos.io/v1alpha1",
            "kind": "Destination",
            "metadata": {"name": "d", "namespace": "odigos-system"},
            "spec": spec,
        });
        serde_json::from_value(object).unwrap()
    }

    fn refused(spec: Value) -> String {
        findings(&destination(spec), None).sentence()
    }

    #[test]
    fn a_complete_destination_is_taken() {
        let jaeger = json!({"type": "jaeger", "data": {"JAEGER_URL": "jaeger.tracing:4317"}});
        assert_eq!(findings(&destination(jaeger), None), Findings::default());
        let with_secret = json!({"type": "honeycomb", "data": {"HONEYCOMB_ENDPOINT": "api.honeycomb.io"},
            "secretRef": {"name": "honeycomb"}});
        assert_eq!(findings(&destination(with_secret), None), Findings::default());
    }

    #[test]
    fn fields_are_named_where_they_are() {
        assert_eq!(
            refused(json!({"type": "otlp", "data": {"OTLP_GRPC_ENDPOINT": "ftp://a", "X": "y"}})),
            "spec.data[\"OTLP_GRPC_ENDPOINT\"]: the scheme \"ftp\" is neither http nor https; spec.data[\"X\"]: is no field \
             of the type otlp"
        );
        assert_eq!(
            refused(json!({"type": "honeycomb", "data": {"HONEYCOMB_ENDPOINT": "api.honeycomb.io"}})),
            "spec.secretRef (HONEYCOMB_API_KEY): is required: set it in the Secret that secretRef names"
        );
        let open = json!({"type": "honeycomb", "secretRef": {"name": "s"},
            "data": {"HONEYCOMB_ENDPOINT": "api.honeycomb.io", "HONEYCOMB_API_KEY": "k"}});
        assert_eq!(
            refused(open),
            "spec.data[\"HONEYCOMB_API_KEY\"]: is a secret: take it out of data and put it into the Secret that secretRef names"
        );
    }

    #[test]
    fn types_and_signals_that_there_are_not_are_refused() {
        assert_eq!(
            refused(json!({"type": "jeager"})),
            "spec.type: there is no destination of the type \"jeager\"; did you mean \"jaeger\"?"
        );
        assert_eq!(
            refused(json!({"type": "jaeger", "signals": ["LOGS"], "data": {"JAEGER_URL": "j:4317"}})),
            "spec.signals: Jaeger takes no logs: take it out of signals, which may be traces"
        );
        assert_eq!(
            refused(json!({"type": "jaeger", "signals": [], "data": {"JAEGER_URL": "j:4317"}})),
            "spec.signals: no signal is chosen: set signals to some of traces"
        );
    }

    #[test]
    fn what_cannot_be_sent_yet_is_warned_of() {
        let found = findings(&destination(json!({"type": "kafka"})), None);
        assert_eq!(found.problems, []);
        let warning = found.warnings[0].to_string();
        assert!(
            warning.starts_with("spec.type: ") && warning.contains("is not supported yet: "),
            "{warning}"
        );
    }

    #[test]
    fn selectors_name_what_can_be_there() {
        let spec = json!({"type": "jaeger", "data": {"JAEGER_URL": "j:4317"}, "secretRef": {"name": ""},
            "sourceSelector": {"namespaces": ["A"], "dataStreams": ["a b", "", "ok"]}});
        assert_eq!(
            refused(spec),
            "spec.sourceSelector.namespaces[0]: \"A\" cannot be the name of a namespace; \
             spec.sourceSelector.dataStreams[0]: \"a b\" cannot be the name of a data stream, which Sources have in a label; \
             spec.sourceSelector.dataStreams[1]: \"\" cannot be the name of a data stream, which Sources have in a label; \
             spec.secretRef.name: must be the name of a Secret in the namespace of the Destination"
        );
    }

    /// Whatever type, an object that says nothing is judged without a panic, and by its fields where there are required ones.
    #[test]
    fn every_type_is_judged() {
        for definition in destinations::all() {
            let spec = json!({"type": definition.kind, "secretRef": {"name": "s"}});
            let found = findings(&destination(spec), None);
            let is_required = definition.fields.iter().any(|field| {
                field.required
                    && !field.secret
                    && field.initial.is_none()
                    && field.shown_if.is_none()
                    && field.shown_for.is_empty()
            });
            let is_supported = matches!(definition.support, destinations::Support::Rendered { .. });
            if is_required && is_supported && definition.signals.contains(&Signal::Traces) {
                assert!(
                    found.sentence().contains("is required"),
                    "{}: {found:?}",
                    definition.kind
                );
            }
        }
    }
}
