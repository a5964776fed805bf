//! Where items come from.

pub mod ebpf;
