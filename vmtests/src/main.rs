//! vmtests
fn main() {}
