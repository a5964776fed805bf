//! Facts about processes and their files, as plain structs: no judgement, only what is there.

pub mod elf;
