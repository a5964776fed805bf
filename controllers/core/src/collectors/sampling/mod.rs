//! Sampling rules as policies of `tail_sampling`.
//!
//! Three lists decide about a finished trace, and the first in which a rule matches decides alone: noisy operations (at
//! most so many percent are kept; of several rules the lowest counts), highly relevant ones (at least so many; the highest
//! counts), rules that save cost (at most; the lowest). What no rule matches is kept. The percentage is taken by a hash of
//! the trace's id, so that all gateways decide alike, and a trace that a lower percentage keeps a higher one keeps too.
//!
//! The samplers of before the Sampling kind follow these lists, with lists of their own ([`legacy`]).
//!
//! The processor knows only "dropped if a policy drops it, else kept if one keeps it". So each policy of a list begins with
//! what the lists before must not match: of a list whose lowest percentage counts, every rule drops what is over, and keeps
//! the rest of what it matches; of one whose highest counts, every rule keeps what is within. The last policy keeps what no
//! list matches.

mod conversion;
mod legacy;
mod operations;

pub use conversion::sampling;

use super::statements::literal;
use crate::legacy::TraceRule;
use collector_config::{Node, Value};

/// The rules of all objects.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rules {
    /// Of which at most a part is kept, whatever else they are.
    pub noisy: Vec<Rule>,
    /// Of which at least a part is kept.
    pub relevant: Vec<Rule>,
    /// Of which at most a part is kept, to save cost.
    pub costly: Vec<Rule>,
    samplers: legacy::Lists,
}

/// A rule, whatever object it comes from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rule {
    /// Its id, sixteen hexadecimal digits for those of a Sampling; unique.
    pub id: String,
    /// Which traces it is for.
    pub matches: Match,
    /// How many of them are kept, 0 to 100.
    pub percentage: f64,
}

/// What a trace must have; what is given must hold together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Match {
    /// A span for which this condition of the transformation language holds.
    pub span: Option<String>,
    /// A span with an error.
    pub error: bool,
    /// From its first start to its last end, at least so many milliseconds.
    pub milliseconds: Option<u64>,
}

/// Why an object's rules are not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct SamplingError {
    /// The field's path, from `spec`.
    pub field: String,
    /// What is wrong with it, and what to change.
    pub message: String,
}

/// Which of the matching rules of a list decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decides {
    /// The one that keeps least.
    Lowest,
    /// The one that keeps most.
    Highest,
}

/// A list of rules that decides if one of them matches and no list before has decided.
struct Stage<'r> {
    name: &'static str,
    rules: &'r [Rule],
    decides: Decides,
}

impl Rules {
    /// Adds those of another object. Of two rules for the same traces the one that decides is left.
    pub fn extend(&mut self, other: Rules) {
        join(&mut self.noisy, other.noisy, f64::min);
        join(&mut self.relevant, other.relevant, f64::max);
        join(&mut self.costly, other.costly, f64::min);
    }

    /// Adds those of a sampler of before.
    ///
    /// # Errors
    /// A condition asks for what cannot be told of a span; then none is added.
    pub fn add_sampler(&mut self, rules: &[TraceRule]) -> Result<(), SamplingError> {
        self.samplers.add(rules)
    }

    /// Whether every trace is kept.
    pub fn is_empty(&self) -> bool {
        self.stages().iter().all(|stage| stage.rules.is_empty())
    }

    /// The policies; none if there are no rules.
    pub fn policies(&self) -> Vec<Node> {
        if self.is_empty() {
            return Vec::new();
        }
        let mut policies = Vec::new();
        let mut earlier: Vec<&Rule> = Vec::new();
        for stage in self.stages() {
            let undecided = undecided(&earlier);
            policies.extend(stage.rules.iter().flat_map(|rule| stage.policies(rule, &undecided)));
            earlier.extend(stage.rules);
        }
        policies.push(list_policy("rest", "and", undecided(&earlier)));
        policies
    }

    fn stages(&self) -> Vec<Stage<'_>> {
        let stage = |name, rules, decides| Stage { name, rules, decides };
        let mut stages = vec![
            stage("noisy", &self.noisy[..], Decides::Lowest),
            stage("relevant", &self.relevant, Decides::Highest),
            stage("costly", &self.costly, Decides::Lowest),
        ];
        let samplers = legacy::NAMES.iter().zip(&self.samplers.0);
        stages.extend(samplers.map(|(name, rules)| stage(name, rules, Decides::Highest)));
        stages
    }
}

/// That none of the rules matches. Those that look at nothing but spans are asked in one go.
fn undecided(rules: &[&Rule]) -> Vec<Node> {
    let of_spans = |rule: &Rule| {
        let others = Match {
            span: None,
            ..rule.matches.clone()
        };
        (others == Match::default())
            .then(|| rule.matches.span.clone())
            .flatten()
    };
    let conditions: Vec<String> = rules.iter().filter_map(|rule| of_spans(rule)).collect();
    let together = (!conditions.is_empty()).then(|| not("undecided", any_span("span", &conditions)));
    let others = rules.iter().filter(|rule| of_spans(rule).is_none());
    let others = others.map(|rule| not("undecided", list_policy("other", "and", rule.parts())));
    together.into_iter().chain(others).collect()
}

fn join(rules: &mut Vec<Rule>, others: Vec<Rule>, stronger: fn(f64, f64) -> f64) {
    for mut rule in others {
        if let Some(same) = rules.iter_mut().find(|same| same.matches == rule.matches) {
            same.percentage = stronger(same.percentage, rule.percentage);
            continue;
        }
        // Rules of one operation that differ in what else a trace must have share an id; names are told apart.
        let numbered = format!("{}#", rule.id);
        let same = rules
            .iter()
            .filter(|other| other.id == rule.id || other.id.starts_with(&numbered));
        let same = same.count();
        if same > 0 {
            rule.id = format!("{numbered}{}", same + 1);
        }
        rules.push(rule);
    }
}

impl Stage<'_> {
    fn policies(&self, rule: &Rule, undecided: &[Node]) -> Vec<Node> {
        let parts = || undecided.iter().cloned().chain(rule.parts());
        let name = |what: &str| format!("{what}{}/{}", self.name, rule.id);
        let within = rule.within();
        match self.decides {
            Decides::Lowest => {
                let over = parts().chain(within.map(|within| not("over", within)));
                vec![
                    list_policy(&name("over-"), "drop", over.collect()),
                    list_policy(&name(""), "and", parts().collect()),
                ]
            }
            Decides::Highest => {
                let within = within.map(|within| list_policy(&name(""), "and", parts().chain([within]).collect()));
                within.into_iter().collect()
            }
        }
    }
}

impl Rule {
    /// The traces that its percentage keeps; nothing if it keeps none.
    fn within(&self) -> Option<Node> {
        let settings = Node::map([("sampling_percentage", Value::Float(self.percentage).into())]);
        (self.percentage > 0.0).then(|| policy("share", "probabilistic", settings))
    }

    /// Never empty.
    fn parts(&self) -> Vec<Node> {
        let Match {
            span,
            error,
            milliseconds,
        } = &self.matches;
        let mut parts = Vec::new();
        parts.extend(
            span.as_ref()
                .map(|condition| any_span("span", std::slice::from_ref(condition))),
        );
        if *error {
            let settings = Node::map([("status_codes", Node::list(["ERROR".into()]))]);
            parts.push(policy("error", "status_code", settings));
        }
        parts.extend(milliseconds.map(|milliseconds| {
            let milliseconds = i64::try_from(milliseconds).unwrap_or(i64::MAX);
            policy("latency", "latency", Node::map([("threshold_ms", milliseconds.into())]))
        }));
        if parts.is_empty() {
            parts.push(policy("any", "always_sample", Node::map([])));
        }
        parts
    }
}

/// That one of the conditions holds for a span.
fn any_span(name: &str, conditions: &[String]) -> Node {
    let conditions = conditions.iter().map(|condition| literal(condition));
    let settings = Node::map([("error_mode", "ignore".into()), ("span", Node::list(conditions))]);
    policy(name, "ottl_condition", settings)
}

fn not(name: &str, part: Node) -> Node {
    policy(name, "not", Node::map([("not_sub_policy", part)]))
}

/// A policy of others that must hold together: `and` or `drop`. Of none, it is for every trace.
fn list_policy(name: &str, kind: &str, parts: Vec<Node>) -> Node {
    let parts = match parts.is_empty() {
        true => vec![policy("every", "always_sample", Node::map([]))],
        false => parts,
    };
    let key = format!("{kind}_sub_policy");
    policy(name, kind, Node::map([(key.as_str(), Node::list(parts))]))
}

fn policy(name: &str, kind: &str, settings: Node) -> Node {
    let settings = (settings != Node::map([])).then_some((kind, settings));
    Node::map(
        [("name", literal(name)), ("type", kind.into())]
            .into_iter()
            .chain(settings),
    )
}
