//! Parts of Actions that their legacy kinds and the configurations made of them share.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Labels that become resource attributes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LabelAttribute {
    /// The attribute that the value is written to.
    pub attribute_key: String,
    /// The object whose label is read. Superseded by fromSources.
    #[serde(default)]
    pub r#from: AttributeSource,
    /// The objects that are looked at; the first that has the key wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from_sources: Vec<AttributeSource>,
    /// The label's key.
    pub label_key: String,
}

/// Annotations that become resource attributes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnnotationAttribute {
    /// The annotation's key.
    pub annotation_key: String,
    /// The attribute that the value is written to.
    pub attribute_key: String,
    /// The object whose annotation is read: pod, namespace or node. Superseded by fromSources.
    #[serde(default = "crate::defaults::pod")]
    pub r#from: String,
    /// The objects that are looked at; the first that has the key wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from_sources: Vec<AttributeSource>,
}

/// The attributes to add.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterAttribute {
    /// The attribute's name.
    pub attribute_name: String,
    /// Its value.
    pub attribute_string_value: String,
}

/// Values that match a regular expression.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomRegexMasking {
    /// The regular expression.
    pub regex: String,
}

/// Values found by a key in a known format.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomFormatMasking {
    /// The format in which the key is looked for.
    pub data_format: DataFormat,
    /// The key or path element whose value is masked.
    pub lookup_key: String,
}

/// Which requests are left alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UrlTemplatizationSkipPolicy {
    /// Leave requests alone that did not succeed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_for_non_success_codes: Option<bool>,
    /// Leave requests with these status codes alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skip_http_status_codes: Vec<i64>,
}

/// Applied to the span's name in this order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegexReplacement {
    /// The regular expression.
    pub regex_pattern: String,
    /// The replacement; $1 or ${name} stand for groups of the expression.
    pub template_text: String,
}

/// The object whose label or annotation is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum AttributeSource {
    /// The pod.
    #[default]
    #[serde(rename = "pod")]
    Pod,
    /// Its namespace.
    #[serde(rename = "namespace")]
    Namespace,
    /// Its node.
    #[serde(rename = "node")]
    Node,
}

/// A known kind of personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum PiiCategory {
    /// Numbers of credit cards.
    #[serde(rename = "CREDIT_CARD")]
    CreditCard,
    /// Addresses of mail.
    #[serde(rename = "EMAIL")]
    Email,
    /// JSON web tokens.
    #[serde(rename = "JWT")]
    Jwt,
    /// UUIDs.
    #[serde(rename = "UUID")]
    Uuid,
}

/// A known kind of personal data, as the legacy kind knows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum LegacyPiiCategory {
    /// Numbers of credit cards.
    #[serde(rename = "CREDIT_CARD")]
    CreditCard,
}

/// The format of a value in which a key is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum DataFormat {
    /// A path of names and ids in turn.
    #[serde(rename = "resource_path")]
    ResourcePath,
    /// JSON.
    #[serde(rename = "json")]
    Json,
    /// An SQL statement.
    #[serde(rename = "sql")]
    Sql,
}
