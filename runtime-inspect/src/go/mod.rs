//! What the Go linker leaves in a binary, stripped or not: build information, the function table, struct layouts.

mod binary;
pub mod build_info;
mod dwarf;
mod moduledata;
pub mod offsets;
pub mod pclntab;
mod relocations;
mod version;

pub use binary::{GoBinary, GoError, GoFunction};
pub use build_info::{BuildInfo, Module};
pub use dwarf::{DwarfError, StructLayout, struct_layouts};
pub use offsets::{FieldOffsets, Missing, MissingReason, OffsetSource, WANTED_STD};
pub use version::GoVersion;
