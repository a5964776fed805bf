//! Actions as processors of the gateway.
//!
//! Most become one `transform`, whose statements are compiled before they are written: what a user wrote wrong is an error
//! of that Action alone.

mod attributes;
mod database;
mod extraction;
mod masking;
mod spans;
mod urls;

use super::parts::Component;
use super::statements::{self, Group};
use crate::destinations::Signal;
use controllers_api::action::ActionSpec;
use std::collections::BTreeSet;

/// What Actions may ask for and do not say themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The uid of the namespace kube-system, by which clusters are told apart.
    pub cluster_uid: Option<String>,
}

/// What comes of an Action.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Processing {
    /// The processors, in their order. None if there is nothing to do.
    pub processors: Vec<Component>,
    /// What the Action asks for and is not done, each with the way around.
    pub without: Vec<String>,
}

/// Why nothing comes of an Action.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActionError {
    /// The signals are not those that it can be done to.
    #[error("signals: {0}")]
    Signals(String),
    /// No kind of change is given, or several are.
    #[error(
        "exactly one of addClusterInfo, deleteAttribute, renameAttribute, k8sAttributes, piiMasking, urlTemplatization, \
         spanRenamer, extractAttribute, dbQueryTemplatization, inferDbAttributes must be given, and {0} are"
    )]
    NotOne(usize),
    /// A field is not right.
    #[error("{field}: {message}")]
    Field {
        /// Its path, from `spec`.
        field: String,
        /// What is wrong with it, and what to change.
        message: String,
    },
    /// All that it asks for is not done yet.
    #[error("{0}")]
    NotSupported(String),
}

/// The signals of an Action that have pipelines.
type Signals = BTreeSet<Signal>;

/// The processors for an Action that is named `name`. Their ids hold an underscore, which no object's name does, so that
/// none is taken for a destination's.
///
/// # Errors
/// Something in the Action is wrong, or cannot be done.
pub fn action(name: &str, spec: &ActionSpec, facts: &Facts) -> Result<Processing, ActionError> {
    let signals = signals(spec)?;
    let mut changes: Vec<Result<Change, ActionError>> = Vec::new();
    let mut push = |change: Option<Result<Change, ActionError>>| changes.extend(change);
    push(spec.add_cluster_info.as_ref().map(attributes::cluster_info));
    push(
        spec.delete_attribute
            .as_ref()
            .map(|deletion| attributes::delete(deletion, &signals)),
    );
    push(
        spec.rename_attribute
            .as_ref()
            .map(|renaming| attributes::rename(renaming, &signals)),
    );
    push(
        spec.k8s_attributes
            .as_ref()
            .map(|wanted| attributes::kubernetes(wanted, &signals, facts)),
    );
    push(
        spec.pii_masking
            .as_ref()
            .map(|masking| masking::masking(masking, &signals)),
    );
    push(spec.url_templatization.as_ref().map(urls::templatization));
    push(spec.span_renamer.as_ref().map(spans::renamer));
    push(
        spec.extract_attribute
            .as_ref()
            .map(|extraction| extraction::extraction(extraction, &signals)),
    );
    push(spec.db_query_templatization.as_ref().map(database::templatization));
    push(
        spec.infer_db_attributes
            .as_ref()
            .map(|inference| Ok(database::inference(inference))),
    );
    let given = changes.len();
    match changes.pop() {
        Some(change) if given == 1 => change?.processing(name, &signals),
        _ => Err(ActionError::NotOne(given)),
    }
}

fn signals(spec: &ActionSpec) -> Result<Signals, ActionError> {
    let signals: Signals = spec.signals.iter().filter_map(|signal| pipeline(*signal)).collect();
    if signals.is_empty() {
        let message = "must be some of TRACES, METRICS, LOGS";
        return Err(ActionError::Signals(message.to_owned()));
    }
    let of_spans = spec.url_templatization.is_some()
        || spec.span_renamer.is_some()
        || spec.db_query_templatization.is_some()
        || spec.infer_db_attributes.is_some();
    if of_spans && !signals.contains(&Signal::Traces) {
        let message = "must contain TRACES, since spans are what is changed";
        return Err(ActionError::Signals(message.to_owned()));
    }
    Ok(signals)
}

/// A signal of the API that has pipelines.
pub(super) fn pipeline(signal: controllers_api::signals::Signal) -> Option<Signal> {
    match signal {
        controllers_api::signals::Signal::Traces => Some(Signal::Traces),
        controllers_api::signals::Signal::Metrics => Some(Signal::Metrics),
        controllers_api::signals::Signal::Logs => Some(Signal::Logs),
        controllers_api::signals::Signal::Profiles => None,
    }
}

/// What an Action does, before it has a name.
#[derive(Debug, Default)]
struct Change {
    /// A processor by its type, before the statements.
    processor: Option<(&'static str, collector_config::Node)>,
    groups: Vec<Group>,
    without: Vec<String>,
    /// The field that is named if a statement does not compile.
    field: &'static str,
}

impl Change {
    fn of(field: &'static str, groups: Vec<Group>) -> Change {
        Change {
            groups,
            field,
            ..Change::default()
        }
    }

    fn processing(self, name: &str, signals: &Signals) -> Result<Processing, ActionError> {
        let mut processing = Processing {
            without: self.without,
            ..Processing::default()
        };
        let component = |kind: &str, settings, signals: Vec<Signal>| Component {
            id: format!("{kind}/action_{name}"),
            settings,
            signals,
        };
        if let Some((kind, settings)) = self.processor {
            let signals = signals.iter().copied().collect();
            processing.processors.push(component(kind, settings, signals));
        }
        let groups: Vec<Group> = self
            .groups
            .into_iter()
            .filter(|group| signals.contains(&group.signal) && !group.statements.is_empty())
            .collect();
        if !groups.is_empty() {
            let touched: BTreeSet<Signal> = groups.iter().map(|group| group.signal).collect();
            let settings = statements::transform(&groups).map_err(|message| ActionError::Field {
                field: format!("spec.{}", self.field),
                message,
            })?;
            let component = component("transform", settings, touched.into_iter().collect());
            processing.processors.push(component);
        }
        if processing.processors.is_empty() && !processing.without.is_empty() {
            return Err(ActionError::NotSupported(processing.without.join("; ")));
        }
        Ok(processing)
    }
}

fn wrong(field: impl Into<String>, message: impl Into<String>) -> ActionError {
    ActionError::Field {
        field: field.into(),
        message: message.into(),
    }
}
