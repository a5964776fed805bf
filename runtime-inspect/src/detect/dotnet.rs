//! .NET: the runtime is the library `libcoreclr.so`, below a folder named by its version; native programs have none but
//! keep their managed code in a section of its own.

use super::{Detection, Language, Pattern, Place, ProcessFacts, VersionClue};

/// A process with the .NET runtime, or compiled by its native compiler.
pub fn detect(facts: &ProcessFacts) -> Option<Detection> {
    if let Some(runtime) = facts.mapped_where(|name| name == "libcoreclr.so") {
        let evidence = format!("{} is mapped", runtime.path);
        let mut versions = Vec::new();
        if let Some(version) = version_of_path(&runtime.path) {
            versions.push(VersionClue::Known(version.to_owned(), evidence.clone()));
        }
        versions.push(VersionClue::Binary(
            Place::Mapped(runtime.path.clone()),
            Pattern::After("@(#)Version "),
        ));
        return Some(Detection::new(Language::DotNet, evidence, versions));
    }
    let program = facts.program.as_ref().ok()?;
    let evidence = format!("section __managedcode in {}", facts.exe);
    program
        .dotnet_native
        .then(|| Detection::new(Language::DotNet, evidence, Vec::new()))
}

/// `.../Microsoft.NETCore.App/8.0.1/libcoreclr.so`
fn version_of_path(path: &str) -> Option<&str> {
    let (_, rest) = path.split_once("/Microsoft.NETCore.App/")?;
    let version = rest.split('/').next()?;
    version.starts_with(|c: char| c.is_ascii_digit()).then_some(version)
}
