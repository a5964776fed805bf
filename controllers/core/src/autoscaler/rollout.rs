//! How far the pods of a collector are.

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use std::collections::BTreeMap;

/// The state of a Deployment or a DaemonSet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rollout {
    /// Whether its controller has seen it as it is.
    pub is_observed: bool,
    /// How many pods there shall be.
    pub desired: i32,
    /// How many are as the template is now.
    pub updated: i32,
    /// How many there are, of whatever template.
    pub total: i32,
    /// How many can take data.
    pub available: i32,
    /// The name of the configuration's file in the template.
    pub file: Option<String>,
}

impl Rollout {
    /// Of the gateway.
    pub fn of_deployment(deployment: &Deployment) -> Rollout {
        let status = deployment.status.clone().unwrap_or_default();
        let spec = deployment.spec.as_ref();
        Rollout {
            is_observed: status.observed_generation >= deployment.metadata.generation,
            desired: spec.and_then(|spec| spec.replicas).unwrap_or(1),
            updated: status.updated_replicas.unwrap_or_default(),
            total: status.replicas.unwrap_or_default(),
            available: status.available_replicas.unwrap_or_default(),
            file: spec.and_then(|spec| file(&spec.template)),
        }
    }

    /// Of the node collectors.
    pub fn of_daemon_set(daemon_set: &DaemonSet) -> Rollout {
        let status = daemon_set.status.clone().unwrap_or_default();
        Rollout {
            is_observed: status.observed_generation >= daemon_set.metadata.generation,
            desired: status.desired_number_scheduled,
            updated: status.updated_number_scheduled.unwrap_or_default(),
            total: status.current_number_scheduled,
            available: status.number_available.unwrap_or_default(),
            file: daemon_set.spec.as_ref().and_then(|spec| file(&spec.template)),
        }
    }

    /// Whether some pod can take data.
    pub fn is_available(&self) -> bool {
        self.available > 0
    }

    /// Whether every pod is as the template says, and none of before is left.
    pub fn is_complete(&self) -> bool {
        self.is_observed && self.updated >= self.desired && self.total <= self.updated && self.available >= self.desired
    }
}

fn file(template: &PodTemplateSpec) -> Option<String> {
    let container = template.spec.as_ref()?.containers.first()?;
    let path = container.args.as_ref()?.last()?;
    path.rsplit('/').next().map(str::to_owned)
}

/// The files of the ConfigMap that pods may still read, beside the one that they shall read from now on.
pub(super) fn kept(
    files: &BTreeMap<String, String>,
    rollout: Option<&Rollout>,
    file: &str,
) -> BTreeMap<String, String> {
    let is_over = rollout.is_none_or(|rollout| rollout.is_complete() && rollout.file.as_deref() == Some(file));
    match is_over {
        true => BTreeMap::new(),
        false => files.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &[&str]) -> BTreeMap<String, String> {
        names.iter().map(|name| ((*name).to_owned(), String::new())).collect()
    }

    #[test]
    fn a_file_is_kept_until_no_pod_reads_it() {
        let mut rollout = Rollout {
            is_observed: true,
            desired: 2,
            updated: 2,
            total: 2,
            available: 2,
            file: Some("old".to_owned()),
        };
        let there = files(&["old"]);
        assert_eq!(kept(&there, Some(&rollout), "old"), files(&[]));
        assert_eq!(kept(&there, Some(&rollout), "new"), there);
        rollout.file = Some("new".to_owned());
        let there = files(&["old", "new"]);
        for change in [
            |rollout: &mut Rollout| rollout.is_observed = false,
            |rollout: &mut Rollout| rollout.updated = 1,
            |rollout: &mut Rollout| rollout.total = 3,
            |rollout: &mut Rollout| rollout.available = 1,
        ] {
            let mut under_way = rollout.clone();
            change(&mut under_way);
            assert_eq!(kept(&there, Some(&under_way), "new"), there);
        }
        assert_eq!(kept(&there, Some(&rollout), "new"), files(&[]));
        assert_eq!(kept(&there, None, "new"), files(&[]));
    }
}
