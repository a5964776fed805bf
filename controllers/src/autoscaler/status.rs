//! What users' objects are told, written into their statuses.

use super::caches::{Cached, Caches};
use crate::rim::{Context, ObjectKey, Store};
use anyhow::{Result, anyhow};
use controllers_api::collectors_group::{CollectorsGroup, CollectorsGroupStatus};
use controllers_api::conditions::ConditionsStatus;
use controllers_api::signals::Signal;
use controllers_core::autoscaler::GroupStatus;
use controllers_core::autoscaler::verdict::{self, Verdict};
use controllers_core::destinations;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use kube_client::Api;
use serde::Serialize;

/// The conditions that an object has.
pub(super) trait Conditions {
    fn conditions(&self) -> &[Condition];
}

macro_rules! conditions {
    ($($kind:ty),*) => {$(
        impl Conditions for $kind {
            fn conditions(&self) -> &[Condition] {
                self.status.as_ref().map_or(&[], |status| &status.conditions)
            }
        }
    )*};
}
conditions!(
    controllers_api::action::Action,
    controllers_api::destination::Destination,
    controllers_api::processor::Processor,
    controllers_api::sampling::Sampling,
    controllers_api::add_cluster_info::AddClusterInfo,
    controllers_api::delete_attribute::DeleteAttribute,
    controllers_api::error_sampler::ErrorSampler,
    controllers_api::k8s_attributes_resolver::K8sAttributesResolver,
    controllers_api::latency_sampler::LatencySampler,
    controllers_api::pii_masking::PiiMasking,
    controllers_api::probabilistic_sampler::ProbabilisticSampler,
    controllers_api::rename_attribute::RenameAttribute,
    controllers_api::service_name_sampler::ServiceNameSampler,
    controllers_api::span_attribute_sampler::SpanAttributeSampler,
    CollectorsGroup
);

/// Tells a user's object.
pub(super) async fn object(context: &Context, caches: &Caches, verdict: &Verdict) -> Result<()> {
    match verdict.kind {
        verdict::Kind::Destination => tell(context, &caches.destinations, verdict).await,
        verdict::Kind::Action => tell(context, &caches.actions, verdict).await,
        verdict::Kind::Processor => tell(context, &caches.processors, verdict).await,
        verdict::Kind::Sampling => tell(context, &caches.samplings, verdict).await,
        verdict::Kind::Legacy(kind) => caches.legacy.tell(context, kind, verdict).await,
        // The groups have a status of their own.
        verdict::Kind::CollectorsGroup => Ok(()),
    }
}

pub(super) async fn tell<K>(context: &Context, store: &Store<K>, verdict: &Verdict) -> Result<()>
where
    K: Cached + Conditions,
{
    let Some(live) = store.get(&ObjectKey::new(&context.namespace, &verdict.name)) else {
        return Ok(());
    };
    let status = ConditionsStatus {
        conditions: vec![condition(live.conditions(), live.meta().generation, verdict)],
    };
    write(context, store, live.as_ref(), &status).await
}

/// Tells a group.
pub(super) async fn group(
    context: &Context,
    caches: &Caches,
    live: &CollectorsGroup,
    state: &GroupStatus,
) -> Result<()> {
    let generation = live.metadata.generation;
    let conditions = state.conditions.iter();
    let status = CollectorsGroupStatus {
        ready: Some(state.is_ready),
        receiver_signals: state.signals.iter().map(|signal| signal_of(*signal)).collect(),
        conditions: conditions
            .map(|verdict| condition(live.conditions(), generation, verdict))
            .collect(),
    };
    write(context, &caches.groups, live, &status).await
}

async fn write<K, S>(context: &Context, store: &Store<K>, live: &K, status: &S) -> Result<()>
where
    K: Cached,
    S: Serialize,
{
    let api: Api<K> = Api::namespaced(context.client.clone(), &context.namespace);
    match context.writer.apply_status(&api, live, status).await {
        Ok(written) => {
            if let Some(written) = written {
                store.written(written);
            }
            Ok(())
        }
        // It was deleted meanwhile.
        Err(kube_client::Error::Api(status)) if status.is_not_found() => Ok(()),
        Err(error) => {
            let name = live.meta().name.as_deref().unwrap_or_default();
            Err(anyhow!(error).context(format!("the status of {} {name}", K::kind(&()))))
        }
    }
}

/// The condition, since when it is as it is.
fn condition(before: &[Condition], generation: Option<i64>, verdict: &Verdict) -> Condition {
    let status = if verdict.holds { "True" } else { "False" };
    let same = before
        .iter()
        .find(|condition| condition.type_ == verdict.condition && condition.status == status);
    Condition {
        type_: verdict.condition.to_owned(),
        status: status.to_owned(),
        reason: verdict.reason.as_str().to_owned(),
        message: verdict.message.clone(),
        observed_generation: generation,
        last_transition_time: same.map_or_else(|| Time(now()), |condition| condition.last_transition_time.clone()),
    }
}

/// In whole seconds, as the apiserver writes it.
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

fn signal_of(signal: destinations::Signal) -> Signal {
    match signal {
        destinations::Signal::Traces => Signal::Traces,
        destinations::Signal::Metrics => Signal::Metrics,
        destinations::Signal::Logs => Signal::Logs,
        destinations::Signal::Profiles => Signal::Profiles,
    }
}
