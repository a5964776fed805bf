//! Programs compiled to machine code without a runtime of their own: Rust, C++, C.

use super::{Detection, Language, ProcessFacts, VersionClue};

/// A program that rustc linked: its comment section says so, or the paths of the standard library do.
pub fn rust(facts: &ProcessFacts) -> Option<Detection> {
    let program = facts.program.as_ref().ok()?;
    let comment = program
        .compilers
        .iter()
        .find_map(|text| text.strip_prefix("rustc version "));
    if let Some(comment) = comment {
        let evidence = format!("rustc in the comment section of {}", facts.exe);
        let version = comment.split(' ').next().unwrap_or_default();
        let versions = vec![VersionClue::Known(version.to_owned(), evidence.clone())];
        return Some(Detection::new(Language::Rust, evidence, versions));
    }
    let commit = program.rust_commit.as_ref()?;
    Some(Detection::new(
        Language::Rust,
        format!("paths of Rust's standard library ({commit}) in {}", facts.exe),
        Vec::new(),
    ))
}

/// A program that needs the C++ library, or else one that a C compiler linked. The version is the compiler's.
pub fn c_or_cpp(facts: &ProcessFacts) -> Option<Detection> {
    let program = facts.program.as_ref().ok()?;
    let compiler = program
        .compilers
        .iter()
        .find_map(|text| Some((text, compiler_version(text)?)));
    let versions = |evidence: &str| {
        let known = |(text, version): (&String, &str)| {
            VersionClue::Known(version.to_owned(), format!("{evidence}, compiled by {text}"))
        };
        compiler.map(known).into_iter().collect::<Vec<_>>()
    };
    let library = program
        .needed
        .iter()
        .find(|name| name.starts_with("libstdc++.so") || name.starts_with("libc++.so"));
    if let Some(library) = library {
        let evidence = format!("{} needs {library}", facts.exe);
        return Some(Detection::new(Language::Cpp, evidence.clone(), versions(&evidence)));
    }
    let libc = program
        .needed
        .iter()
        .find(|name| name.starts_with("libc.so") || name.starts_with("libc.musl"));
    let evidence = match (libc, compiler) {
        (Some(library), _) => format!("{} needs {library} and no other runtime", facts.exe),
        (None, Some((text, _))) => format!("{text} in the comment section of {}", facts.exe),
        (None, None) => return None,
    };
    Some(Detection::new(Language::C, evidence.clone(), versions(&evidence)))
}

/// `12.2.0` of `GCC: (Debian 12.2.0-14) 12.2.0` and `19.1.7` of `Debian clang version 19.1.7`.
fn compiler_version(text: &str) -> Option<&str> {
    let rest = text
        .strip_prefix("GCC: (")
        .and_then(|rest| rest.split_once(')'))
        .map(|(_, rest)| rest);
    let rest = rest
        .or_else(|| text.split_once("clang version ").map(|(_, rest)| rest))?
        .trim_start();
    let version = rest.split([' ', '+']).next()?;
    version.starts_with(|c: char| c.is_ascii_digit()).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compilers_name_their_versions() {
        let check = |text: &str, expected: Option<&str>| assert_eq!(compiler_version(text), expected, "{text}");
        check("GCC: (Debian 12.2.0-14+deb12u1) 12.2.0", Some("12.2.0"));
        check("GCC: (GNU) 4.8.5 20150623 (Red Hat 4.8.5-44)", Some("4.8.5"));
        check("Debian clang version 19.1.7 (3+b1)", Some("19.1.7"));
        check("rustc version 1.95.0 (abc)", None);
    }
}
