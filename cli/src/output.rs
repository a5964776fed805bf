//! The two streams of a command: results on standard output, words for a person on standard error.
//!
//! Either may be closed at any time, as by `| head`. That is the reader's affair, and no reason to panic as the standard
//! macros do.

use anyhow::{Context, Result};
use std::fmt::Display;
use std::io::{ErrorKind, Write};

/// Prints results. Whoever has closed standard output has read enough.
pub fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("cannot write to standard output"),
        _ => Ok(()),
    }
}

/// Tells the person something, as a line of its own.
pub fn tell(text: impl Display) {
    tell_lines(&format!("odigos: {text}"));
}

/// The same for lines that say themselves what they are.
pub fn tell_lines(text: &str) {
    // Nobody is left to be told of a failure.
    let _ = writeln!(std::io::stderr(), "{text}");
}
