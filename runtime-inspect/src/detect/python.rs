//! Python: the interpreter is in `libpythonX.Y.so`, or linked into a program of that name.

use super::{Detection, Language, Pattern, Place, ProcessFacts, VersionClue, base_name, is_versioned};

/// A CPython process.
pub fn detect(facts: &ProcessFacts) -> Option<Detection> {
    if let Some(library) = facts.mapped_where(|name| name.starts_with("libpython")) {
        let evidence = format!("{} is mapped", library.path);
        let place = Place::Mapped(library.path.clone());
        return Some(Detection::new(
            Language::Python,
            evidence.clone(),
            versions(minor_of(library.name()), place, &evidence),
        ));
    }
    let evidence = if is_versioned(facts.exe_name(), "python") {
        format!("the program is {}", facts.exe)
    } else if facts.has_marker("Py_BytesMain") {
        format!("{} exports the Python interpreter", facts.exe)
    } else {
        return None;
    };
    let minor = minor_of(facts.exe_name()).or_else(|| facts.mapped.iter().find_map(|file| minor_of_folder(&file.path)));
    Some(Detection::new(
        Language::Python,
        evidence.clone(),
        versions(minor, Place::Program, &evidence),
    ))
}

/// With `3.11` known, the whole version is the constant that begins so; else `3.11` is all there is to tell.
fn versions(minor: Option<&str>, place: Place, evidence: &str) -> Vec<VersionClue> {
    let Some(minor) = minor else { return Vec::new() };
    vec![
        VersionClue::Binary(place, Pattern::Ending(format!("{minor}."))),
        VersionClue::Known(minor.to_owned(), evidence.to_owned()),
    ]
}

/// `3.11` of `python3.11` and of `libpython3.11.so.1.0`.
fn minor_of(name: &str) -> Option<&str> {
    let (_, rest) = name.split_once("python")?;
    let dot = rest.find('.')?;
    let digits = rest[dot + 1..]
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len() - dot - 1);
    let minor = &rest[..dot + 1 + digits];
    (digits > 0 && minor.starts_with(|c: char| c.is_ascii_digit())).then_some(minor)
}

/// `3.11` of `/usr/lib/python3.11/lib-dynload/_json.so`.
fn minor_of_folder(path: &str) -> Option<&str> {
    let (folder, _) = path.split_once("/lib-dynload/")?;
    minor_of(base_name(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minor_version_is_in_the_names() {
        let check = |name: &str, expected: Option<&str>| assert_eq!(minor_of(name), expected, "{name}");
        check("python3.11", Some("3.11"));
        check("libpython3.11.so.1.0", Some("3.11"));
        check("python3", None);
        check("libpython3.so", None);
        check("python", None);
        assert_eq!(
            minor_of_folder("/usr/lib/python3.12/lib-dynload/_json.so"),
            Some("3.12")
        );
    }
}
