//! Destinations: what a user fills in, and the exporters that come of it.
//!
//! Each type is a file in `controllers/core/destinations/`, read into a [`Definition`]; adding one is adding a file. What a
//! file may say is told in `docs/destinations.md`. [`render`] makes configuration nodes of a definition and of what a user
//! filled in, or says for each field what to change. A broken destination is an error of its own and touches no other.

mod address;
mod condition;
mod definition;
mod fields;
mod references;
mod render;
mod template;

pub use address::{GrpcFormat, UrlFormat};
pub use condition::Condition;
pub use definition::{Category, Definition, Field, Format, Input, Piece, Refusal, Signal, Support};
pub use fields::{FieldError, Filled};
pub use render::{Destination, Exporter, RenderError, Rendered, SecretReference, SecretVariable, dangling, render};

use collector_config::Errors;
use std::sync::LazyLock;

/// Type and text of each file.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/destinations.rs"));

/// All destinations, by type, or what is wrong with a file.
static DEFINITIONS: LazyLock<Vec<(&str, Result<Definition, Errors>)>> = LazyLock::new(|| {
    FILES
        .iter()
        .map(|(name, text)| (*name, Definition::parse(text, &format!("{name}.yaml"))))
        .collect()
});

/// The definitions in the order of their types. A test reads all of them, so that none is broken in a release.
pub fn all() -> impl Iterator<Item = &'static Definition> {
    DEFINITIONS
        .iter()
        .filter_map(|(_, definition)| definition.as_ref().ok())
}

/// The files that cannot be read, and why.
pub fn broken() -> impl Iterator<Item = (&'static str, &'static Errors)> {
    DEFINITIONS
        .iter()
        .filter_map(|(name, definition)| definition.as_ref().err().map(|errors| (*name, errors)))
}

/// The definition of a type.
pub fn find(kind: &str) -> Option<&'static Definition> {
    all().find(|definition| definition.kind == kind)
}
