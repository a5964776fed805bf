//! Go: its linker writes build information into every program.

use super::{Detection, Language, ProcessFacts, VersionClue};

/// A program that the Go linker made.
pub fn detect(facts: &ProcessFacts) -> Option<Detection> {
    let info = facts.program.as_ref().ok()?.go.as_ref()?;
    let evidence = format!("Go build information in {}", facts.exe);
    let version = VersionClue::Known(info.go_version.trim_start_matches("go").to_owned(), evidence.clone());
    Some(Detection::new(Language::Go, evidence, vec![version]))
}
