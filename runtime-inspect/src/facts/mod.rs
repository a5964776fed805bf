//! Facts about processes and their files, as plain structs: no judgement, only what is there.

pub mod cgroup;
pub mod elf;
pub mod environment;
pub mod mappings;
pub mod process;
pub mod root;
