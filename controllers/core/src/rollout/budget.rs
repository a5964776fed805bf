//! What PodDisruptionBudgets allow.

use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use std::collections::BTreeMap;

/// How many more pods with these labels may be down, by the strictest budget about them; nothing if there is none. A budget
/// that its controller has not looked at yet allows nothing.
pub fn allowed<'a>(
    budgets: impl IntoIterator<Item = &'a PodDisruptionBudget>,
    labels: &BTreeMap<String, String>,
) -> Option<u32> {
    let about = |budget: &&PodDisruptionBudget| {
        let selector = budget.spec.as_ref().and_then(|it| it.selector.as_ref());
        selector.is_some_and(|selector| selects(selector, labels))
    };
    let allowed = |budget: &PodDisruptionBudget| {
        let allowed = budget.status.as_ref().map_or(0, |it| it.disruptions_allowed);
        u32::try_from(allowed).unwrap_or_default()
    };
    budgets.into_iter().filter(about).map(allowed).min()
}

/// An empty selector selects everything, as budgets of `policy/v1` do.
fn selects(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    let mut literal = selector.match_labels.iter().flatten();
    let mut expressions = selector.match_expressions.iter().flatten();
    literal.all(|(name, value)| labels.get(name) == Some(value)) && expressions.all(|it| meets(it, labels))
}

fn meets(requirement: &LabelSelectorRequirement, labels: &BTreeMap<String, String>) -> bool {
    let value = labels.get(&requirement.key);
    let is_one = value.is_some_and(|value| requirement.values.iter().flatten().any(|it| it == value));
    match requirement.operator.as_str() {
        "In" => is_one,
        "NotIn" => !is_one,
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(selectors: &[(serde_json::Value, i32)], expected: Option<u32>) {
        let budgets: Vec<PodDisruptionBudget> = selectors
            .iter()
            .map(|(selector, allowed)| {
                let budget = json!({"metadata": {}, "spec": {"selector": selector}, "status": {
                    "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 1, "disruptionsAllowed": allowed}});
                serde_json::from_value(budget).unwrap()
            })
            .collect();
        let labels = [("app".to_owned(), "cart".to_owned())].into();
        assert_eq!(allowed(&budgets, &labels), expected, "{selectors:?}");
    }

    #[test]
    fn the_strictest_budget_about_the_pods_counts() {
        check(&[], None);
        check(&[(json!({"matchLabels": {"app": "other"}}), 0)], None);
        check(&[(json!({"matchLabels": {"app": "cart"}}), 2), (json!({}), 1)], Some(1));
        let expression =
            |operator, values| json!({"matchExpressions": [{"key": "app", "operator": operator, "values": values}]});
        check(&[(expression("In", json!(["cart"])), 0)], Some(0));
        check(&[(expression("NotIn", json!(["cart"])), 0)], None);
        check(&[(expression("Exists", json!(null)), 3)], Some(3));
        check(&[(expression("DoesNotExist", json!(null)), 3)], None);
    }
}
