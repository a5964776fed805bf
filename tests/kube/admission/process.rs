//! The instrumentor as a process of the machine, which the apiserver reaches at an address of its own.

use odigos_tests::component::{Component, wait};
use odigos_tests::kubetest::ControlPlane;
use std::net::TcpListener;
use std::time::Duration;
use tempfile::TempDir;

/// How long anything may take; far more than it does, since the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long its certificates last.
#[derive(Clone, Copy)]
pub enum Lifetime {
    /// As long as they do for users.
    Days,
    /// So many seconds.
    Seconds(u32),
}

/// A running instrumentor, which is killed when dropped.
pub struct Instrumentor {
    component: Component,
    address: String,
    _folder: TempDir,
}

impl Instrumentor {
    pub fn start(plane: &ControlPlane, lifetime: Lifetime) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let host = host();
        let port = TcpListener::bind((host.as_str(), 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let address = format!("{host}:{port}");
        let listen = format!("--webhook-listen={address}");
        let url = format!("--webhook-url=https://{address}");
        let seconds = match lifetime {
            Lifetime::Days => "--webhook-certificate-lifetime=7776000".to_owned(),
            Lifetime::Seconds(seconds) => format!("--webhook-certificate-lifetime={seconds}"),
        };
        let arguments = [listen.as_str(), &url, &seconds];
        let kubeconfig = plane.kubeconfig();
        let component =
            Component::start_with("instrumentor", "odigos-system", &kubeconfig, folder.path(), &arguments).unwrap();
        Self {
            component,
            address,
            _folder: folder,
        }
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    /// Waits until the apiserver asks it, which is when it refuses.
    pub fn until_it_refuses(&self, plane: &ControlPlane) {
        let wrong = "apiVersion: odigos.io/v1alpha1\nkind: Source\nmetadata: {name: probe, namespace: default}\nspec:\n  \
                     workload: {name: probe, namespace: elsewhere, kind: Deployment}\n";
        self.until("it refuses", || {
            let output = plane
                .kubectl(&["create", "--dry-run=server", "-f", "-"], wrong)
                .unwrap();
            String::from_utf8_lossy(&output.stderr).contains("a Source lies in the namespace of its workload")
        });
    }

    /// The sum of a figure over all its labels.
    pub fn figure(&self, name: &str) -> f64 {
        self.component.metric(name).unwrap()
    }

    pub fn until(&self, what: &str, mut condition: impl FnMut() -> bool) {
        let waited = wait(PATIENCE, || Ok(condition()));
        assert!(
            waited.is_ok(),
            "not within {PATIENCE:?}: {what}\n{}",
            self.component.log()
        );
    }

    /// Ends it at once, as if its node had failed.
    pub fn kill(mut self) {
        self.component.kill().unwrap();
    }
}

/// Where the apiserver reaches processes of the machine, as tests/kubetest/env.sh has it.
fn host() -> String {
    std::env::var("KT_HOST_IP").unwrap_or_else(|_| "10.97.0.1".to_owned())
}
