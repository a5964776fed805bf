//! Which C library a process runs on: agents with native parts are built for one of them.

use super::{Pattern, Place, ProcessFacts, VersionClue};

/// The C library of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Libc {
    /// The GNU C library.
    Glibc,
    /// musl.
    Musl,
    /// None that is loaded: the program is static, whatever it was linked with.
    Static,
}

impl Libc {
    /// `glibc`, `musl` or `static`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Glibc => "glibc",
            Self::Musl => "musl",
            Self::Static => "static",
        }
    }
}

/// The library, what shows it, and where its version may be learnt; `None` if the program could not be read and nothing
/// that is mapped tells.
pub fn libc(facts: &ProcessFacts) -> Option<(Libc, String, Vec<VersionClue>)> {
    let musl = |name: &str| name.starts_with("ld-musl-") || name.starts_with("libc.musl-");
    let glibc = |name: &str| name == "libc.so.6" || is_old_glibc(name);
    if let Some(file) = facts.mapped_where(musl) {
        return Some((Libc::Musl, format!("{} is mapped", file.path), Vec::new()));
    }
    if let Some(file) = facts.mapped_where(glibc) {
        let versions = vec![VersionClue::Binary(
            Place::Mapped(file.path.clone()),
            Pattern::After(" release version "),
        )];
        return Some((Libc::Glibc, format!("{} is mapped", file.path), versions));
    }
    match facts.program.as_ref().ok()?.interpreter.as_deref() {
        Some(interpreter) if interpreter.contains("ld-musl") => Some((
            Libc::Musl,
            format!("{} is loaded by {interpreter}", facts.exe),
            Vec::new(),
        )),
        Some(interpreter) => Some((
            Libc::Glibc,
            format!("{} is loaded by {interpreter}", facts.exe),
            Vec::new(),
        )),
        None => Some((
            Libc::Static,
            format!("{} names no dynamic linker", facts.exe),
            Vec::new(),
        )),
    }
}

/// Before 2.34 the file behind `libc.so.6` was `libc-2.31.so`.
fn is_old_glibc(name: &str) -> bool {
    name.strip_prefix("libc-")
        .and_then(|rest| rest.strip_suffix(".so"))
        .is_some_and(|version| !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
}
