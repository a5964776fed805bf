//! What the users' objects are told: conditions, each with a reason and a message by which a person can act.

use crate::collectors::OutletState;
use crate::destinations::RenderError;
use controllers_api::conditions::{ConditionType, DestinationConfigured, TransformedToProcessor};

/// A kind of object that has a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Where telemetry is sent.
    Destination,
    /// What is done to it.
    Action,
    /// A user's own processor.
    Processor,
    /// Which traces are kept.
    Sampling,
    /// An object of actions.odigos.io, by its kind.
    Legacy(&'static str),
    /// The gateway's group, or that of the node collectors.
    CollectorsGroup,
}

/// A condition of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What kind of object.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// The condition's type.
    pub condition: &'static str,
    /// Whether it holds.
    pub holds: bool,
    /// Why, in one word.
    pub reason: Reason,
    /// Why, and what to do about it, as sentences.
    pub message: String,
}

/// The condition of a Destination.
pub const DESTINATION_CONFIGURED: &str = ConditionType::DestinationConfigured.as_str();
/// The condition of an Action, and of the legacy kinds that are served as Actions.
pub const TRANSFORMED: &str = ConditionType::TransformedToProcessor.as_str();
/// The condition of a Processor.
pub const CONFIGURED: &str = "Configured";
/// The condition of a Sampling, and of a legacy sampler.
pub const APPLIED: &str = "SamplingApplied";
/// The condition of a CollectorsGroup: its collectors can take data.
pub const READY: &str = "Ready";
/// The condition of a CollectorsGroup: all that it asks for is done.
pub const COMPLETE: &str = "ConfigurationComplete";

/// Reasons of all these conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Of a Destination.
    Destination(DestinationConfigured),
    /// Of an Action.
    Action(TransformedToProcessor),
    /// The collectors' configuration has it.
    Configured,
    /// It is in there, but for what the message names.
    PartlySupported,
    /// The user switched it off.
    Disabled,
    /// The collector has nothing of this kind.
    NotSupported,
    /// A field is wrong or missing.
    InvalidFields,
    /// There is no gateway yet.
    WaitingForGateway,
    /// All collectors can take data.
    Available,
    /// Some, or all, cannot yet.
    WaitingForPods,
    /// There is nothing that is not done.
    Complete,
}

impl Reason {
    /// As it stands in the object.
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::Destination(reason) => reason.as_str(),
            Reason::Action(reason) => reason.as_str(),
            Reason::Configured => "Configured",
            Reason::PartlySupported => "PartlySupported",
            Reason::Disabled => "Disabled",
            Reason::NotSupported => "NotSupported",
            Reason::InvalidFields => "InvalidFields",
            Reason::WaitingForGateway => "WaitingForGateway",
            Reason::Available => "Available",
            Reason::WaitingForPods => "WaitingForPods",
            Reason::Complete => "Complete",
        }
    }
}

/// Whether something holds, with its reason and message.
pub(super) type Finding = (bool, Reason, String);

/// That it is in use.
pub(super) fn done(what: &str) -> Finding {
    (true, Reason::Configured, format!("{what}."))
}

/// That the user switched it off.
pub(super) fn disabled(reason: Reason) -> Finding {
    let message = "It is disabled: set spec.disabled to false to use it.";
    (false, reason, message.to_owned())
}

/// The verdict on an Action that is done, but for `without`.
pub(super) fn action(without: &[String]) -> Finding {
    let message = match without {
        [] => "The gateway does it.".to_owned(),
        without => format!("The gateway does it, but for this: {}.", without.join("; ")),
    };
    (true, Reason::Action(TransformedToProcessor::ProcessorCreated), message)
}

/// The verdict on a destination as long as there is no gateway.
pub(super) fn no_gateway() -> Finding {
    let message =
        "There is no gateway yet. It comes as soon as the scheduler has seen a Destination that is not disabled.";
    let reason = Reason::Destination(DestinationConfigured::WaitingForGateway);
    (false, reason, message.to_owned())
}

/// The verdict on a destination.
pub(super) fn outlet(state: &OutletState) -> Finding {
    let (reason, message) = match state {
        OutletState::Configured(without) if without.is_empty() => {
            (DestinationConfigured::Configured, "The gateway sends to it.".to_owned())
        }
        OutletState::Configured(without) => {
            let without: Vec<String> = without
                .iter()
                .map(|(signal, around)| format!("{signal}: {around}"))
                .collect();
            let message = format!("The gateway sends to it, but not all signals: {}.", without.join("; "));
            (DestinationConfigured::PartlyConfigured, message)
        }
        OutletState::Disabled => return disabled(Reason::Destination(DestinationConfigured::Disabled)),
        OutletState::NothingSelected => {
            let message = "No Source is in the data streams that spec.sourceSelector names. Label a Source with \
                           odigos.io/data-stream-<name>: \"true\", or take the selector out to send everything.";
            (DestinationConfigured::NothingSelected, message.to_owned())
        }
        OutletState::Refused(error) => (refusal(error), format!("Nothing is sent to it: {error}.")),
    };
    let holds = matches!(state, OutletState::Configured(_));
    (holds, Reason::Destination(reason), message)
}

fn refusal(error: &RenderError) -> DestinationConfigured {
    match error {
        RenderError::UnknownType { .. } => DestinationConfigured::UnknownType,
        RenderError::NotSupported { .. } => DestinationConfigured::NotSupported,
        RenderError::NoSignals(_) | RenderError::Signal { .. } => DestinationConfigured::NoSignals,
        RenderError::Fields(_) => DestinationConfigured::InvalidFields,
    }
}
