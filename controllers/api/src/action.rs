//! Changes telemetry on its way through the collectors. Exactly one kind of change.

use crate::attributes::{
    AnnotationAttribute, ClusterAttribute, CustomFormatMasking, CustomRegexMasking, DataFormat, LabelAttribute,
    PiiCategory, RegexReplacement, UrlTemplatizationSkipPolicy,
};
use crate::conditions::ConditionsStatus;
use crate::signals::Signal;
use crate::workload::{ProgrammingLanguage, SourceScopes};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Changes telemetry on its way through the collectors. Exactly one kind of change.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    derive = "PartialEq",
    group = "odigos.io",
    version = "v1alpha1",
    kind = "Action",
    plural = "actions",
    singular = "action",
    namespaced,
    status = "ConditionsStatus",
    doc = "Changes telemetry on its way through the collectors. Exactly one kind of change.",
    printcolumn = r#"{"name":"Name","type":"string","jsonPath":".spec.actionName"}"#,
    printcolumn = r#"{"name":"Signals","type":"string","jsonPath":".spec.signals"}"#,
    printcolumn = r#"{"name":"Disabled","type":"boolean","jsonPath":".spec.disabled"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "[has(self.addClusterInfo), has(self.deleteAttribute), has(self.renameAttribute), has(self.k8sAttributes), has(self.piiMasking), has(self.urlTemplatization), has(self.spanRenamer), has(self.extractAttribute), has(self.dbQueryTemplatization), has(self.inferDbAttributes)].exists_one(given, given)", "message": "exactly one of addClusterInfo, deleteAttribute, renameAttribute, k8sAttributes, piiMasking, urlTemplatization, spanRenamer, extractAttribute, dbQueryTemplatization, inferDbAttributes must be given"},
]))]
pub struct ActionSpec {
    /// A name for people, shown in lists and in the UI; free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action_name: Option<String>,
    /// Adds attributes with fixed values, such as the cluster's name, to every resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub add_cluster_info: Option<ClusterInfoAction>,
    /// Replaces literals in database statements, so that few distinct ones are left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub db_query_templatization: Option<DbQueryTemplatizationAction>,
    /// Deletes attributes by their names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete_attribute: Option<DeleteAttributeAction>,
    /// True to keep the object without any effect, as if it were not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Extracts attributes from the values of others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extract_attribute: Option<ExtractAttributeAction>,
    /// Adds database attributes that follow from the statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub infer_db_attributes: Option<InferDbAttributesAction>,
    /// Adds attributes of the pod, its workload, namespace and node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub k8s_attributes: Option<K8sAttributesAction>,
    /// Free text for people: why the object is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// Masks personal data in the values of attributes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pii_masking: Option<PiiMaskingAction>,
    /// Gives attributes other names; values stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rename_attribute: Option<RenameAttributeAction>,
    /// The kinds of telemetry that it applies to: TRACES, METRICS, LOGS.
    pub signals: Vec<Signal>,
    /// Renames spans by regular expressions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_renamer: Option<SpanRenamerAction>,
    /// Replaces the variable parts of URL paths by placeholders, so that few distinct ones are left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_templatization: Option<UrlTemplatizationAction>,
}

/// Replaces the variables in paths by placeholders.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UrlTemplatizationAction {
    /// Recognises ids, dates, numbers and the like without a template.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub default: Vec<DefaultTemplatizationRule>,
    /// Templates for paths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<UrlTemplatizationRule>,
}

/// Templates for paths.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UrlTemplatizationRule {
    /// The workloads that it applies to; absent means all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<SourceScopes>,
    /// Paths such as /user/{id}; a variable may have a pattern: {id:[0-9]+}. The first that fits a path is taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub templates: Vec<String>,
}

/// Recognises ids, dates, numbers and the like without a template.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DefaultTemplatizationRule {
    /// True to keep the object without any effect, as if it were not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// The workloads that it applies to; absent means all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<SourceScopes>,
    /// Which requests are left alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_policy: Option<UrlTemplatizationSkipPolicy>,
}

/// Renames spans by regular expressions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpanRenamerAction {
    /// The language whose spans are meant.
    pub programming_language: ProgrammingLanguage,
    /// Replacements, applied to the span's name in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regex_replacements: Vec<RegexReplacement>,
    /// The instrumentation scope whose spans are meant.
    pub scope_name: String,
}

/// Renames attributes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RenameAttributeAction {
    /// The new name of each attribute by its old one.
    pub renames: BTreeMap<String, String>,
}

/// Masks personal data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PiiMaskingAction {
    /// Values found by a key in a known format.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub custom_format_maskings: Vec<CustomFormatMasking>,
    /// Values that match a regular expression.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub custom_regex_maskings: Vec<CustomRegexMasking>,
    /// Known kinds of personal data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pii_categories: Vec<PiiCategory>,
    /// The workloads that it applies to; absent means all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<SourceScopes>,
}

/// Adds attributes of the pod, its workload, namespace and node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct K8sAttributesAction {
    /// Annotations that become resource attributes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub annotations_attributes: Vec<AnnotationAttribute>,
    /// Add the cluster's uid.
    #[serde(rename = "collectClusterUID", skip_serializing_if = "Option::is_none")]
    pub collect_cluster_uid: Option<bool>,
    /// Add the container's attributes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collect_container_attributes: Option<bool>,
    /// Add the ReplicaSet's attributes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collect_replica_set_attributes: Option<bool>,
    /// Add the workload's uid.
    #[serde(rename = "collectWorkloadUID", skip_serializing_if = "Option::is_none")]
    pub collect_workload_uid: Option<bool>,
    /// Labels that become resource attributes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels_attributes: Vec<LabelAttribute>,
}

/// Adds database attributes that follow from the statement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InferDbAttributesAction {
    /// The workloads that it applies to; absent means all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<SourceScopes>,
}

/// Extracts attributes from the values of others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExtractAttributeAction {
    /// Which attributes to make, and of what.
    #[schemars(extend("minItems" = 1))]
    pub extractions: Vec<Extraction>,
}

/// What to extract.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Extraction {
    /// The format in which lookupKey is looked for; with lookupKey, instead of regex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_format: Option<DataFormat>,
    /// The key or path element whose value is extracted; with dataFormat, instead of regex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lookup_key: Option<String>,
    /// A regular expression whose first group is extracted; instead of lookupKey and dataFormat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regex: Option<String>,
    /// The attribute that the value is written to.
    pub target_attribute_name: String,
}

/// Deletes attributes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeleteAttributeAction {
    /// The attributes to delete, from resources, scopes and items.
    pub attribute_names_to_delete: Vec<String>,
}

/// Replaces literals in database statements, so that few distinct ones are left.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DbQueryTemplatizationAction {
    /// True to remove PostgreSQL's casts (::type).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remove_postgres_cast_operator: Option<bool>,
    /// The workloads that it applies to; absent means all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<SourceScopes>,
    /// True to replace literals by placeholders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub templatize_literals: Option<bool>,
}

/// Adds fixed attributes to every resource.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterInfoAction {
    /// The attributes to add.
    pub cluster_attributes: Vec<ClusterAttribute>,
    /// True to replace the value where the attribute is there already; otherwise that is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overwrite_existing_values: Option<bool>,
}
