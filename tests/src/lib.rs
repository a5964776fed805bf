//! What the integration tests and the virtual machines share: probe tests that need nothing but a kernel ([`probes`]),
//! the programs that some of them observe ([`samples`]), what benchmarks share with them ([`nginx`]), a Kubernetes
//! control plane ([`kubetest`]), and what runs on it ([`component`]).

#![forbid(unsafe_code)]

pub mod component;
pub mod kubetest;
pub mod nginx;
pub mod probes;
pub mod samples;
