//! The definitions of all kinds, as the apiserver is given them.

use crate::labels::SYSTEM_OBJECT;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

/// A definition for each kind; the kinds of today first, then the legacy ones.
pub fn all() -> Vec<CustomResourceDefinition> {
    let mut all = vec![
        crate::source::Source::crd(),
        crate::instrumentation_config::InstrumentationConfig::crd(),
        crate::instrumentation_instance::InstrumentationInstance::crd(),
        crate::destination::Destination::crd(),
        crate::instrumentation_rule::InstrumentationRule::crd(),
        crate::action::Action::crd(),
        crate::processor::Processor::crd(),
        crate::recommendation::Recommendation::crd(),
        crate::sampling::Sampling::crd(),
        crate::collectors_group::CollectorsGroup::crd(),
        crate::odigos_cloud_connector::OdigosCloudConnector::crd(),
        crate::add_cluster_info::AddClusterInfo::crd(),
        crate::delete_attribute::DeleteAttribute::crd(),
        crate::k8s_attributes_resolver::K8sAttributesResolver::crd(),
        crate::rename_attribute::RenameAttribute::crd(),
        crate::error_sampler::ErrorSampler::crd(),
        crate::latency_sampler::LatencySampler::crd(),
        crate::probabilistic_sampler::ProbabilisticSampler::crd(),
        crate::service_name_sampler::ServiceNameSampler::crd(),
        crate::span_attribute_sampler::SpanAttributeSampler::crd(),
        crate::pii_masking::PiiMasking::crd(),
    ];
    for definition in &mut all {
        let labels = definition.metadata.labels.get_or_insert_default();
        labels.insert(SYSTEM_OBJECT.to_owned(), "true".to_owned());
    }
    all
}

/// The name of the file that holds a definition below `helm/odigos/crds/`.
pub fn file_name(definition: &CustomResourceDefinition) -> String {
    format!("{}_{}.yaml", definition.spec.group, definition.spec.names.plural)
}
