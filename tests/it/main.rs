//! One integration binary.

mod probes;
