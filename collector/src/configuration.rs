//! The configuration as this machine has it.

use collector_config::{Config, Errors, Loaded, Provider, Source};
use std::io::{self, Read};

/// The longest file that is read, in bytes.
const MAX_FILE: u64 = 16 << 20;

/// The process's environment and the file system.
struct System;

impl Provider for System {
    fn env(&self, name: &str) -> Option<String> {
        std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
    }

    fn file(&self, path: &str) -> io::Result<String> {
        let mut text = String::new();
        std::fs::File::open(path)?
            .take(MAX_FILE + 1)
            .read_to_string(&mut text)?;
        if text.len() as u64 > MAX_FILE {
            return Err(io::Error::other(format!("it is longer than {MAX_FILE} bytes")));
        }
        Ok(text)
    }
}

/// The whole configuration and its structure, with the warnings about both. What is wrong with the structure is left to
/// who reads the components' settings too.
pub fn load(sources: &[Source]) -> Result<(Loaded, Config), Errors> {
    let mut loaded = Loaded::load(sources, &System)?;
    let mut errors = Errors::default();
    let config = Config::read(&loaded.root, &mut errors);
    loaded.warnings.extend(errors.take_warnings());
    Ok((loaded, config))
}
