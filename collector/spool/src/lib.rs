//! A queue on disk: a checksummed segment log that starts after any crash.

#![forbid(unsafe_code)]
