//! runtime-inspect
