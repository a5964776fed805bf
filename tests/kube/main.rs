//! Tests on the real apiserver, which `scripts/kube.sh` builds and then runs these on; without it they are ignored.

#![allow(clippy::unwrap_used)]
#![forbid(unsafe_code)]

mod definitions;
