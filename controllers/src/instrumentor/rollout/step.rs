//! The steps that change something, and what is said of it.

use super::kinds::resource;
use super::observe::Seen;
use super::{MANAGER, Rollouts, has_template};
use anyhow::{Context, Result};
use controllers_api::conditions::ConditionType;
use controllers_api::instrumentation_config::InstrumentationConfig;
use controllers_api::labels;
use controllers_core::injection::{self, Operation, difference};
use controllers_core::instrumentor::{Finding, WorkloadId, WorkloadKind};
use controllers_core::rollout::{Decision, Method, RolledBack, rolled_back, to_annotation};
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use kube_client::Api;
use kube_client::api::{DeleteParams, DynamicObject, EvictParams, Patch, PatchParams, Preconditions};
use kube_client::core::Resource;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Makes the template stand for a hash, or for none, by the method of the configuration; what another method has left there is
/// taken out. Exactly the object that was read is changed, and in nothing but what differs.
pub(super) async fn change_template(rollouts: &Rollouts, seen: &Seen, hash: Option<&str>) -> Result<()> {
    let id = &seen.id;
    if !has_template(id.kind) {
        return Ok(());
    }
    let api = workloads(rollouts, id);
    let live = api.get(&id.name).await?;
    let pointer = pointer(id.kind);
    let before: PodTemplateSpec = serde_json::from_value(live.data.pointer(pointer).cloned().unwrap_or_default())
        .with_context(|| format!("the pod template of {id}"))?;
    let after = template(&before, seen, hash)?;
    let mut patch = difference(pointer, &serde_json::to_value(&before)?, &serde_json::to_value(&after)?);
    if patch.is_empty() {
        return Ok(());
    }
    let test = Operation::Test {
        path: "/metadata/resourceVersion".to_owned(),
        value: json!(live.metadata.resource_version),
    };
    patch.insert(0, test);
    let changed = patch_json(rollouts, id, &patch).await?;
    rollouts.writer.count(id.kind.as_str(), "patch");
    tracing::info!(workload = %id, hash, "the pod template was changed, so its pods are replaced");
    rollouts.observations.changed(id, changed);
    Ok(())
}

fn template(before: &PodTemplateSpec, seen: &Seen, hash: Option<&str>) -> Result<PodTemplateSpec> {
    let mut template = match (seen.settings.rollout.method, &seen.plan) {
        (Method::Template, Some(plan)) => injection::inject(before, plan)?.template,
        _ => injection::remove(before)?,
    };
    let by_annotation = hash.filter(|_| seen.settings.rollout.method == Method::Webhook);
    let metadata = template.metadata.get_or_insert_default();
    match by_annotation {
        Some(hash) => {
            let annotations = metadata.annotations.get_or_insert_default();
            annotations.insert(labels::ROLLED_OUT_FOR.to_owned(), hash.to_owned());
        }
        None => {
            let annotations = metadata.annotations.get_or_insert_default();
            annotations.remove(labels::ROLLED_OUT_FOR);
            if annotations.is_empty() {
                metadata.annotations = None;
            }
        }
    }
    Ok(template)
}

/// Evicts a pod, as long as budgets allow it. False if they do not; a pod that is gone already is fine.
pub(super) async fn evict(rollouts: &Rollouts, seen: &Seen, pod: &str) -> Result<bool> {
    let namespace = &seen.id.namespace;
    let api: Api<Pod> = Api::namespaced(rollouts.context.client.clone(), namespace);
    match api.evict(pod, &EvictParams::default()).await {
        Ok(_) => {
            rollouts.writer.count("Pod", "evict");
            tracing::info!(workload = %seen.id, pod, "a pod was evicted, so that another one takes its place");
        }
        Err(kube_client::Error::Api(status)) if status.is_not_found() => {}
        Err(kube_client::Error::Api(status)) if status.code == 429 => return Ok(false),
        Err(error) => return Err(error).with_context(|| format!("cannot evict pod {namespace}/{pod}")),
    }
    rollouts.remember_evicted(namespace, pod);
    Ok(true)
}

/// Writes down which containers stay without their agent: what the instrumentor decides from then on follows from it.
pub(super) async fn roll_back(
    rollouts: &Rollouts,
    seen: &Seen,
    containers: &BTreeMap<String, RolledBack>,
) -> Result<()> {
    let Some(config) = &seen.config else {
        return Ok(());
    };
    let mut all = rolled_back(config);
    all.extend(containers.clone());
    let annotations = json!({labels::ROLLED_BACK: to_annotation(&all)});
    let patch = json!({"metadata": {"annotations": annotations, "resourceVersion": config.metadata.resource_version}});
    merge(rollouts, config, &patch).await?;
    for (container, entry) in containers {
        let (name, why) = (container.as_str(), entry.message.as_str());
        tracing::warn!(workload = %seen.id, container = name, why, "an agent was taken out of a container again");
    }
    Ok(())
}

impl Rollouts {
    /// Keeps the hash in the InstrumentationConfig, where people and odiglet read it.
    pub(super) async fn write_hash(&self, seen: &mut Seen, now: Timestamp) -> Result<()> {
        let (Some(config), Some(plan)) = (&seen.config, &seen.plan) else {
            return Ok(());
        };
        let spec = injection::with_hash(config.spec.clone(), plan, Some(&config.spec), now);
        if spec == config.spec {
            return Ok(());
        }
        let patch = json!({"spec": {
            "agentsMetaHash": spec.agents_meta_hash,
            "agentsMetaHashChangedTime": spec.agents_meta_hash_changed_time,
        }});
        let written = merge(self, config, &patch).await?;
        seen.config = Some(std::sync::Arc::new(written));
        Ok(())
    }

    /// Says how far the rollout is; where nobody asks for the workload any more there is no place to say it.
    pub(super) async fn write_status(&self, seen: &Seen, decision: &Decision, now: Timestamp) -> Result<()> {
        let Some(config) = &seen.config else {
            return Ok(());
        };
        let before = config
            .status
            .as_ref()
            .map(|it| it.conditions.as_slice())
            .unwrap_or_default();
        let generation = config.metadata.generation;
        let conditions = decision
            .conditions
            .iter()
            .map(|finding| condition(finding, before, generation, now));
        let marked = seen.rolled_out_for();
        let status = json!({
            "conditions": conditions.collect::<Vec<_>>(),
            "podsManifestInjectionStatus": decision.pods,
            "rollbackOccurred": !rolled_back(config).is_empty(),
            "workloadRolloutHash": marked,
        });
        let status = without_nulls(status);
        let api = Api::namespaced(self.context.client.clone(), &seen.id.namespace);
        if let Some(written) = self.writer.apply_status(&api, &**config, &status).await? {
            self.observations.configs.written(written);
        }
        Ok(())
    }
}

/// The condition, with the time of its last change kept where its status is the same.
fn condition(finding: &Finding, before: &[Condition], generation: Option<i64>, now: Timestamp) -> Condition {
    let name = ConditionType::as_str(finding.condition);
    let status = finding.status.as_str();
    let same = before.iter().find(|it| it.type_ == name && it.status == status);
    Condition {
        type_: name.to_owned(),
        status: status.to_owned(),
        reason: finding.reason.clone(),
        message: finding.message.clone(),
        observed_generation: generation,
        last_transition_time: same.map_or(Time(now), |it| it.last_transition_time.clone()),
    }
}

fn without_nulls(mut value: Value) -> Value {
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    value
}

async fn merge(rollouts: &Rollouts, config: &InstrumentationConfig, patch: &Value) -> Result<InstrumentationConfig> {
    let namespace = config.meta().namespace.as_deref().unwrap_or_default();
    let name = config.meta().name.as_deref().unwrap_or_default();
    let api: Api<InstrumentationConfig> = Api::namespaced(rollouts.context.client.clone(), namespace);
    let parameters = PatchParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let written = api.patch(name, &parameters, &Patch::Merge(patch)).await?;
    rollouts.writer.count("InstrumentationConfig", "patch");
    rollouts.observations.configs.written(written.clone());
    Ok(written)
}

fn workloads(rollouts: &Rollouts, id: &WorkloadId) -> Api<DynamicObject> {
    Api::namespaced_with(rollouts.context.client.clone(), &id.namespace, &resource(id.kind))
}

/// A JSON Patch (RFC 6902), for which the client has no call of its own without another dependency.
async fn patch_json(rollouts: &Rollouts, id: &WorkloadId, patch: &[Operation]) -> Result<DynamicObject> {
    let url = DynamicObject::url_path(&resource(id.kind), Some(&id.namespace));
    let request = http::Request::patch(format!("{url}/{}?fieldManager={MANAGER}", id.name))
        .header(http::header::CONTENT_TYPE, "application/json-patch+json")
        .body(serde_json::to_vec(patch)?)?;
    let written = rollouts.context.client.request(request).await;
    written.map_err(conflict).with_context(|| format!("cannot change {id}"))
}

/// That the object has changed meanwhile shows as a test that fails, which the apiserver calls an invalid request.
fn conflict(error: kube_client::Error) -> kube_client::Error {
    match error {
        kube_client::Error::Api(mut status) if status.code == 422 && status.message.contains("testing value") => {
            status.code = 409;
            kube_client::Error::Api(status)
        }
        other => other,
    }
}

/// Where the pod template stands in a workload.
fn pointer(kind: WorkloadKind) -> &'static str {
    match kind {
        WorkloadKind::CronJob => "/spec/jobTemplate/spec/template",
        _ => "/spec/template",
    }
}

/// Deletes an object that is of no use any more, if it is still the one that was seen.
pub(super) async fn delete(api: &Api<DynamicObject>, name: &str, uid: &str) -> Result<bool> {
    let parameters = DeleteParams::background().preconditions(Preconditions {
        uid: Some(uid.to_owned()),
        resource_version: None,
    });
    match api.delete(name, &parameters).await {
        Ok(_) => Ok(true),
        Err(kube_client::Error::Api(status)) if status.is_not_found() => Ok(false),
        Err(error) => Err(error.into()),
    }
}
