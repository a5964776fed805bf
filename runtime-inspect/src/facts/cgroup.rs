//! The container a process is in, by the path of its control group. Formats: `cgroups(7)` for the file; the layouts of
//! the paths are those of containerd, CRI-O, Docker and Podman with the systemd and the cgroupfs driver.

/// No more than this much is read, in bytes.
pub const MAX_CGROUP: usize = 64 << 10;

/// What runs a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContainerEngine {
    /// containerd, through Kubernetes or nerdctl.
    Containerd,
    /// CRI-O.
    Crio,
    /// Docker.
    Docker,
    /// Podman.
    Podman,
    /// The path does not say.
    Unknown,
}

/// The container of a process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Container {
    /// Its id.
    pub id: String,
    /// What runs it, as far as the path says.
    pub engine: ContainerEngine,
    /// The unique id of its Kubernetes pod.
    pub pod_uid: Option<String>,
    /// The path that says so.
    pub cgroup: String,
}

/// The innermost container of `/proc/PID/cgroup`, of version 1 (several lines) or 2 (one).
pub fn container(text: &str) -> Option<Container> {
    text.lines()
        .find_map(|line| container_of_path(line.splitn(3, ':').nth(2)?))
}

fn container_of_path(path: &str) -> Option<Container> {
    // Nested containers (a node that is itself a container) come after the outer ones, so the last one counts.
    let (id, engine) = path.split('/').rev().find_map(container_of_part)?;
    let engine = match engine {
        ContainerEngine::Unknown => engine_of_parent(path, id),
        known => known,
    };
    Some(Container {
        id: id.to_owned(),
        engine,
        pod_uid: pod_uid(path),
        cgroup: path.to_owned(),
    })
}

/// `cri-containerd-<id>.scope`, `docker-<id>.scope`, `...slice:cri-containerd:<id>`, or a bare `<id>`.
fn container_of_part(part: &str) -> Option<(&str, ContainerEngine)> {
    let part = part.strip_suffix(".scope").unwrap_or(part);
    let (prefix, id) = match part.rsplit_once([':', '-']) {
        Some((prefix, id)) if is_id(id) => (prefix, id),
        _ if is_id(part) || is_task_id(part) => ("", part),
        _ => return None,
    };
    // The monitor of a CRI-O or Podman container has a group of its own, beside the container's.
    if prefix.ends_with("conmon") {
        return None;
    }
    Some((id, engine_of(prefix)))
}

fn engine_of(prefix: &str) -> ContainerEngine {
    let engines = [
        ("containerd", ContainerEngine::Containerd),
        ("nerdctl", ContainerEngine::Containerd),
        ("crio", ContainerEngine::Crio),
        ("docker", ContainerEngine::Docker),
        ("libpod", ContainerEngine::Podman),
    ];
    engines
        .into_iter()
        .find(|(name, _)| prefix.contains(name))
        .map_or(ContainerEngine::Unknown, |(_, engine)| engine)
}

/// With the cgroupfs driver only the parent's name may say it: `/docker/<id>`.
fn engine_of_parent(path: &str, id: &str) -> ContainerEngine {
    let mut parts = path.split('/').rev().skip_while(|part| *part != id).skip(1);
    parts.next().map_or(ContainerEngine::Unknown, engine_of)
}

fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Fargate's `<32 hexadecimal digits>-<digits>`.
fn is_task_id(text: &str) -> bool {
    text.split_once('-').is_some_and(|(task, number)| {
        task.len() == 32
            && task.bytes().all(|byte| byte.is_ascii_hexdigit())
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// `pod<uid>` as a part of its own, or at the end of a slice's name, where systemd wants `_` for `-`.
fn pod_uid(path: &str) -> Option<String> {
    path.split(['/', ':']).find_map(|part| {
        let part = part.strip_suffix(".slice").unwrap_or(part);
        let uid = part.rsplit_once("pod").map(|(_, uid)| uid)?.replace('_', "-");
        let shape = uid.len() == 36 && uid.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
        // Static pods have a hash of 32 digits instead.
        let hash = uid.len() == 32;
        ((shape || hash) && uid.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())).then_some(uid)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4f9c2ab1d0e7a8b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a3b2";
    const UID: &str = "2c48913c-b29f-11e7-9350-020968147796";

    fn check(text: &str, engine: ContainerEngine, pod: Option<&str>) {
        let text = text
            .replace("UID_", &UID.replace('-', "_"))
            .replace("UID", UID)
            .replace("ID", ID);
        let found = container(&text).unwrap_or_else(|| panic!("no container in {text}"));
        assert_eq!(
            (found.id.as_str(), found.engine, found.pod_uid.as_deref()),
            (ID, engine, pod),
            "{text}"
        );
    }

    #[test]
    fn containers_of_cgroup_v2_are_found() {
        use ContainerEngine::*;
        check(
            "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podUID_.slice/cri-containerd-ID.scope",
            Containerd,
            Some(UID),
        );
        check(
            "0::/kubepods.slice/kubepods-podUID_.slice/crio-ID.scope",
            Crio,
            Some(UID),
        );
        check(
            "0::/kubepods.slice/kubepods-podUID_.slice/crio-ID.scope/container",
            Crio,
            Some(UID),
        );
        check("0::/kubepods/besteffort/podUID/ID", Unknown, Some(UID));
        check("0::/system.slice/docker-ID.scope", Docker, None);
        check("0::/docker/ID", Docker, None);
        check("0::/machine.slice/libpod-ID.scope/container", Podman, None);
        check("0::/../cri-containerd-ID.scope", Containerd, None);
    }

    #[test]
    fn containers_of_cgroup_v1_are_found() {
        use ContainerEngine::*;
        check(
            "12:pids:/kubepods/burstable/podUID/ID\n11:cpu:/kubepods/burstable/podUID/ID\n0::/",
            Unknown,
            Some(UID),
        );
        check(
            "3:cpu,cpuacct:/system.slice/containerd.service/kubepods-burstable-podUID_.slice:cri-containerd:ID",
            Containerd,
            Some(UID),
        );
        check("5:memory:/docker/ID\n1:name=systemd:/docker/ID", Docker, None);
        check(
            "5:memory:/docker/ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff/kubepods/podUID/ID",
            Unknown,
            Some(UID),
        );
    }

    #[test]
    fn processes_of_the_host_are_in_none() {
        for text in [
            "0::/",
            "0::/init.scope",
            "0::/user.slice/user-1000.slice/session-3.scope",
            "",
            "junk",
            "1:cpu:/\n0::/",
        ] {
            assert_eq!(container(text), None, "{text}");
        }
        assert_eq!(container(&format!("0::/system.slice/crio-conmon-{ID}.scope")), None);
    }
}
