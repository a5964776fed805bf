//! `odigos check`: the kernel's facilities, and what each missing one costs.

use probe_loader::{Facilities, facility};
use std::process::ExitCode;

/// Prints the table; fails if something is missing without which nothing works.
pub fn run() -> ExitCode {
    let facilities = Facilities::detect();
    let width = facility::DESCRIPTIONS
        .iter()
        .map(|d| d.name.len())
        .max()
        .unwrap_or_default();
    for description in facility::DESCRIPTIONS {
        match facilities.missing(description.facility) {
            None => println!("{:width$}  yes", description.name),
            Some(reason) => println!(
                "{:width$}  NO   {reason}\n{:width$}       costs: {}",
                description.name, "", description.cost
            ),
        }
    }
    let fatal = facilities.missing_required().count();
    if fatal == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
