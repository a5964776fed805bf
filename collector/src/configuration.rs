//! The configuration as this machine has it.

use collector_config::{Config, Errors, Loaded, Provider, Source};
use std::cell::RefCell;
use std::io::{self, Read};
use std::path::PathBuf;

/// The longest file that is read, in bytes.
const MAX_FILE: u64 = 16 << 20;

/// The whole configuration.
#[derive(Debug)]
pub struct Configuration {
    /// What was written, with the warnings about its references.
    pub loaded: Loaded,
    /// Its structure.
    pub config: Config,
    /// The files that it came from.
    pub files: Vec<PathBuf>,
}

/// The process's environment and the file system.
#[derive(Default)]
struct System {
    /// The files that were asked for.
    files: RefCell<Vec<PathBuf>>,
}

impl Provider for System {
    fn env(&self, name: &str) -> Option<String> {
        std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
    }

    fn file(&self, path: &str) -> io::Result<String> {
        self.files.borrow_mut().push(path.into());
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

/// Reads the configuration. What is wrong with its structure is left to who reads the components' settings too.
pub fn load(sources: &[Source]) -> Result<Configuration, Errors> {
    let system = System::default();
    let loaded = Loaded::load(sources, &system)?;
    // Whoever makes a plan of it finds the same errors and warnings, and more.
    let config = Config::read(&loaded.root, &mut Errors::default());
    Ok(Configuration {
        loaded,
        config,
        files: system.files.into_inner(),
    })
}
