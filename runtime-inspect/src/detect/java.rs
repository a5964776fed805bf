//! Java: the virtual machine is the library `libjvm.so`, whatever program loaded it.

use super::{Detection, Language, Pattern, Place, ProcessFacts, VersionClue};

/// A process with a Java virtual machine. A native image of GraalVM has none, and counts as a C program.
pub fn detect(facts: &ProcessFacts) -> Option<Detection> {
    let machine = facts.mapped_where(|name| name == "libjvm.so")?;
    let mut versions = vec![
        VersionClue::Binary(
            Place::Mapped(machine.path.clone()),
            Pattern::After(" for linux-amd64 JRE ("),
        ),
        VersionClue::Binary(
            Place::Mapped(machine.path.clone()),
            Pattern::After(" for linux-aarch64 JRE ("),
        ),
    ];
    // HOME/lib/server/libjvm.so since Java 9, HOME/jre/lib/amd64/server/libjvm.so before.
    let homes = machine.path.match_indices("/lib/").map(|(at, _)| &machine.path[..at]);
    for home in homes.collect::<Vec<_>>().into_iter().rev() {
        let home = home.strip_suffix("/jre").unwrap_or(home);
        versions.insert(0, VersionClue::KeyInFile(format!("{home}/release"), "JAVA_VERSION"));
    }
    Some(Detection::new(
        Language::Java,
        format!("{} is mapped", machine.path),
        versions,
    ))
}
