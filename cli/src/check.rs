//! `odigos check`: the kernel's facilities, and what each missing one costs.

use crate::output;
use anyhow::Result;
use probe_loader::{Facilities, Facility, facility};
use std::process::ExitCode;

/// Prints the table; fails if something is missing without which nothing works.
pub fn run() -> Result<ExitCode> {
    let facilities = Facilities::detect();
    let width = facility::DESCRIPTIONS
        .iter()
        .map(|d| d.name.len())
        .max()
        .unwrap_or_default();
    let is_privileged = facilities.missing(Facility::Privileges).is_none();
    let line = |description: &facility::Description| {
        let name = description.name;
        match facilities.missing(description.facility) {
            None => format!("{name:width$}  yes\n"),
            // Most are tried out by loading a program, whose refusal says nothing then.
            Some(_) if !is_privileged && description.facility != Facility::Privileges => {
                format!("{name:width$}  ?    cannot be told without the privileges\n")
            }
            Some(reason) => format!(
                "{name:width$}  NO   {reason}\n{:width$}       costs: {}\n",
                "", description.cost
            ),
        }
    };
    output::print(&facility::DESCRIPTIONS.iter().map(line).collect::<String>())?;
    let nothing_works = facilities.missing_required().next().is_some();
    Ok(if nothing_works {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
