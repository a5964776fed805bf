//! What the pods of a workload get, before any pod is looked at.

use controllers_api::signals::Signal;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// Where the agents' files lie, on the node and in pods; read-only there.
pub const AGENT_DIRECTORY: &str = "/var/odigos";

/// The library that sets the environment inside a process that the dynamic loader starts.
pub const LOADER: &str = "/var/odigos/loader/loader.so";

/// All that the pods of a workload get. Two equal plans make equal pods, so its hash says when pods must be replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Whose pods.
    pub workload: Workload,
    /// How the agents' files get into the pod.
    pub mount: Mount,
    /// Where the agents send to: a URL, in which `$(NODE_IP)` stands for the node's address.
    pub endpoint: String,
    /// The agent of each container, by the container's name. A container that only eBPF instruments gets nothing, and is not
    /// here.
    pub containers: BTreeMap<String, Agent>,
}

/// The workload, as its pods are to report it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Workload {
    /// Its kind, as in the manifest: `Deployment`.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// service.name.
    pub service_name: String,
}

/// How the agents' files get into a pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Mount {
    /// A resource of the node, whose device plugin has the kubelet mount the folder.
    VirtualDevice,
    /// A volume of the node's folder.
    HostPath,
    /// A container that copies the files into a volume of the pod before all others start.
    InitContainer {
        /// The image that holds the files.
        image: String,
    },
}

/// The agent of one container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Agent {
    /// The distribution's name.
    pub distribution: String,
    /// Version of what lies in the agent's folder: pods with another one are replaced.
    pub version: String,
    /// The resource by which the kubelet mounts the agent, if the distribution has one.
    pub device: Option<String>,
    /// What the agent needs, in this order.
    pub environment: Vec<Variable>,
    /// What the image sets, of the variables that the container's manifest does not: they would be hidden by ours.
    pub inherited: BTreeMap<String, String>,
    /// What is asked for.
    pub signals: BTreeSet<Signal>,
}

/// An environment variable that an agent needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    /// The name.
    pub name: String,
    /// The value, in the syntax of a manifest: `$(NAME)` refers to another variable.
    pub value: String,
    /// What becomes of a value that is there already.
    pub merge: Merge,
}

/// What becomes of the value that a variable has already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Merge {
    /// It stays, and ours is not set.
    Keep,
    /// Ours comes behind it.
    Append {
        /// Between the two.
        separator: String,
        /// The separator stands there even if nothing comes before it.
        separator_when_alone: bool,
    },
    /// Ours comes before it.
    Prepend {
        /// Between the two.
        separator: String,
    },
}

impl Plan {
    /// The value of the label `odigos.io/agents-meta-hash`; nothing where pods stay as they are. Sixteen hexadecimal digits of
    /// the SHA-256 of the plan's JSON.
    pub fn hash(&self) -> Option<String> {
        if self.containers.is_empty() {
            return None;
        }
        Some(digest(self))
    }
}

impl Variable {
    /// The value that goes into the manifest, over one that is there. Nothing where that holds ours already.
    pub fn over(&self, base: Option<&str>) -> Option<String> {
        let base = base.filter(|base| !base.is_empty());
        match (&self.merge, base) {
            (Merge::Keep, Some(_)) => None,
            (Merge::Append { .. } | Merge::Prepend { .. }, Some(base)) if base.contains(&self.value) => None,
            (Merge::Append { separator, .. }, Some(base)) => Some(format!("{base}{separator}{}", self.value)),
            (Merge::Prepend { separator }, Some(base)) => Some(format!("{}{separator}{base}", self.value)),
            (
                Merge::Append {
                    separator,
                    separator_when_alone: true,
                },
                None,
            ) => Some(format!("{separator}{}", self.value)),
            (Merge::Keep | Merge::Append { .. } | Merge::Prepend { .. }, None) => Some(self.value.clone()),
        }
    }

    /// A value without what [`Self::over`] has put into it; other text stays as it is.
    pub fn out_of(&self, value: &str) -> String {
        let (with_separator, alone) = match &self.merge {
            Merge::Keep => return value.to_owned(),
            Merge::Append { separator, .. } => (format!("{separator}{}", self.value), &self.value),
            Merge::Prepend { separator } => (format!("{}{separator}", self.value), &self.value),
        };
        if value.contains(&with_separator) {
            value.replacen(&with_separator, "", 1)
        } else {
            value.replacen(alone.as_str(), "", 1)
        }
    }

    /// Whether the variable makes the dynamic loader load anything but one file in the agents' folder.
    pub fn widens_preload(&self) -> bool {
        let inside = self.value.strip_prefix(AGENT_DIRECTORY).is_some_and(|rest| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
            rest.starts_with('/') && rest.chars().all(plain) && !rest.split('/').any(|part| part == "..")
        });
        let kept =
            matches!(&self.merge, Merge::Append { separator, .. } | Merge::Prepend { separator } if separator != ":");
        self.name == "LD_PRELOAD" && (!inside || kept)
    }
}

/// The loader's variable.
pub fn preload() -> Variable {
    Variable {
        name: "LD_PRELOAD".to_owned(),
        value: LOADER.to_owned(),
        merge: Merge::Append {
            separator: ":".to_owned(),
            separator_when_alone: false,
        },
    }
}

/// Sixteen hexadecimal digits of the SHA-256 of the value's JSON.
pub(super) fn digest(value: &impl Serialize) -> String {
    // Maps with keys of text and plain structs always have a JSON form.
    let json = serde_json::to_vec(value).unwrap_or_default();
    Sha256::digest(json)
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(separator: &str) -> Variable {
        Variable {
            name: "X".to_owned(),
            value: "ours".to_owned(),
            merge: Merge::Append {
                separator: separator.to_owned(),
                separator_when_alone: false,
            },
        }
    }

    #[test]
    fn the_users_value_survives_on_its_side_of_the_separator() {
        assert_eq!(append(" ").over(Some("-Xmx1g")).as_deref(), Some("-Xmx1g ours"));
        assert_eq!(append(":").over(None).as_deref(), Some("ours"));
        assert_eq!(append(":").over(Some("")).as_deref(), Some("ours"));
        let prepend = Variable {
            merge: Merge::Prepend {
                separator: ":".to_owned(),
            },
            ..append(":")
        };
        assert_eq!(prepend.over(Some("/app")).as_deref(), Some("ours:/app"));
        let alone = Variable {
            merge: Merge::Append {
                separator: ":".to_owned(),
                separator_when_alone: true,
            },
            ..append(":")
        };
        assert_eq!(alone.over(None).as_deref(), Some(":ours"));
        let keep = Variable {
            merge: Merge::Keep,
            ..append(":")
        };
        assert_eq!(keep.over(Some("theirs")), None);
        assert_eq!(append(" ").over(Some("a ours b")), None);
    }

    #[test]
    fn what_was_put_in_comes_out_whatever_stands_around_it() {
        assert_eq!(append(" ").out_of("-Xmx2g ours"), "-Xmx2g");
        assert_eq!(append(" ").out_of("-Xmx2g ours -Xss1m"), "-Xmx2g -Xss1m");
        assert_eq!(append(" ").out_of("ours"), "");
        assert_eq!(append(" ").out_of("theirs"), "theirs");
    }

    #[test]
    fn a_preload_stays_in_the_agents_folder() {
        assert!(!preload().widens_preload());
        for value in [
            "/tmp/x.so",
            "/var/odigos/../x.so",
            "/var/odigos/a.so:/tmp/b.so",
            "/var/odigosx/a.so",
            "$(X)",
            "a b",
        ] {
            let variable = Variable {
                value: value.to_owned(),
                ..preload()
            };
            assert!(variable.widens_preload(), "{value}");
        }
    }
}
