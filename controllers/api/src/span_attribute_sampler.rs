//! Legacy: keeps traces with given span attributes.

use crate::conditions::ConditionsStatus;
use crate::signals::LegacySignal;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Legacy: keeps traces with given span attributes.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    derive = "PartialEq",
    group = "actions.odigos.io",
    version = "v1alpha1",
    kind = "SpanAttributeSampler",
    plural = "spanattributesamplers",
    singular = "spanattributesampler",
    namespaced,
    shortname = "sas",
    status = "ConditionsStatus",
    doc = "Legacy: keeps traces with given span attributes."
)]
#[serde(rename_all = "camelCase")]
pub struct SpanAttributeSamplerSpec {
    /// A name for people, shown in lists and in the UI; free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action_name: Option<String>,
    /// Each keeps or samples the traces with a span whose attribute meets a condition.
    #[serde(rename = "attribute_filters")]
    pub attribute_filters: Vec<SpanAttributeFilter>,
    /// True to keep the object without any effect, as if it were not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Free text for people: why the object is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// The kinds of telemetry that it applies to: TRACES, METRICS, LOGS.
    pub signals: Vec<LegacySignal>,
}

/// Each keeps or samples the traces with a span whose attribute meets a condition.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpanAttributeFilter {
    /// The attribute that is looked at.
    #[serde(rename = "attribute_key")]
    pub attribute_key: String,
    /// What the attribute's value must meet; exactly one of the four.
    pub condition: AttributeCondition,
    /// Percentage of the remaining traces that is kept.
    #[serde(rename = "fallback_sampling_ratio")]
    #[schemars(extend("minimum" = 0, "maximum" = 100, "default" = 100))]
    pub fallback_sampling_ratio: f64,
    /// Percentage of the matching traces that is kept.
    #[serde(rename = "sampling_ratio")]
    #[schemars(extend("minimum" = 0, "maximum" = 100, "default" = 100))]
    pub sampling_ratio: f64,
    /// service.name of the service.
    #[serde(rename = "service_name")]
    pub service_name: String,
}

/// What the attribute's value must meet; exactly one of the four.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "(has(self.boolean_condition) ? 1 : 0) + (has(self.json_condition) ? 1 : 0) + (has(self.number_condition) ? 1 : 0) + (has(self.string_condition) ? 1 : 0) == 1", "message": "exactly one of boolean_condition, json_condition, number_condition, string_condition must be given"},
]))]
pub struct AttributeCondition {
    /// The value is a boolean.
    #[serde(rename = "boolean_condition", skip_serializing_if = "Option::is_none")]
    pub boolean_condition: Option<BooleanCondition>,
    /// The value is a JSON document.
    #[serde(rename = "json_condition", skip_serializing_if = "Option::is_none")]
    pub json_condition: Option<JsonCondition>,
    /// The value is a number.
    #[serde(rename = "number_condition", skip_serializing_if = "Option::is_none")]
    pub number_condition: Option<NumberCondition>,
    /// The value is a string.
    #[serde(rename = "string_condition", skip_serializing_if = "Option::is_none")]
    pub string_condition: Option<StringCondition>,
}

/// The value is a string.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StringCondition {
    /// The value to compare with.
    #[serde(rename = "expected_value", skip_serializing_if = "Option::is_none")]
    pub expected_value: Option<String>,
    /// The operation; absent means any.
    pub operation: StringOperation,
}

/// The value is a number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NumberCondition {
    /// The value to compare with.
    #[serde(rename = "expected_value", skip_serializing_if = "Option::is_none")]
    pub expected_value: Option<f64>,
    /// The operation; absent means any.
    pub operation: NumberOperation,
}

/// The value is a JSON document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JsonCondition {
    /// The value to compare with.
    #[serde(rename = "expected_value", skip_serializing_if = "Option::is_none")]
    pub expected_value: Option<String>,
    /// The path inside the document.
    #[serde(rename = "json_path", skip_serializing_if = "Option::is_none")]
    pub json_path: Option<String>,
    /// The operation; absent means any.
    pub operation: JsonOperation,
}

/// The value is a boolean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BooleanCondition {
    /// The value to compare with.
    #[serde(rename = "expected_value", skip_serializing_if = "Option::is_none")]
    pub expected_value: Option<bool>,
    /// The operation; absent means any.
    pub operation: BooleanOperation,
}

/// How a boolean is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum BooleanOperation {
    /// It is there.
    #[serde(rename = "exists")]
    Exists,
    /// It is the expected one.
    #[serde(rename = "equals")]
    Equals,
}

/// How a string is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum StringOperation {
    /// It is there.
    #[serde(rename = "exists")]
    Exists,
    /// It is the expected one.
    #[serde(rename = "equals")]
    Equals,
    /// It is another one.
    #[serde(rename = "not_equals")]
    NotEquals,
    /// It contains the expected one.
    #[serde(rename = "contains")]
    Contains,
    /// It does not contain the expected one.
    #[serde(rename = "not_contains")]
    NotContains,
    /// It matches the expression.
    #[serde(rename = "regex")]
    Regex,
}

/// How a number is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum NumberOperation {
    /// It is there.
    #[serde(rename = "exists")]
    Exists,
    /// It is the expected one.
    #[serde(rename = "equals")]
    Equals,
    /// It is another one.
    #[serde(rename = "not_equals")]
    NotEquals,
    /// It is greater.
    #[serde(rename = "greater_than")]
    GreaterThan,
    /// It is less.
    #[serde(rename = "less_than")]
    LessThan,
    /// It is not less.
    #[serde(rename = "greater_than_or_equal")]
    GreaterThanOrEqual,
    /// It is not greater.
    #[serde(rename = "less_than_or_equal")]
    LessThanOrEqual,
}

/// How a JSON document is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum JsonOperation {
    /// It is JSON.
    #[serde(rename = "is_valid_json")]
    IsValidJson,
    /// It is no JSON.
    #[serde(rename = "is_invalid_json")]
    IsInvalidJson,
    /// It is the expected one.
    #[serde(rename = "equals")]
    Equals,
    /// It is another one.
    #[serde(rename = "not_equals")]
    NotEquals,
    /// The path is there.
    #[serde(rename = "jsonpath_exists")]
    JsonpathExists,
    /// The value at the path is the expected one.
    #[serde(rename = "key_equals")]
    KeyEquals,
    /// The value at the path is another one.
    #[serde(rename = "key_not_equals")]
    KeyNotEquals,
}
