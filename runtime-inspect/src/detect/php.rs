//! PHP: the command line and FPM programs, or `libphp` in a web server.

use super::{Detection, Language, Pattern, Place, ProcessFacts, VersionClue, is_versioned};

/// The response header that PHP adds by default.
const HEADER: Pattern = Pattern::After("X-Powered-By: PHP/");

/// A PHP process.
pub fn detect(facts: &ProcessFacts) -> Option<Detection> {
    if let Some(library) = facts.mapped_where(|name| name.starts_with("libphp")) {
        let versions = vec![VersionClue::Binary(Place::Mapped(library.path.clone()), HEADER)];
        return Some(Detection::new(
            Language::Php,
            format!("{} is mapped", library.path),
            versions,
        ));
    }
    let names = ["php", "php-fpm", "php-cgi"];
    let evidence = if names.iter().any(|name| is_versioned(facts.exe_name(), name)) {
        format!("the program is {}", facts.exe)
    } else if facts.has_marker("php_module_startup") {
        format!("{} exports the PHP interpreter", facts.exe)
    } else {
        return None;
    };
    Some(Detection::new(
        Language::Php,
        evidence,
        vec![VersionClue::Binary(Place::Program, HEADER)],
    ))
}
