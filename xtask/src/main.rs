//! Repository tasks: `cargo xtask architecture` checks what ARCHITECTURE.md promises and the compiler does not; `cargo xtask crds`
//! writes the definitions of the custom resources anew.

#![forbid(unsafe_code)]

mod dependencies;
mod sources;

use anyhow::{Context, Result, bail};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};
use dependencies::Graph;
use sources::Root;
use std::{fs, path::Path, process::Command, process::ExitCode};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["architecture"] => architecture(),
        ["crds"] => crds(),
        _ => Err(anyhow::anyhow!("usage: cargo xtask {{architecture|crds}}")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Has the test that compares the files with the types write them first: this program depends on none of ours.
fn crds() -> Result<()> {
    let status = Command::new("cargo")
        .args([
            "test",
            "--quiet",
            "--locked",
            "--package",
            "controllers-api",
            "--test",
            "definitions",
            "the_chart_",
        ])
        .env("UPDATE_CRDS", "1")
        .status()
        .context("cannot run cargo")?;
    match status.success() {
        true => Ok(()),
        false => bail!("the definitions could not be written"),
    }
}

/// Prints every violation, not only the first one.
fn architecture() -> Result<()> {
    let metadata = MetadataCommand::new()
        .other_options(["--locked".to_owned()])
        .exec()
        .context("cannot read the workspace")?;
    let mut violations = dependencies::violations(&graph(&metadata)?);
    for root in roots(&metadata)? {
        violations.extend(sources::violations_of_root(&root));
    }
    let workspace_path = metadata.workspace_root.as_str();
    let workspace = Path::new(workspace_path);
    for path in tracked_files(workspace)? {
        // A file that is deleted and not yet committed, and one that is no text, have no lines to judge.
        if let Ok(text) = fs::read_to_string(workspace.join(&path)) {
            violations.extend(sources::violations_of_file(&path, &text, workspace_path));
        }
    }
    for violation in &violations {
        eprintln!("{violation}");
    }
    match violations.len() {
        0 => Ok(()),
        count => bail!("{count} violations of the architecture"),
    }
}

/// The packages by name, as they are shipped: what only a test depends on may know everything. Two versions of one outside
/// package become one node, which can only find more.
fn graph(metadata: &Metadata) -> Result<Graph> {
    let resolve = metadata.resolve.as_ref().context("the workspace was not resolved")?;
    let mut graph = Graph::default();
    for id in &metadata.workspace_members {
        graph.ours.insert(metadata[id].name.to_string());
    }
    for node in &resolve.nodes {
        let shipped = node.deps.iter().filter(|dependency| {
            let mut kinds = dependency.dep_kinds.iter();
            kinds.any(|kind| kind.kind != DependencyKind::Development)
        });
        let to = shipped.map(|dependency| metadata[&dependency.pkg].name.to_string());
        graph
            .edges
            .entry(metadata[&node.id].name.to_string())
            .or_default()
            .extend(to);
    }
    Ok(graph)
}

/// The files at which the compiler begins with what is shipped or built on the way: where `forbid(unsafe_code)` covers all
/// of a crate.
fn roots(metadata: &Metadata) -> Result<Vec<Root>> {
    let mut roots = Vec::new();
    for package in metadata.workspace_packages() {
        for target in package
            .targets
            .iter()
            .filter(|target| target.is_lib() || target.is_bin() || target.is_custom_build())
        {
            let path = &target.src_path;
            roots.push(Root {
                package: package.name.to_string(),
                path: path.strip_prefix(&metadata.workspace_root).unwrap_or(path).to_string(),
                text: fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?,
            });
        }
    }
    Ok(roots)
}

fn tracked_files(workspace: &Path) -> Result<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(workspace)
        .output()
        .context("cannot run git")?;
    if !output.status.success() {
        bail!("git ls-files: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let names = String::from_utf8(output.stdout).context("a file's name is not UTF-8")?;
    Ok(names.split_terminator('\0').map(str::to_owned).collect())
}
