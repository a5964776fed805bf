//! What the facts about a process mean. Pure functions: they read nothing, and they say on what they rest.
//!
//! A detector answers "mine" or "not mine"; the latter is no error. Where a version takes one more look into a file,
//! the detector names the places to look at, in order, and the rim looks.

mod agents;
mod dotnet;
mod go;
mod java;
mod libc;
mod native;
mod node;
mod php;
mod python;
mod ruby;
mod servers;
mod service_name;

use std::fmt;
use std::sync::Arc;

use crate::facts::elf::ElfError;
use crate::facts::elf::contents::ElfContents;
use crate::facts::environment::Environment;
use crate::facts::mappings::MappedFile;

pub use agents::{Agent, agents};
pub use libc::{Libc, libc};
pub use service_name::service_name;

/// A programming language, or a server with a probe of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// The Java virtual machine, whatever language runs on it.
    Java,
    /// JavaScript on Node.js.
    JavaScript,
    /// CPython.
    Python,
    /// Go.
    Go,
    /// .NET (Core).
    DotNet,
    /// PHP.
    Php,
    /// Ruby (MRI).
    Ruby,
    /// Rust.
    Rust,
    /// C++.
    Cpp,
    /// C.
    C,
    /// The web server nginx.
    Nginx,
    /// The Redis server, or Valkey.
    Redis,
    /// The PostgreSQL server.
    Postgres,
    /// The MySQL server, or MariaDB.
    Mysql,
}

impl Language {
    /// The name that Odigos' resources use for it; C has none there and is `c`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Java => "java",
            Self::JavaScript => "javascript",
            Self::Python => "python",
            Self::Go => "go",
            Self::DotNet => "dotnet",
            Self::Php => "php",
            Self::Ruby => "ruby",
            Self::Rust => "rust",
            Self::Cpp => "cplusplus",
            Self::C => "c",
            Self::Nginx => "nginx",
            Self::Redis => "redis",
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is known about a process before anything is concluded.
#[derive(Debug, Clone)]
pub struct ProcessFacts {
    /// Path of its program.
    pub exe: String,
    /// Its arguments.
    pub cmdline: Vec<String>,
    /// Its environment.
    pub environment: Environment,
    /// The files it has mapped.
    pub mapped: Vec<MappedFile>,
    /// What its program's file says, or why that could not be read.
    pub program: Result<Arc<ElfContents>, ElfError>,
}

impl ProcessFacts {
    /// The last part of the program's path.
    pub fn exe_name(&self) -> &str {
        base_name(&self.exe)
    }

    /// The first mapped file whose name `matches`.
    pub fn mapped_where(&self, matches: impl Fn(&str) -> bool) -> Option<&MappedFile> {
        self.mapped.iter().find(|file| matches(file.name()))
    }

    /// Whether the program exports or uses a symbol of [`crate::facts::elf::contents::MARKER_SYMBOLS`].
    fn has_marker(&self, name: &str) -> bool {
        self.program
            .as_ref()
            .is_ok_and(|program| program.markers.contains(&name))
    }
}

/// The last part of a path.
pub(crate) fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether `name` is `stem`, or `stem` followed by a version (`python3.11`, `php8.2`, `ruby3.1`).
fn is_versioned(name: &str, stem: &str) -> bool {
    name.strip_prefix(stem)
        .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
}

/// A file to look for a version in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The program itself.
    Program,
    /// A mapped library, by its path in the process's root.
    Mapped(String),
}

/// How a version stands in the constants of a binary.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// Digits and dots directly after a text.
    After(&'static str),
    /// The same, where the text begins a constant: sentences that mention other versions do not.
    Starting(&'static str),
    /// As a whole constant `D.D.D`; the greatest of several.
    Whole,
    /// As `D.D.D` that begins with this text, at the end of a constant: linkers merge a constant into a longer one that
    /// ends alike. The greatest of several.
    Ending(String),
    /// Digits and dots directly before a text.
    Before(&'static str),
}

/// Where a version may be learnt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionClue {
    /// It is known already: the version and what says so.
    Known(String, String),
    /// It is in a binary.
    Binary(Place, Pattern),
    /// It is the value of a key in a `KEY="value"` file of the process's root.
    KeyInFile(String, &'static str),
}

/// A runtime that was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detection {
    /// The language.
    pub language: Language,
    /// What shows it.
    pub evidence: String,
    /// Where its version may be learnt, best first.
    pub versions: Vec<VersionClue>,
}

impl Detection {
    fn new(language: Language, evidence: impl Into<String>, versions: Vec<VersionClue>) -> Self {
        Self {
            language,
            evidence: evidence.into(),
            versions,
        }
    }
}

/// Every detector, in order: the first that says "mine" wins. Servers come before the interpreters that they may embed
/// (PostgreSQL with PL/Python), runtimes before the compiled languages that they are written in.
static DETECTORS: [fn(&ProcessFacts) -> Option<Detection>; 13] = [
    servers::nginx,
    servers::redis,
    servers::postgres,
    servers::mysql,
    go::detect,
    java::detect,
    dotnet::detect,
    node::detect,
    php::detect,
    ruby::detect,
    python::detect,
    native::rust,
    native::c_or_cpp,
];

/// What the process runs on, if any detector knows it.
pub fn detect(facts: &ProcessFacts) -> Option<Detection> {
    DETECTORS.iter().find_map(|detector| detector(facts))
}
