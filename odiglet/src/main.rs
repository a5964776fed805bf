//! The node agent as a daemon.
fn main() {}
