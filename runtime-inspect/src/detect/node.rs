//! Node.js: its program (under any name) offers the N-API to add-ons, or a library `libnode.so` does.

use super::{Detection, Language, Pattern, Place, ProcessFacts, VersionClue};

/// The address of the release's archive is in the constants of every official and distribution build.
const RELEASE: Pattern = Pattern::After("https://nodejs.org/download/release/v");

/// A Node.js process.
pub fn detect(facts: &ProcessFacts) -> Option<Detection> {
    if let Some(library) = facts.mapped_where(|name| name.starts_with("libnode.so")) {
        let versions = vec![VersionClue::Binary(Place::Mapped(library.path.clone()), RELEASE)];
        return Some(Detection::new(
            Language::JavaScript,
            format!("{} is mapped", library.path),
            versions,
        ));
    }
    let evidence = if facts.has_marker("napi_create_function") {
        format!("{} exports Node's add-on interface", facts.exe)
    } else if matches!(facts.exe_name(), "node" | "nodejs") {
        format!("the program is {}", facts.exe)
    } else {
        return None;
    };
    Some(Detection::new(
        Language::JavaScript,
        evidence,
        vec![VersionClue::Binary(Place::Program, RELEASE)],
    ))
}
