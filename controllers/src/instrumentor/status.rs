//! Conditions as they are written: with the time at which they last changed.

use controllers_core::instrumentor::Finding;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use serde::Serialize;

/// What one writer says of an object's status.
#[derive(Debug, Serialize)]
pub struct Conditions {
    conditions: Vec<Condition>,
}

impl Conditions {
    /// The findings as conditions. One whose status is as it was keeps its time.
    pub fn new(findings: &[Finding], live: &[Condition], now: &Time) -> Self {
        let conditions = findings.iter().map(|finding| {
            let before = live.iter().find(|before| before.type_ == finding.condition.as_str());
            let before = before.filter(|before| before.status == finding.status.as_str());
            Condition {
                type_: finding.condition.as_str().to_owned(),
                status: finding.status.as_str().to_owned(),
                reason: finding.reason.clone(),
                message: bounded(&finding.message),
                last_transition_time: before.map_or_else(|| now.clone(), |before| before.last_transition_time.clone()),
                observed_generation: None,
            }
        });
        Self {
            conditions: conditions.collect(),
        }
    }
}

/// The most that the API takes of a message, in bytes.
const LONGEST: usize = 32 * 1024;

fn bounded(message: &str) -> String {
    let mut end = LONGEST.min(message.len());
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    message[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use controllers_api::conditions::ConditionType;
    use controllers_core::instrumentor::Status;

    #[test]
    fn a_condition_keeps_its_time_until_its_status_changes() {
        let time = |text: &str| Time(text.parse().unwrap());
        let finding = |status, message: &str| Finding {
            condition: ConditionType::AgentEnabled,
            status,
            reason: "Why".to_owned(),
            message: message.to_owned(),
        };
        let (early, late) = (time("2026-01-01T00:00:00Z"), time("2026-01-02T00:00:00Z"));
        let first = Conditions::new(&[finding(Status::True, "a")], &[], &early);
        let second = Conditions::new(&[finding(Status::True, "b")], &first.conditions, &late);
        assert_eq!(second.conditions[0].last_transition_time, early);
        assert_eq!(second.conditions[0].message, "b");
        let third = Conditions::new(&[finding(Status::False, "b")], &second.conditions, &late);
        assert_eq!(third.conditions[0].last_transition_time, late);
        let long = Conditions::new(&[finding(Status::False, &"ä".repeat(LONGEST))], &[], &late);
        assert_eq!(long.conditions[0].message.len(), LONGEST);
    }
}
