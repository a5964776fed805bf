//! What Sources and rules bring about, as their authors are told: the condition `Accepted`.

use super::config::{Finding, Status};
use super::rules;
use controllers_api::conditions::{Accepted, ConditionType};
use controllers_api::instrumentation_rule::InstrumentationRuleSpec;

/// What a Source brings about. It holds no numbers, so that workloads may come and go without a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// It instruments what it is about.
    Instruments,
    /// It excludes what it is about.
    Excludes,
    /// There is nothing that it is about.
    NoWorkload,
    /// Others, which are named, decide about all that it is about.
    PassedOver(String),
    /// The configuration ignores its namespace.
    NamespaceIgnored,
    /// It cannot be read.
    Invalid(String),
}

impl Effect {
    /// The same as a condition.
    pub fn finding(&self) -> Finding {
        let (status, reason, message) = match self {
            Self::Instruments => {
                let message =
                    "what it is about is instrumented; each workload's InstrumentationConfig says how far it is";
                (Status::True, Accepted::Instruments, message.to_owned())
            }
            Self::Excludes => (
                Status::True,
                Accepted::Excludes,
                "what it is about is left alone".to_owned(),
            ),
            Self::NoWorkload => {
                let message = "there is no such workload yet: waiting for one with this kind and name in the namespace";
                (Status::Unknown, Accepted::NoWorkload, message.to_owned())
            }
            Self::PassedOver(by) => {
                let message =
                    format!("Sources that are nearer to the workloads, or come before it, decide instead: {by}");
                (Status::False, Accepted::PassedOver, message)
            }
            Self::NamespaceIgnored => {
                let message = "the configuration ignores the namespace: take it out of ignoredNamespaces";
                (Status::False, Accepted::NamespaceIgnored, message.to_owned())
            }
            Self::Invalid(why) => (Status::False, Accepted::Invalid, why.clone()),
        };
        accepted(status, reason, message)
    }
}

/// The condition of a rule: what of it has no effect.
pub fn of_rule(rule: &InstrumentationRuleSpec) -> Finding {
    if rule.disabled == Some(true) {
        return accepted(Status::False, Accepted::Disabled, "spec.disabled is set".to_owned());
    }
    let without = rules::without_effect(rule);
    if without.is_empty() {
        return accepted(Status::True, Accepted::InEffect, "all of it has its effect".to_owned());
    }
    accepted(Status::False, Accepted::PartlyInEffect, without.join("; "))
}

fn accepted(status: Status, reason: Accepted, message: String) -> Finding {
    Finding {
        condition: ConditionType::Accepted,
        status,
        reason: reason.as_str().to_owned(),
        message,
    }
}
