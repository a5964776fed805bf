//! `odigos inspect`: each process of this machine, what it is and what shows that, and what would instrument it.

use crate::output;
use anyhow::{Result, bail};
use clap::ValueEnum;
use odiglet::plan::{Plan, plan};
use odiglet::plan_go;
use probe_loader::Facilities;
use runtime_inspect::{InspectError, Inspection, Inspector, Language, facts};
use serde_json::{Value, json};
use std::process::ExitCode;

/// Options of `inspect`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Only this process (may be repeated)
    #[arg(long, value_name = "N")]
    pid: Vec<u32>,
    /// How it is shown
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One line a process
    Table,
    /// The same, followed by the evidence for each finding
    Wide,
    /// A JSON array
    Json,
}

const COLUMNS: [&str; 8] = [
    "PID",
    "SERVICE",
    "LANGUAGE",
    "VERSION",
    "LIBC",
    "CONTAINER",
    "OTHER AGENTS",
    "INSTRUMENTED BY",
];

/// Prints the processes; fails if one that was named cannot be inspected.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let facilities = Facilities::detect();
    let (found, errors) = inspect(&arguments.pid)?;
    let planned: Vec<(Inspection, Plan)> = found
        .into_iter()
        .map(|inspection| {
            let is_go = inspection.language == Some(Language::Go);
            let go = is_go.then(|| plan_go(inspection.pid));
            let plan = plan(&inspection, &facilities, go.as_ref());
            (inspection, plan)
        })
        .collect();
    output::print(&match arguments.output {
        Format::Json => json(&planned)?,
        format => table(&planned, format == Format::Wide),
    })?;
    if errors.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    bail!(
        errors
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n        ")
    )
}

/// All processes that have a program, or those that are named. A process of "all" that ends meanwhile is no error.
fn inspect(named: &[u32]) -> Result<(Vec<Inspection>, Vec<InspectError>)> {
    let inspector = Inspector::default();
    let pids = if named.is_empty() {
        facts::process::pids()?
    } else {
        named.to_vec()
    };
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    for pid in pids {
        match inspector.inspect(pid) {
            Ok(inspection) => found.push(inspection),
            Err(InspectError::Gone { .. } | InspectError::KernelThread { .. }) if named.is_empty() => {}
            Err(error) => errors.push(error),
        }
    }
    Ok((found, errors))
}

fn table(processes: &[(Inspection, Plan)], wide: bool) -> String {
    let rows: Vec<[String; 8]> = processes
        .iter()
        .map(|(inspection, plan)| row(inspection, plan))
        .collect();
    let mut widths = COLUMNS.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = line(&COLUMNS.map(str::to_owned), &widths);
    for (row, (inspection, plan)) in rows.iter().zip(processes) {
        text.push_str(&line(row, &widths));
        if wide {
            text.push_str(&evidence(inspection, plan));
        }
    }
    text
}

fn line(cells: &[String; 8], widths: &[usize; 8]) -> String {
    let padded: Vec<String> = cells
        .iter()
        .zip(widths)
        .map(|(cell, width)| format!("{cell:width$}"))
        .collect();
    format!("{}\n", padded.join("  ").trim_end())
}

fn row(inspection: &Inspection, plan: &Plan) -> [String; 8] {
    let or_dash = |text: Option<String>| text.map_or_else(|| "-".to_owned(), |text| shown(&text));
    let agents: Vec<&str> = inspection.agents.iter().map(|agent| agent.vendor).collect();
    let libc = inspection.libc.map(|libc| match &inspection.libc_version {
        Some(version) => format!("{} {version}", libc.as_str()),
        None => libc.as_str().to_owned(),
    });
    [
        inspection.pid.to_string(),
        or_dash(inspection.service_name.clone()),
        or_dash(inspection.language.map(|language| language.to_string())),
        or_dash(inspection.runtime_version.clone()),
        or_dash(libc),
        or_dash(
            inspection
                .container
                .as_ref()
                .map(|container| container.id.chars().take(12).collect()),
        ),
        or_dash((!agents.is_empty()).then(|| agents.join(", "))),
        or_dash((!plan.with.is_empty()).then(|| plan.with.join(", "))),
    ]
}

fn evidence(inspection: &Inspection, plan: &Plan) -> String {
    let findings = inspection.findings.iter().map(|finding| {
        let value = finding.value.as_deref().unwrap_or("not known");
        format!(
            "    {}: {} ({})\n",
            finding.subject.as_str(),
            shown(value),
            shown(&finding.evidence)
        )
    });
    let reasons = plan
        .without
        .iter()
        .map(|reason| format!("    not instrumented by {}\n", shown(reason)));
    let is_known = !inspection.exe.is_empty();
    let program = is_known.then(|| format!("    program: {}\n", shown(&inspection.exe)));
    program.into_iter().chain(findings).chain(reasons).collect()
}

/// Text of a process without what would control the terminal. Quotes do no harm.
fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\'' | '"' => out.push(c),
            _ => out.extend(c.escape_debug()),
        }
    }
    out
}

fn json(processes: &[(Inspection, Plan)]) -> Result<String> {
    let all: Vec<Value> = processes
        .iter()
        .map(|(inspection, plan)| to_json(inspection, plan))
        .collect();
    Ok(format!("{}\n", serde_json::to_string_pretty(&all)?))
}

fn to_json(inspection: &Inspection, plan: &Plan) -> Value {
    let findings: Vec<Value> = inspection
        .findings
        .iter()
        .map(|finding| json!({ "subject": finding.subject.as_str(), "value": finding.value, "evidence": finding.evidence }))
        .collect();
    let agents: Vec<Value> = inspection
        .agents
        .iter()
        .map(|agent| json!({ "vendor": agent.vendor, "evidence": agent.evidence }))
        .collect();
    json!({
        "pid": inspection.pid,
        "executable": inspection.exe,
        "service_name": inspection.service_name,
        "language": inspection.language.map(|language| language.as_str()),
        "runtime_version": inspection.runtime_version,
        "libc": inspection.libc.map(|libc| libc.as_str()),
        "libc_version": inspection.libc_version,
        "secure": inspection.secure,
        "container_id": inspection.container.as_ref().map(|container| &container.id),
        "other_agents": agents,
        "instrumented_by": plan.with,
        "not_instrumented_by": plan.without,
        "findings": findings,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_and_quotes_are_left_alone() {
        assert_eq!(
            shown("Node's \"x\" \u{1b}[2J\n\u{202e}é"),
            "Node's \"x\" \\u{1b}[2J\\n\\u{202e}é"
        );
    }
}
