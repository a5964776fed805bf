//! What a running process is: its language, runtime version, libc, agents, container, service name - and, for Go,
//! where its functions and struct fields are.
//!
//! Three layers. `facts` reads procfs and ELF files into plain structs. `detect` holds pure functions over those facts,
//! one module a runtime, in one static table. `go` reads what the Go linker left in a binary: build information, the
//! function table, DWARF, and struct offsets. [`Inspector`] is the thin rim that puts the first two together.
//!
//! Everything read here comes from a process that may be hostile, so every allocation is bounded by the file's size and
//! by a constant, and every failure is a typed error. This crate never executes a file of a target, never follows a
//! link out of a target's root, and shows neither a secret of a command line nor the value of an environment variable,
//! but for those that name the service.
#![forbid(unsafe_code)]

pub mod detect;
pub mod facts;
pub mod go;
mod inspector;
mod secrets;
mod versions;

pub use detect::{Agent, Language, Libc};
pub use facts::cgroup::{Container, ContainerEngine};
pub use facts::environment::Environment;
pub use facts::process::ProcessError as InspectError;
pub use inspector::{Finding, Inspection, Inspector, Subject, inspect};
