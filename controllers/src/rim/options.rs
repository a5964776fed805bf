//! The command line.

use clap::{Parser, ValueEnum};
use std::net::SocketAddr;

/// Where the product lies unless it is told otherwise.
pub const DEFAULT_NAMESPACE: &str = "odigos-system";

/// The control plane: each component is a process of its own. The apiserver is found through KUBECONFIG, or from within a
/// pod. The level of the log is ODIGOS_LOG, `info` by default.
#[derive(Debug, Clone, Parser)]
#[command(name = "odigos-controllers", version)]
pub struct Options {
    /// The part of the control plane that this process is.
    pub component: Component,
    /// The namespace of the product's own objects.
    #[arg(long, env = "CURRENT_NS", default_value = DEFAULT_NAMESPACE)]
    pub namespace: String,
    /// Where /healthz, /readyz and /metrics are answered.
    #[arg(long, default_value = "0.0.0.0:8080")]
    pub metrics_listen: SocketAddr,
    /// One JSON object a line, instead of lines for people.
    #[arg(long)]
    pub log_json: bool,
}

/// The parts of the control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Component {
    /// Deploys the collectors with their configurations.
    Autoscaler,
    /// Finds the workloads that are asked for and instruments them.
    Instrumentor,
    /// Makes the configuration that is in force, and says which collectors there should be.
    Scheduler,
}

impl Component {
    /// The name of its objects: its Deployment, its Lease, its field manager.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Autoscaler => "odigos-autoscaler",
            Self::Instrumentor => "odigos-instrumentor",
            Self::Scheduler => "odigos-scheduler",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_a_component_and_what_differs_from_the_defaults() {
        let options = Options::try_parse_from(["odigos-controllers", "scheduler", "--namespace", "mine"]).unwrap();
        assert_eq!(options.component, Component::Scheduler);
        assert_eq!(options.namespace, "mine");
        assert_eq!(options.metrics_listen.port(), 8080);
        assert!(Options::try_parse_from(["odigos-controllers"]).is_err());
    }
}
