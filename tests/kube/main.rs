//! Tests on the real apiserver, which `scripts/kube.sh` builds and then runs these on: the feature `kube`.

#![allow(clippy::unwrap_used)]
#![forbid(unsafe_code)]

mod admission;
mod definitions;
mod instrumentor;
mod rollouts;
mod scheduler;
