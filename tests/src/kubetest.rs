//! The control plane of a real Kubernetes (`tests/kubetest`) for tests: etcd, apiserver, controller manager and scheduler.

use anyhow::{Context, Result, bail};
use rustix::fs::{FlockOperation, flock};
use serde_json::Value;
use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// A running control plane with nothing in it; ended, with all its data, when it is dropped. One per machine: whoever asks
/// for another waits.
#[derive(Debug)]
pub struct ControlPlane {
    folder: PathBuf,
    /// Held, and released after the cluster has ended.
    _one_per_machine: File,
}

impl ControlPlane {
    /// Brings it up. `tests/kubetest/setup.sh` must have been run; needs root.
    pub fn start() -> Result<Self> {
        Self::start_as("control")
    }

    /// The same with a node: kubelet, containerd and the image `busybox:1`. Pods run.
    pub fn start_with_node() -> Result<Self> {
        Self::start_as("all")
    }

    fn start_as(what: &str) -> Result<Self> {
        let folder = folder()?;
        let lock = folder.join(".tests");
        let lock = File::create(&lock).with_context(|| format!("{}: run tests/kubetest/setup.sh", lock.display()))?;
        flock(&lock, FlockOperation::LockExclusive)?;
        let plane = Self {
            folder,
            _one_per_machine: lock,
        };
        // What a killed run has left would be neither fresh nor ours.
        plane.script(&["stop.sh", "--wipe"])?;
        plane.script(&["start.sh", what])?;
        Ok(plane)
    }

    /// Runs kubectl with text on its standard input; the exit status is the caller's to judge.
    pub fn kubectl(&self, arguments: &[&str], input: &str) -> Result<Output> {
        let mut child = Command::new(self.folder.join("bin/kubectl"))
            .args(arguments)
            .env("KUBECONFIG", self.folder.join("kubeconfig"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot run kubectl")?;
        let mut stdin = child.stdin.take().context("kubectl has no input")?;
        stdin.write_all(input.as_bytes())?;
        drop(stdin);
        Ok(child.wait_with_output()?)
    }

    /// Like [`Self::kubectl`], without input and for what must succeed: what it prints.
    pub fn kubectl_prints(&self, arguments: &[&str]) -> Result<String> {
        let output = self.kubectl(arguments, "")?;
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            bail!("kubectl {}: {error}", arguments.join(" "));
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// kubectl's answer as JSON.
    pub fn get(&self, arguments: &[&str]) -> Result<Value> {
        let arguments = [&["get", "-o", "json"], arguments].concat();
        Ok(serde_json::from_str(&self.kubectl_prints(&arguments)?)?)
    }

    /// Applies manifests, which must be taken.
    pub fn apply(&self, manifests: &str) -> Result<()> {
        let output = self.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", "-"], manifests)?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }

    /// The definitions of our kinds, and the product's namespace with what the chart's templates of these names make: what a
    /// component may do, mostly.
    pub fn install(&self, namespace: &str, templates: &[&str]) -> Result<()> {
        let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("../helm/odigos");
        let crds = chart.join("crds");
        let crds = crds.to_str().context("the path of the definitions is no text")?;
        self.kubectl_prints(&["apply", "--server-side", "-f", crds])?;
        self.kubectl_prints(&["wait", "--for=condition=Established", "--timeout=60s", "-f", crds])?;
        self.apply(&format!(
            "{{apiVersion: v1, kind: Namespace, metadata: {{name: {namespace}}}}}"
        ))?;
        for template in templates {
            let path = chart.join("templates").join(template);
            let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            self.apply(&text.replace("{{ .Release.Namespace }}", namespace))?;
        }
        Ok(())
    }

    /// The file for KUBECONFIG with which one is the administrator.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// A file for KUBECONFIG with which one is a service account and nobody else; below `folder`.
    pub fn kubeconfig_of(&self, namespace: &str, account: &str, folder: &Path) -> Result<PathBuf> {
        let token = self.kubectl_prints(&["create", "token", account, "-n", namespace])?;
        let own = std::fs::read_to_string(self.folder.join("kubeconfig"))?;
        let (before, _) = own.split_once("users:").context("the kubeconfig has no users")?;
        let path = folder.join(format!("{account}.kubeconfig"));
        let user = format!("users: [{{name: me, user: {{token: {:?}}}}}]\n", token.trim());
        std::fs::write(&path, format!("{before}{user}"))?;
        Ok(path)
    }

    /// The daemons outlive the script and would keep a pipe open, so its output goes to a file.
    fn script(&self, words: &[&str]) -> Result<()> {
        let path = self.folder.join("tests.log");
        let log = File::create(&path)?;
        let status = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("kubetest").join(words[0]))
            .args(&words[1..])
            .env("KT_DIR", &self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .status()?;
        if !status.success() {
            bail!("{}: {}", words.join(" "), std::fs::read_to_string(path)?);
        }
        Ok(())
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        if let Err(error) = self.script(&["stop.sh", "--wipe"]) {
            eprintln!("the control plane could not be ended: {error:#}");
        }
    }
}

/// Where the scripts keep what they build.
fn folder() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("KT_DIR") {
        return Ok(folder.into());
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let cache = cache.or_else(home).context("neither KT_DIR nor HOME is set")?;
    Ok(cache.join("odigos-dev/kubetest"))
}
