//! What the integration tests and the virtual machines share: probe tests that need nothing but a kernel ([`probes`]),
//! the programs that some of them observe ([`samples`]), what benchmarks share with them ([`nginx`]), and a Kubernetes
//! control plane ([`kubetest`]).

#![forbid(unsafe_code)]

pub mod kubetest;
pub mod nginx;
pub mod probes;
pub mod samples;
