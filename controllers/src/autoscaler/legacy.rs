//! The kinds of actions.odigos.io: watched where the cluster has them, and told like the others.

use super::caches::{Cached, Watching};
use super::status::tell;
use crate::rim::{Context, Store};
use anyhow::Result;
use controllers_api::add_cluster_info::AddClusterInfo;
use controllers_api::delete_attribute::DeleteAttribute;
use controllers_api::error_sampler::ErrorSampler;
use controllers_api::k8s_attributes_resolver::K8sAttributesResolver;
use controllers_api::latency_sampler::LatencySampler;
use controllers_api::pii_masking::PiiMasking;
use controllers_api::probabilistic_sampler::ProbabilisticSampler;
use controllers_api::rename_attribute::RenameAttribute;
use controllers_api::service_name_sampler::ServiceNameSampler;
use controllers_api::span_attribute_sampler::SpanAttributeSampler;
use controllers_core::autoscaler::verdict::Verdict;
use controllers_core::autoscaler::{Legacy, Meaning};
use controllers_core::legacy::{LegacySampler, ServedAsAction};
use std::sync::Arc;

/// The caches of all of them.
pub(super) struct LegacyCaches {
    add_cluster_info: Store<AddClusterInfo>,
    delete_attribute: Store<DeleteAttribute>,
    rename_attribute: Store<RenameAttribute>,
    k8s_attributes: Store<K8sAttributesResolver>,
    pii_masking: Store<PiiMasking>,
    error: Store<ErrorSampler>,
    latency: Store<LatencySampler>,
    probabilistic: Store<ProbabilisticSampler>,
    service_name: Store<ServiceNameSampler>,
    span_attribute: Store<SpanAttributeSampler>,
}

impl LegacyCaches {
    pub(super) fn watch(watching: &mut Watching<'_>) -> LegacyCaches {
        LegacyCaches {
            add_cluster_info: watching.optional("AddClusterInfo"),
            delete_attribute: watching.optional("DeleteAttribute"),
            rename_attribute: watching.optional("RenameAttribute"),
            k8s_attributes: watching.optional("K8sAttributesResolver"),
            pii_masking: watching.optional("PiiMasking"),
            error: watching.optional("ErrorSampler"),
            latency: watching.optional("LatencySampler"),
            probabilistic: watching.optional("ProbabilisticSampler"),
            service_name: watching.optional("ServiceNameSampler"),
            span_attribute: watching.optional("SpanAttributeSampler"),
        }
    }

    /// What all of them mean.
    pub(super) fn all(&self) -> Vec<Legacy> {
        let mut all = Vec::new();
        all.extend(actions("AddClusterInfo", &self.add_cluster_info));
        all.extend(actions("DeleteAttribute", &self.delete_attribute));
        all.extend(actions("RenameAttribute", &self.rename_attribute));
        all.extend(actions("K8sAttributesResolver", &self.k8s_attributes));
        all.extend(actions("PiiMasking", &self.pii_masking));
        all.extend(samplers("ErrorSampler", &self.error));
        all.extend(samplers("LatencySampler", &self.latency));
        all.extend(samplers("ProbabilisticSampler", &self.probabilistic));
        all.extend(samplers("ServiceNameSampler", &self.service_name));
        all.extend(samplers("SpanAttributeSampler", &self.span_attribute));
        all
    }

    /// Tells the object of that kind.
    pub(super) async fn tell(&self, context: &Context, kind: &str, verdict: &Verdict) -> Result<()> {
        match kind {
            "AddClusterInfo" => tell(context, &self.add_cluster_info, verdict).await,
            "DeleteAttribute" => tell(context, &self.delete_attribute, verdict).await,
            "RenameAttribute" => tell(context, &self.rename_attribute, verdict).await,
            "K8sAttributesResolver" => tell(context, &self.k8s_attributes, verdict).await,
            "PiiMasking" => tell(context, &self.pii_masking, verdict).await,
            "ErrorSampler" => tell(context, &self.error, verdict).await,
            "LatencySampler" => tell(context, &self.latency, verdict).await,
            "ProbabilisticSampler" => tell(context, &self.probabilistic, verdict).await,
            "ServiceNameSampler" => tell(context, &self.service_name, verdict).await,
            "SpanAttributeSampler" => tell(context, &self.span_attribute, verdict).await,
            _ => Ok(()),
        }
    }
}

fn actions<K>(kind: &'static str, store: &Store<K>) -> Vec<Legacy>
where
    K: Cached + ServedAsAction,
{
    let objects = store.all().into_iter();
    let made = objects.map(|(key, object)| Legacy {
        kind,
        name: key.name,
        meaning: Meaning::Action(Arc::new(object.as_action())),
    });
    made.collect()
}

fn samplers<K>(kind: &'static str, store: &Store<K>) -> Vec<Legacy>
where
    K: Cached + LegacySampler,
{
    let objects = store.all().into_iter();
    let made = objects.map(|(key, object)| Legacy {
        kind,
        name: key.name,
        meaning: object.rules().map_or_else(Meaning::Wrong, Meaning::Rules),
    });
    made.collect()
}
