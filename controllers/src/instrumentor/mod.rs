//! The instrumentor: gives each workload that a Source asks for its InstrumentationConfig, and its pods what that says.
//!
//! [`observe`] watches and keeps the one [`Index`](controllers_core::instrumentor::Index) up to date, which says for each event
//! which workloads it concerns. [`configs`] writes the InstrumentationConfigs of these, [`sources`] what Sources say of
//! themselves and their finalizer, [`rules`] what of a rule has no effect. [`rollout`] brings it into the pods.

mod configs;
mod kinds;
mod observe;
pub mod rollout;
mod rules;
mod sources;
mod status;

use crate::rim::Program;
use observe::Observed;

/// Puts the instrumentor together. The answer knows what the webhook on pods must know.
pub fn assemble(program: &mut Program) -> rollout::Injector {
    let observed = Observed::watch(program);
    configs::assemble(program, &observed);
    sources::assemble(program, &observed);
    rules::assemble(program, &observed);
    rollout::assemble(program)
}
