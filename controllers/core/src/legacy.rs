//! The kinds of actions.odigos.io, as what they mean today: [`as_action`](ServedAsAction::as_action) makes an [`Action`] of
//! those that change telemetry, [`rules`](LegacySampler::rules) makes rules about traces of the samplers.
//!
//! Nothing made here is written to the cluster: the user's object stays as it is, and what is made of it is rendered beside
//! the Actions. Its name has an underscore, which no object of Kubernetes may have, so it is never that of an Action.

mod samplers;

pub use samplers::{AttributeTest, LegacySampler, Level, Matches, SamplerError, TraceRule};

use controllers_api::action::{
    Action, ActionSpec, ClusterInfoAction, DeleteAttributeAction, K8sAttributesAction, PiiMaskingAction,
    RenameAttributeAction,
};
use controllers_api::add_cluster_info::AddClusterInfo;
use controllers_api::attributes::{LegacyPiiCategory, PiiCategory};
use controllers_api::delete_attribute::DeleteAttribute;
use controllers_api::k8s_attributes_resolver::K8sAttributesResolver;
use controllers_api::pii_masking::PiiMasking;
use controllers_api::rename_attribute::RenameAttribute;
use controllers_api::signals::{LegacySignal, Signal};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// A kind that is served as an [`Action`].
pub trait ServedAsAction {
    /// The Action that does the same, named `<kind>_<name>` in lower case, with the object's namespace, uid, generation and
    /// time of creation. It has no status: conditions belong on the legacy object.
    fn as_action(&self) -> Action;
}

impl ServedAsAction for AddClusterInfo {
    fn as_action(&self) -> Action {
        let spec = &self.spec;
        let action = ActionSpec {
            action_name: spec.action_name.clone(),
            disabled: spec.disabled,
            notes: spec.notes.clone(),
            signals: spec.signals.clone(),
            add_cluster_info: Some(ClusterInfoAction {
                cluster_attributes: spec.cluster_attributes.clone(),
                overwrite_existing_values: spec.overwrite_existing_values,
            }),
            ..ActionSpec::default()
        };
        named("addclusterinfo", &self.metadata, action)
    }
}

impl ServedAsAction for DeleteAttribute {
    fn as_action(&self) -> Action {
        let spec = &self.spec;
        let action = ActionSpec {
            action_name: spec.action_name.clone(),
            disabled: spec.disabled,
            notes: spec.notes.clone(),
            signals: spec.signals.clone(),
            delete_attribute: Some(DeleteAttributeAction {
                attribute_names_to_delete: spec.attribute_names_to_delete.clone(),
            }),
            ..ActionSpec::default()
        };
        named("deleteattribute", &self.metadata, action)
    }
}

impl ServedAsAction for RenameAttribute {
    fn as_action(&self) -> Action {
        let spec = &self.spec;
        let action = ActionSpec {
            action_name: spec.action_name.clone(),
            disabled: spec.disabled,
            notes: spec.notes.clone(),
            signals: spec.signals.clone(),
            rename_attribute: Some(RenameAttributeAction {
                renames: spec.renames.clone(),
            }),
            ..ActionSpec::default()
        };
        named("renameattribute", &self.metadata, action)
    }
}

impl ServedAsAction for K8sAttributesResolver {
    fn as_action(&self) -> Action {
        let spec = &self.spec;
        let action = ActionSpec {
            action_name: spec.action_name.clone(),
            disabled: spec.disabled,
            notes: spec.notes.clone(),
            signals: spec.signals.clone(),
            k8s_attributes: Some(K8sAttributesAction {
                annotations_attributes: spec.annotations_attributes.clone(),
                collect_cluster_uid: spec.collect_cluster_uid,
                collect_container_attributes: spec.collect_container_attributes,
                collect_replica_set_attributes: spec.collect_replica_set_attributes,
                collect_workload_uid: spec.collect_workload_uid,
                labels_attributes: spec.labels_attributes.clone(),
            }),
            ..ActionSpec::default()
        };
        named("k8sattributesresolver", &self.metadata, action)
    }
}

impl ServedAsAction for PiiMasking {
    fn as_action(&self) -> Action {
        let spec = &self.spec;
        let categories = spec.pii_categories.iter().map(|category| match category {
            LegacyPiiCategory::CreditCard => PiiCategory::CreditCard,
        });
        let action = ActionSpec {
            action_name: spec.action_name.clone(),
            disabled: spec.disabled,
            notes: spec.notes.clone(),
            signals: spec.signals.iter().map(signal).collect(),
            pii_masking: Some(PiiMaskingAction {
                pii_categories: categories.collect(),
                ..PiiMaskingAction::default()
            }),
            ..ActionSpec::default()
        };
        named("piimasking", &self.metadata, action)
    }
}

/// The name of what is made of a legacy object: unlike that of every object of Kubernetes.
fn name(kind: &str, metadata: &ObjectMeta) -> String {
    format!("{kind}_{}", metadata.name.as_deref().unwrap_or_default())
}

fn named(kind: &str, metadata: &ObjectMeta, spec: ActionSpec) -> Action {
    let mut action = Action::new(&name(kind, metadata), spec);
    action.metadata.namespace.clone_from(&metadata.namespace);
    action.metadata.uid.clone_from(&metadata.uid);
    action.metadata.generation = metadata.generation;
    action
        .metadata
        .creation_timestamp
        .clone_from(&metadata.creation_timestamp);
    action
}

fn signal(signal: &LegacySignal) -> Signal {
    match signal {
        LegacySignal::Logs => Signal::Logs,
        LegacySignal::Traces => Signal::Traces,
        LegacySignal::Metrics => Signal::Metrics,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// The spec of the Action that a legacy kind becomes, and its name.
    fn served<L: ServedAsAction + serde::de::DeserializeOwned>(kind: &str, spec: Value) -> (String, Value) {
        let object = json!({
            "apiVersion": "actions.odigos.io/v1alpha1",
            "kind": kind,
            "metadata": {"name": "old", "namespace": "odigos-system", "uid": "u", "generation": 3},
            "spec": spec,
        });
        let legacy: L = serde_json::from_value(object).unwrap();
        let action = legacy.as_action();
        assert_eq!(action.metadata.namespace.as_deref(), Some("odigos-system"));
        assert_eq!(action.metadata.uid.as_deref(), Some("u"));
        assert_eq!(action.metadata.generation, Some(3));
        (
            action.metadata.name.unwrap(),
            serde_json::to_value(action.spec).unwrap(),
        )
    }

    #[test]
    fn what_all_of_them_have_is_kept() {
        let spec =
            json!({"actionName": "n", "notes": "why", "disabled": true, "signals": ["LOGS"], "renames": {"a": "b"}});
        let (name, action) = served::<RenameAttribute>("RenameAttribute", spec);
        assert_eq!(name, "renameattribute_old");
        let expected = json!({
            "actionName": "n", "notes": "why", "disabled": true, "signals": ["LOGS"],
            "renameAttribute": {"renames": {"a": "b"}},
        });
        assert_eq!(action, expected);
    }

    #[test]
    fn each_kind_becomes_its_action() {
        let attributes = json!([{"attributeName": "k8s.cluster.name", "attributeStringValue": "prod"}]);
        let spec = json!({"signals": ["TRACES"], "clusterAttributes": attributes, "overwriteExistingValues": true});
        let (name, action) = served::<AddClusterInfo>("AddClusterInfo", spec);
        assert_eq!(name, "addclusterinfo_old");
        let expected = json!({"clusterAttributes": attributes, "overwriteExistingValues": true});
        assert_eq!(action["addClusterInfo"], expected);

        let spec = json!({"signals": ["LOGS"], "attributeNamesToDelete": ["secret"]});
        let (_, action) = served::<DeleteAttribute>("DeleteAttribute", spec);
        assert_eq!(action["deleteAttribute"], json!({"attributeNamesToDelete": ["secret"]}));

        let spec = json!({
            "signals": ["TRACES"], "collectClusterUID": true, "collectWorkloadUID": false,
            "collectContainerAttributes": true, "collectReplicaSetAttributes": true,
            "labelsAttributes": [{"labelKey": "app", "attributeKey": "app", "from": "namespace"}],
            "annotationsAttributes": [{"annotationKey": "team", "attributeKey": "team", "from": "pod"}],
        });
        let (_, action) = served::<K8sAttributesResolver>("K8sAttributesResolver", spec.clone());
        let mut expected = spec;
        expected.as_object_mut().unwrap().remove("signals");
        assert_eq!(action["k8sAttributes"], expected);

        let spec = json!({"signals": ["TRACES", "METRICS"], "piiCategories": ["CREDIT_CARD"]});
        let (_, action) = served::<PiiMasking>("PiiMasking", spec);
        let expected = json!({"signals": ["TRACES", "METRICS"], "piiMasking": {"piiCategories": ["CREDIT_CARD"]}});
        assert_eq!(action, expected);
    }
}
