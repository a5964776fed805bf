//! Rules of a Sampling.

use super::{Match, Rule, Rules, SamplingError, operations};
use crate::collectors::scopes;
use crate::collectors::statements::{all, check_condition};
use collector_ottl::Context;
use controllers_api::sampling::SamplingSpec;
use controllers_api::workload::SourceScopes;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// The rules of a Sampling; none if it is disabled.
///
/// # Errors
/// A percentage is out of its range, or a condition would not be taken by the collector.
pub fn sampling(spec: &SamplingSpec) -> Result<Rules, SamplingError> {
    let mut rules = Rules::default();
    if spec.disabled == Some(true) {
        return Ok(rules);
    }
    for (index, rule) in spec.noisy_operations.iter().enumerate() {
        if rule.disabled == Some(true) {
            continue;
        }
        let operation = rule.operation.as_ref().and_then(operations::head);
        let begins = [
            Some("IsRootSpan()".to_owned()),
            operation,
            scopes::condition(rule.source_scopes.as_ref()),
        ];
        rules.noisy.push(Rule {
            id: id(&rule.source_scopes, &rule.operation),
            matches: Match {
                span: condition(begins),
                ..Match::default()
            },
            // Noise of which nobody says how much to keep is not kept.
            percentage: rule.percentage_at_most.unwrap_or(0.0),
        });
        check(&rules.noisy, "noisyOperations", index, "percentageAtMost")?;
    }
    for (index, rule) in spec.highly_relevant_operations.iter().enumerate() {
        if rule.disabled == Some(true) {
            continue;
        }
        let operation = rule.operation.as_ref().and_then(operations::tail);
        rules.relevant.push(Rule {
            id: id(&rule.source_scopes, &rule.operation),
            matches: Match {
                span: condition([operation, scopes::condition(rule.source_scopes.as_ref())]),
                error: rule.error == Some(true),
                milliseconds: rule.duration_at_least_ms.and_then(|least| u64::try_from(least).ok()),
            },
            percentage: rule.percentage_at_least.unwrap_or(100.0),
        });
        check(&rules.relevant, "highlyRelevantOperations", index, "percentageAtLeast")?;
    }
    for (index, rule) in spec.cost_reduction_rules.iter().enumerate() {
        if rule.disabled == Some(true) {
            continue;
        }
        let operation = rule.operation.as_ref().and_then(operations::tail);
        rules.costly.push(Rule {
            id: id(&rule.source_scopes, &rule.operation),
            matches: Match {
                span: condition([operation, scopes::condition(rule.source_scopes.as_ref())]),
                ..Match::default()
            },
            percentage: rule.percentage_at_most,
        });
        check(&rules.costly, "costReductionRules", index, "percentageAtMost")?;
    }
    Ok(rules)
}

fn condition(parts: impl IntoIterator<Item = Option<String>>) -> Option<String> {
    all(&parts.into_iter().flatten().collect::<Vec<_>>())
}

/// Whether the last rule of a list is one that the collector takes.
fn check(rules: &[Rule], list: &str, index: usize, percentage: &str) -> Result<(), SamplingError> {
    let Some(rule) = rules.last() else { return Ok(()) };
    let error = |field: &str, message: String| SamplingError {
        field: format!("spec.{list}[{index}].{field}"),
        message,
    };
    if !(0.0..=100.0).contains(&rule.percentage) {
        return Err(error(percentage, format!("{} must be from 0 to 100", rule.percentage)));
    }
    match &rule.matches.span {
        Some(condition) => check_condition(Context::Span, condition).map_err(|message| error("operation", message)),
        None => Ok(()),
    }
}

/// What a rule is known by, however much of it is kept: of the SHA-256 of the JSON of scope and operation, the first eight
/// bytes in hexadecimal digits.
fn id(scopes: &Option<SourceScopes>, operation: &impl Serialize) -> String {
    let text = serde_json::json!({"sourceScopes": scopes, "operation": operation}).to_string();
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
