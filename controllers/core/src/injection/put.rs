//! Puts agents into a pod template.

use super::plan::{AGENT_DIRECTORY, Agent, Mount, Plan};
use super::record::{self, Made, Record, opened};
use super::{BadRecord, Refusal, VOLUME, environment, remove};
use controllers_api::labels;
use k8s_openapi::api::core::v1::{
    Capabilities, Container, EmptyDirVolumeSource, HostPathVolumeSource, PodSpec, PodTemplateSpec,
    ResourceRequirements, SecurityContext, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use std::collections::BTreeMap;

/// A template with agents, and the containers that got none although the plan has one for them.
#[derive(Clone, Debug, PartialEq)]
pub struct Injected {
    /// The template.
    pub template: PodTemplateSpec,
    /// Each container that was left alone, by its name.
    pub refused: BTreeMap<String, Refusal>,
}

/// Puts a plan into a template, in place of whatever plan is in it. With an empty plan that is [`remove`].
pub fn inject(template: &PodTemplateSpec, plan: &Plan) -> Result<Injected, BadRecord> {
    let mut template = remove(template)?;
    let mut refused = BTreeMap::new();
    let Some(hash) = plan.hash() else {
        return Ok(Injected { template, refused });
    };
    let mut record = Record::default();
    let spec = template.spec.get_or_insert_default();
    let pod = Pod::of(spec);
    for (name, agent) in &plan.containers {
        let done = match spec.containers.iter_mut().find(|it| it.name == *name) {
            Some(container) => pod.prepare(container, agent, plan).map(|(changed, done)| {
                *container = changed;
                done
            }),
            None => Err(Refusal::NoSuchContainer),
        };
        match done {
            Ok(done) => {
                record.containers.insert(name.clone(), done);
            }
            Err(refusal) => {
                refused.insert(name.clone(), refusal);
            }
        }
    }
    if record.containers.values().any(|it| it.mount) {
        add_volume(spec, &plan.mount, &mut record);
    }
    sign(&mut template, &hash, record);
    Ok(Injected { template, refused })
}

/// What there is in the pod outside of the container at hand.
struct Pod {
    name_is_taken: bool,
}

impl Pod {
    fn of(spec: &PodSpec) -> Self {
        let volume = spec.volumes.iter().flatten().any(|it| it.name == VOLUME);
        let container = spec.init_containers.iter().flatten().any(|it| it.name == VOLUME);
        Self {
            name_is_taken: volume || container,
        }
    }

    /// The container with its agent: all of it, or none.
    fn prepare(
        &self,
        container: &Container,
        agent: &Agent,
        plan: &Plan,
    ) -> Result<(Container, record::Container), Refusal> {
        let mut container = container.clone();
        let mut done = record::Container::default();
        let env = opened(&mut container.env, &mut done.made, Made::Env);
        done.environment = environment::put(env, &container.name, agent, plan)?;
        match &plan.mount {
            Mount::VirtualDevice => add_device(&mut container, agent, &mut done)?,
            Mount::HostPath | Mount::InitContainer { .. } => self.add_mount(&mut container, &mut done)?,
        }
        Ok((container, done))
    }

    fn add_mount(&self, container: &mut Container, done: &mut record::Container) -> Result<(), Refusal> {
        if self.name_is_taken {
            return Err(Refusal::NameTaken);
        }
        let mounts = opened(&mut container.volume_mounts, &mut done.made, Made::VolumeMounts);
        if mounts
            .iter()
            .any(|it| it.mount_path.trim_end_matches('/') == AGENT_DIRECTORY)
        {
            return Err(Refusal::MountPathTaken);
        }
        mounts.push(mount(true));
        done.mount = true;
        Ok(())
    }
}

fn add_device(container: &mut Container, agent: &Agent, done: &mut record::Container) -> Result<(), Refusal> {
    let device = agent.device.clone().ok_or(Refusal::NoDevice)?;
    let resources: &mut ResourceRequirements = opened(&mut container.resources, &mut done.made, Made::Resources);
    let limits = opened(&mut resources.limits, &mut done.made, Made::Limits);
    let requests = opened(&mut resources.requests, &mut done.made, Made::Requests);
    // A user who asks for the device in the manifest gets it anyhow.
    if !limits.contains_key(&device) && !requests.contains_key(&device) {
        limits.insert(device.clone(), Quantity("1".to_owned()));
        requests.insert(device.clone(), Quantity("1".to_owned()));
        done.device = Some(device);
    }
    Ok(())
}

fn add_volume(spec: &mut PodSpec, mount: &Mount, record: &mut Record) {
    let mut volume = Volume {
        name: VOLUME.to_owned(),
        ..Volume::default()
    };
    match mount {
        Mount::VirtualDevice => return,
        Mount::HostPath => {
            volume.host_path = Some(HostPathVolumeSource {
                path: AGENT_DIRECTORY.to_owned(),
                // A node without agents yet must not keep the pod from starting.
                type_: Some("DirectoryOrCreate".to_owned()),
            });
        }
        Mount::InitContainer { image } => {
            volume.empty_dir = Some(EmptyDirVolumeSource::default());
            // First, so that other init containers may have agents as well one day.
            let containers = opened(&mut spec.init_containers, &mut record.made, Made::InitContainers);
            containers.insert(0, copier(image));
            record.init_container = true;
        }
    }
    opened(&mut spec.volumes, &mut record.made, Made::Volumes).push(volume);
    record.volume = true;
}

/// The container that fills the volume. What the apiserver would fill in is there already, so that the template comes back as it
/// was written; and what the strictest Pod Security Standard asks for.
fn copier(image: &str) -> Container {
    let security = SecurityContext {
        allow_privilege_escalation: Some(false),
        capabilities: Some(Capabilities {
            add: None,
            drop: Some(vec!["ALL".to_owned()]),
        }),
        read_only_root_filesystem: Some(true),
        ..SecurityContext::default()
    };
    Container {
        name: VOLUME.to_owned(),
        image: Some(image.to_owned()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        command: Some(["/odigos-agents", "copy", AGENT_DIRECTORY].map(str::to_owned).to_vec()),
        resources: Some(ResourceRequirements::default()),
        termination_message_path: Some("/dev/termination-log".to_owned()),
        termination_message_policy: Some("File".to_owned()),
        security_context: Some(security),
        volume_mounts: Some(vec![mount(false)]),
        ..Container::default()
    }
}

fn mount(read_only: bool) -> VolumeMount {
    VolumeMount {
        name: VOLUME.to_owned(),
        mount_path: AGENT_DIRECTORY.to_owned(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    }
}

/// Leaves the hash as a label, by which pods are found, and the record as an annotation.
fn sign(template: &mut PodTemplateSpec, hash: &str, mut record: Record) {
    let metadata = opened(&mut template.metadata, &mut record.made, Made::Metadata);
    let there = opened(&mut metadata.labels, &mut record.made, Made::Labels);
    record.label = there.insert(labels::AGENTS_META_HASH.to_owned(), hash.to_owned());
    let annotations = opened(&mut metadata.annotations, &mut record.made, Made::Annotations);
    annotations.insert(labels::INJECTED.to_owned(), record.to_json());
}
