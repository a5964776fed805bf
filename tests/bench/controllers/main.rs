//! What the control plane costs on a large cluster, and how soon it follows.
//!
//! `cargo bench -p odigos-tests --features kube --bench controllers`, as root, after `tests/kubetest/setup.sh`: a real etcd and apiserver
//! without Kubernetes' own controllers, which would undo what is made here by hand: 2 000 workloads with 10 000 running pods and 500
//! Sources. Then each component as a process of its own: its memory, its processor time and its writes while nothing
//! changes, and the time from a new Source to the workload's InstrumentationConfig.

#![forbid(unsafe_code)]

mod cluster;
mod process;

use anyhow::{Context, Result, ensure};
use cluster::{Cluster, NAMESPACES, PODS, SOURCES, WORKLOADS};
use odigos_tests::component::Component;
use odigos_tests::kubetest::ControlPlane;
use process::Usage;
use std::time::{Duration, Instant};

/// The product's own namespace.
const NAMESPACE: &str = "odigos-system";
const COMPONENTS: [&str; 3] = ["scheduler", "instrumentor", "autoscaler"];
/// How long the components are watched while nothing changes.
const IDLE: Duration = Duration::from_secs(30);
/// Sources that are made one after the other, each after the one before has taken effect.
const MEASURED: usize = 200;
/// How long everything that is there already may take to be seen.
const PATIENCE: Duration = Duration::from_secs(120);

fn main() -> Result<()> {
    build()?;
    let plane = ControlPlane::start_apiserver()?;
    plane.install(NAMESPACE, &[])?;
    let kubeconfig = plane.kubeconfig();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let begin = Instant::now();
    let cluster = runtime.block_on(Cluster::fill(&kubeconfig))?;
    println!(
        "{WORKLOADS} workloads, {PODS} pods and {SOURCES} Sources in {NAMESPACES} namespaces, made in {:.0} s",
        begin.elapsed().as_secs_f64()
    );

    let logs = tempfile::tempdir()?;
    let begin = Instant::now();
    let start = |name: &&'static str| Component::start(name, NAMESPACE, &kubeconfig, logs.path());
    let mut components = COMPONENTS.iter().map(start).collect::<Result<Vec<_>>>()?;
    for component in &mut components {
        component.leads(PATIENCE)?;
    }
    runtime.block_on(cluster.wait_for_configs(PATIENCE))?;
    println!(
        "every marked workload has its InstrumentationConfig {:.1} s after the start of all components",
        begin.elapsed().as_secs_f64()
    );

    idle(&components)?;
    let mut times = runtime.block_on(cluster.follow(MEASURED))?;
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!(
        "a new Source took effect in {:.0} ms at the median, {:.0} ms at the 99th percentile, {:.0} ms at most ({MEASURED} Sources)",
        at(0.5),
        at(0.99),
        at(1.0)
    );
    for (name, component) in COMPONENTS.iter().zip(&components) {
        println!(
            "{name}: {:.1} MiB resident at the end",
            Usage::of(component.pid())?.resident_mib
        );
    }
    Ok(())
}

/// What the components need, and write, while nothing changes.
fn idle(components: &[Component]) -> Result<()> {
    settle(components)?;
    let look = || -> Result<Vec<(Usage, f64)>> {
        let one = |component: &Component| {
            Ok((
                Usage::of(component.pid())?,
                component.metric("odigos_controller_writes_total")?,
            ))
        };
        components.iter().map(one).collect()
    };
    let before = look()?;
    std::thread::park_timeout(IDLE);
    let after = look()?;
    for ((name, (before, wrote)), (after, written)) in COMPONENTS.iter().zip(before).zip(after) {
        println!(
            "{name}: {:.1} MiB resident, {:.2} % of a core while nothing changes, {} writes then",
            after.resident_mib,
            100.0 * (after.processor - before.processor).as_secs_f64() / IDLE.as_secs_f64(),
            written - wrote
        );
    }
    Ok(())
}

/// Waits until no component has written for some seconds.
fn settle(components: &[Component]) -> Result<()> {
    const QUIET: Duration = Duration::from_secs(5);
    let deadline = Instant::now() + PATIENCE;
    let written = || -> Result<f64> {
        components
            .iter()
            .map(|component| component.metric("odigos_controller_writes_total"))
            .sum()
    };
    let mut last = written()?;
    loop {
        std::thread::park_timeout(QUIET);
        let now = written()?;
        if now == last {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "they go on writing although nothing changes");
        last = now;
    }
}

/// The bench itself is built with optimization, and so must be what it measures.
fn build() -> Result<()> {
    let built = std::process::Command::new(env!("CARGO"))
        .args([
            "build",
            "--release",
            "--quiet",
            "--locked",
            "--bin",
            "odigos-controllers",
        ])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .status()
        .context("cannot run cargo")?;
    ensure!(built.success(), "odigos-controllers does not build");
    Ok(())
}
