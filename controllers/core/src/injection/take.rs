//! Takes agents out of a pod template.

use super::plan::AGENT_DIRECTORY;
use super::record::{self, Made, Record, closed};
use super::{BadRecord, VOLUME, environment};
use controllers_api::labels;
use k8s_openapi::api::core::v1::{Container, PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// The template without what [`super::inject`] has put in. What a user has added or changed since stays, also a variable of
/// ours with another value. A template without agents stays as it is.
pub fn remove(template: &PodTemplateSpec) -> Result<PodTemplateSpec, BadRecord> {
    let mut template = template.clone();
    let annotations = template.metadata.as_ref().and_then(|it| it.annotations.as_ref());
    let Some(record) = annotations.and_then(|it| it.get(labels::INJECTED)) else {
        return Ok(template);
    };
    let record = Record::of_json(record)?;
    if let Some(metadata) = &mut template.metadata {
        unsign(metadata, &record);
    }
    closed(&mut template.metadata, &record.made, Made::Metadata);
    if let Some(spec) = &mut template.spec {
        clear(spec, &record);
    }
    Ok(template)
}

fn unsign(metadata: &mut ObjectMeta, record: &Record) {
    if let Some(there) = &mut metadata.labels {
        match &record.label {
            Some(before) => there.insert(labels::AGENTS_META_HASH.to_owned(), before.clone()),
            None => there.remove(labels::AGENTS_META_HASH),
        };
    }
    if let Some(annotations) = &mut metadata.annotations {
        annotations.remove(labels::INJECTED);
    }
    closed(&mut metadata.labels, &record.made, Made::Labels);
    closed(&mut metadata.annotations, &record.made, Made::Annotations);
}

fn clear(spec: &mut PodSpec, record: &Record) {
    for container in &mut spec.containers {
        if let Some(done) = record.containers.get(&container.name) {
            clear_container(container, done);
        }
    }
    // A container that was given another name still has what was put into it.
    let there: Vec<String> = spec.containers.iter().map(|it| it.name.clone()).collect();
    for (_, done) in record.containers.iter().filter(|(name, _)| !there.contains(name)) {
        let renamed = |it: &&mut Container| !record.containers.contains_key(&it.name) && is_signed(it, done);
        for container in spec.containers.iter_mut().filter(renamed) {
            clear_container(container, done);
        }
    }
    if let Some(volumes) = spec.volumes.as_mut().filter(|_| record.volume) {
        volumes.retain(|it| it.name != VOLUME);
    }
    if let Some(containers) = spec.init_containers.as_mut().filter(|_| record.init_container) {
        containers.retain(|it| it.name != VOLUME);
    }
    closed(&mut spec.volumes, &record.made, Made::Volumes);
    closed(&mut spec.init_containers, &record.made, Made::InitContainers);
}

/// Whether the container has the variable that says which one it was.
fn is_signed(container: &Container, done: &record::Container) -> bool {
    let mut signs = done
        .environment
        .added
        .iter()
        .filter(|it| it.name == "ODIGOS_CONTAINER_NAME");
    signs.any(|sign| container.env.iter().flatten().any(|it| it == sign))
}

fn clear_container(container: &mut Container, done: &record::Container) {
    if let Some(env) = &mut container.env {
        environment::take(env, &done.environment);
    }
    closed(&mut container.env, &done.made, Made::Env);
    if let Some(mounts) = container.volume_mounts.as_mut().filter(|_| done.mount) {
        mounts.retain(|it| it.name != VOLUME || it.mount_path != AGENT_DIRECTORY);
    }
    closed(&mut container.volume_mounts, &done.made, Made::VolumeMounts);
    if let Some(resources) = &mut container.resources {
        for list in [&mut resources.limits, &mut resources.requests].into_iter().flatten() {
            list.retain(|name, _| Some(name) != done.device.as_ref());
        }
        closed(&mut resources.limits, &done.made, Made::Limits);
        closed(&mut resources.requests, &done.made, Made::Requests);
    }
    closed(&mut container.resources, &done.made, Made::Resources);
}
