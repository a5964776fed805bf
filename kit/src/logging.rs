//! Log lines on standard error.
//!
//! Standard output belongs to the program's results. Control characters in logged values are escaped by the formatter,
//! so that a traced program cannot write to the terminal of the person who watches.

use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// The environment variable that overrides the level, in the syntax of `tracing_subscriber`'s `EnvFilter`.
pub const VARIABLE: &str = "ODIGOS_LOG";

/// Sets up logging for the process at `default_level` (`info`, `warn`, ...), unless [`VARIABLE`] says otherwise. A second
/// call changes nothing.
pub fn init(default_level: &str) {
    let chosen = std::env::var(VARIABLE).unwrap_or_else(|_| default_level.to_owned());
    let (filter, refused) = match EnvFilter::try_new(&chosen) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new("info"), Some(error)),
    };
    let installed = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .try_init();
    if let (Ok(()), Some(error)) = (installed, refused) {
        tracing::warn!(%error, value = chosen, "{VARIABLE} is not a valid filter; logging at info");
    }
}

/// An error with all of its causes on one line, as it is logged.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
