//! Where items come from.

pub mod ebpf;
pub mod otlp;
