//! Conditions whose `lastTransitionTime` says when the status last changed, not when somebody last looked.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// What a component has to say in one condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The condition's type.
    pub condition: &'static str,
    /// Whether it holds; nothing while that is not known.
    pub holds: Option<bool>,
    /// A word in CamelCase for programs.
    pub reason: &'static str,
    /// What a person should know or do.
    pub message: String,
}

impl Statement {
    /// As a condition. `before` are the object's present conditions, `generation` is the one that was looked at.
    pub fn condition(&self, before: &[Condition], generation: Option<i64>, now: &Time) -> Condition {
        let status = match self.holds {
            Some(true) => "True",
            Some(false) => "False",
            None => "Unknown",
        };
        let same = before
            .iter()
            .find(|it| it.type_ == self.condition && it.status == status);
        Condition {
            type_: self.condition.to_owned(),
            status: status.to_owned(),
            reason: self.reason.to_owned(),
            message: self.message.clone(),
            observed_generation: generation,
            last_transition_time: same.map_or_else(|| now.clone(), |it| it.last_transition_time.clone()),
        }
    }
}

/// All that a component says, as conditions.
pub fn conditions(
    statements: &[Statement],
    before: &[Condition],
    generation: Option<i64>,
    now: &Time,
) -> Vec<Condition> {
    let statements = statements.iter();
    statements.map(|it| it.condition(before, generation, now)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::jiff::Timestamp;

    #[test]
    fn the_time_changes_with_the_status_alone() {
        let at = |second| Time(Timestamp::from_second(second).unwrap());
        let mut statement = Statement {
            condition: "Ready",
            holds: Some(false),
            reason: "Waiting",
            message: "for one".to_owned(),
        };
        let first = conditions(std::slice::from_ref(&statement), &[], Some(1), &at(10));
        statement.message = "for another".to_owned();
        let second = conditions(std::slice::from_ref(&statement), &first, Some(1), &at(20));
        assert_eq!(
            (second[0].last_transition_time.clone(), second[0].message.as_str()),
            (at(10), "for another")
        );
        statement.holds = Some(true);
        let third = conditions(std::slice::from_ref(&statement), &second, Some(1), &at(30));
        assert_eq!(third[0].last_transition_time, at(30));
    }
}
