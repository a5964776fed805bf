//! Ruby: the interpreter is in `libruby`, or linked into a program of that name.

use super::{Detection, Language, Pattern, Place, ProcessFacts, VersionClue, is_versioned};

/// The banner of `ruby --version`, which every build has among its constants.
const BANNER: Pattern = Pattern::Starting("ruby ");

/// A Ruby process.
pub fn detect(facts: &ProcessFacts) -> Option<Detection> {
    if let Some(library) = facts.mapped_where(|name| name.starts_with("libruby")) {
        let evidence = format!("{} is mapped", library.path);
        let mut versions = Vec::new();
        if let Some((_, version)) = library.name().split_once(".so.") {
            // `3.1.7` on Debian; elsewhere maybe `3.1`, which the banner then makes whole.
            let known = VersionClue::Known(version.to_owned(), evidence.clone());
            let whole = version.matches('.').count() >= 2;
            versions.push(known);
            versions.insert(
                usize::from(whole),
                VersionClue::Binary(Place::Mapped(library.path.clone()), BANNER),
            );
        } else {
            versions.push(VersionClue::Binary(Place::Mapped(library.path.clone()), BANNER));
        }
        return Some(Detection::new(Language::Ruby, evidence, versions));
    }
    let evidence = if is_versioned(facts.exe_name(), "ruby") {
        format!("the program is {}", facts.exe)
    } else if facts.has_marker("ruby_process_options") {
        format!("{} exports the Ruby interpreter", facts.exe)
    } else {
        return None;
    };
    Some(Detection::new(
        Language::Ruby,
        evidence,
        vec![VersionClue::Binary(Place::Program, BANNER)],
    ))
}
