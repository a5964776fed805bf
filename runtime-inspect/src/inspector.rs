//! Reads the facts about a process, asks the detectors, and keeps what was learnt about each file.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::detect::{self, Agent, Detection, Language, Libc, Pattern, Place, ProcessFacts, VersionClue};
use crate::facts::cgroup::Container;
use crate::facts::elf::contents::ElfContents;
use crate::facts::elf::{ElfError, ElfFile, ElfIdentity};
use crate::facts::environment::Environment;
use crate::facts::process::{Process, ProcessError};
use crate::facts::root::TargetRoot;
use crate::versions;

/// How often a process is read again because it ran another program meanwhile.
const TRIES: usize = 3;
/// More files than a node runs; when it is full the cache starts anew.
const MAX_CACHED: usize = 4096;

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// [`Inspection::program`]
    Program,
    /// [`Inspection::language`]
    Language,
    /// [`Inspection::runtime_version`]
    RuntimeVersion,
    /// [`Inspection::libc`]
    Libc,
    /// [`Inspection::libc_version`]
    LibcVersion,
    /// [`Inspection::secure`]
    Secure,
    /// [`Inspection::environment`]
    Environment,
    /// [`Inspection::mapped`]
    Mappings,
    /// One of [`Inspection::agents`]
    Agent,
    /// [`Inspection::container`]
    Container,
    /// [`Inspection::service_name`]
    ServiceName,
}

impl Subject {
    /// A short name for a table or JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Program => "program",
            Self::Language => "language",
            Self::RuntimeVersion => "runtime_version",
            Self::Libc => "libc",
            Self::LibcVersion => "libc_version",
            Self::Secure => "secure",
            Self::Environment => "environment",
            Self::Mappings => "mappings",
            Self::Agent => "agent",
            Self::Container => "container",
            Self::ServiceName => "service_name",
        }
    }
}

/// Something that was found out, or could not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is about.
    pub subject: Subject,
    /// What was found; `None` if it could not be told.
    pub value: Option<String>,
    /// What shows it; or why it could not be told.
    pub evidence: String,
}

/// All that is known about a process. Texts come from the process and may hold control characters.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// Its number.
    pub pid: u32,
    /// When it began, in clock ticks since boot: with the number, this names the process.
    pub start_time: u64,
    /// Path of its program in its own mount namespace; empty if not readable.
    pub exe: String,
    /// Whether that file has been deleted or replaced since.
    pub exe_deleted: bool,
    /// What it runs on; `None` if no detector knows it.
    pub language: Option<Language>,
    /// Version of the language's runtime, or of its compiler where there is no runtime.
    pub runtime_version: Option<String>,
    /// Its C library.
    pub libc: Option<Libc>,
    /// Version of its C library.
    pub libc_version: Option<String>,
    /// Whether the dynamic linker ignores `LD_PRELOAD` and the like in it (`AT_SECURE`).
    pub secure: Option<bool>,
    /// The environment it was started with; its `Debug` text shows no values.
    pub environment: Environment,
    /// Number of different files that it has mapped.
    pub mapped: usize,
    /// Other vendors' agents in it.
    pub agents: Vec<Agent>,
    /// The container that it is in.
    pub container: Option<Container>,
    /// The name under which its telemetry is filed.
    pub service_name: Option<String>,
    /// What its program's file says, or why that could not be read.
    pub program: Result<Arc<ElfContents>, ElfError>,
    /// The identity of its program's file.
    pub identity: Option<ElfIdentity>,
    /// What shows all this.
    pub findings: Vec<Finding>,
}

/// Inspects one process. For many, an [`Inspector`] reads each file only once.
pub fn inspect(pid: u32) -> Result<Inspection, ProcessError> {
    Inspector::default().inspect(pid)
}

/// Inspects processes and keeps what it learns about their files, by [`ElfIdentity`].
#[derive(Debug, Default)]
pub struct Inspector {
    contents: Cache<ElfIdentity, Arc<ElfContents>>,
    versions: Cache<(ElfIdentity, Pattern), Option<String>>,
}

impl Inspector {
    /// Inspects the process that has this number now.
    pub fn inspect(&self, pid: u32) -> Result<Inspection, ProcessError> {
        self.inspect_process(&Process::open(pid)?)
    }

    /// Inspects the process of this number that began at `start_time`, and no other.
    pub fn inspect_started(&self, pid: u32, start_time: u64) -> Result<Inspection, ProcessError> {
        self.inspect_process(&Process::open_started(pid, start_time)?)
    }

    /// Inspects an open process.
    pub fn inspect_process(&self, process: &Process) -> Result<Inspection, ProcessError> {
        let mut inspection = self.read(process)?;
        for _ in 1..TRIES {
            // If it has run another program meanwhile, what was read is a mixture of both.
            if exe_path(process, &mut Findings::default())? == (inspection.exe.clone(), inspection.exe_deleted) {
                break;
            }
            inspection = self.read(process)?;
        }
        process.still_there()?;
        Ok(inspection)
    }

    fn read(&self, process: &Process) -> Result<Inspection, ProcessError> {
        let mut findings = Findings::default();
        let (exe, exe_deleted) = exe_path(process, &mut findings)?;
        let (identity, program) = self.program(process, &mut findings);
        let facts = ProcessFacts {
            exe,
            cmdline: process.cmdline()?,
            environment: findings
                .or_note(Subject::Environment, process.environment())?
                .unwrap_or_default(),
            mapped: findings
                .or_note(Subject::Mappings, process.mapped_files())?
                .unwrap_or_default(),
            program,
        };
        let detection = detect::detect(&facts);
        let runtime_version = self.runtime_version(process, &facts, detection.as_ref(), &mut findings);
        let (libc, libc_version) = self.libc(process, &facts, &mut findings);
        let secure = findings.or_note(Subject::Secure, process.secure())?.flatten();
        let container = process.container()?;
        note_surroundings(&mut findings, secure, container.as_ref());
        let agents = detect::agents(&facts);
        agents
            .iter()
            .for_each(|agent| findings.found(Subject::Agent, agent.vendor, &agent.evidence));
        let service_name = detect::service_name(&facts, detection.as_ref()).map(|(name, evidence)| {
            findings.found(Subject::ServiceName, &name, &evidence);
            name
        });
        Ok(Inspection {
            pid: process.pid(),
            start_time: process.start_time(),
            exe: facts.exe,
            exe_deleted,
            language: detection.map(|detection| detection.language),
            runtime_version,
            libc,
            libc_version,
            secure,
            environment: facts.environment,
            mapped: facts.mapped.len(),
            agents,
            container,
            service_name,
            program: facts.program,
            identity,
            findings: findings.0,
        })
    }

    fn runtime_version(
        &self,
        process: &Process,
        facts: &ProcessFacts,
        detection: Option<&Detection>,
        findings: &mut Findings,
    ) -> Option<String> {
        let Some(detection) = detection else {
            findings.unknown(Subject::Language, "nothing in the program or its libraries is known");
            return None;
        };
        findings.found(Subject::Language, detection.language.as_str(), &detection.evidence);
        self.version(process, facts, &detection.versions, Subject::RuntimeVersion, findings)
    }

    fn program(
        &self,
        process: &Process,
        findings: &mut Findings,
    ) -> (Option<ElfIdentity>, Result<Arc<ElfContents>, ElfError>) {
        let elf = match process.exe() {
            Ok(elf) => elf,
            Err(error) => {
                findings.unknown(Subject::Program, &format!("cannot read the program: {error}"));
                return (None, Err(error));
            }
        };
        let contents = self
            .contents
            .get_or(elf.identity(), elf.identity(), || Arc::new(ElfContents::read(&elf)));
        if let Some(error) = &contents.section_error {
            findings.unknown(Subject::Program, &format!("its section table cannot be read: {error}"));
        }
        if let Err(error) = elf.require_host_machine() {
            findings.unknown(Subject::Program, &error.to_string());
        }
        (Some(elf.identity().clone()), Ok(contents))
    }

    fn libc(&self, process: &Process, facts: &ProcessFacts, findings: &mut Findings) -> (Option<Libc>, Option<String>) {
        let Some((libc, evidence, clues)) = detect::libc(facts) else {
            findings.unknown(Subject::Libc, "neither its libraries nor its program could be read");
            return (None, None);
        };
        findings.found(Subject::Libc, libc.as_str(), &evidence);
        if clues.is_empty() {
            return (Some(libc), None);
        }
        (
            Some(libc),
            self.version(process, facts, &clues, Subject::LibcVersion, findings),
        )
    }

    /// Follows the clues in order until one leads to a version.
    fn version(
        &self,
        process: &Process,
        facts: &ProcessFacts,
        clues: &[VersionClue],
        subject: Subject,
        findings: &mut Findings,
    ) -> Option<String> {
        let mut reasons = Vec::new();
        for clue in clues {
            match self.follow(process, facts, clue) {
                Ok((version, evidence)) => {
                    findings.found(subject, &version, &evidence);
                    return Some(version);
                }
                Err(reason) => reasons.push(reason),
            }
        }
        let reason = if reasons.is_empty() {
            "nothing that it leaves says so".to_owned()
        } else {
            reasons.join("; ")
        };
        findings.unknown(subject, &reason);
        None
    }

    /// The version and its evidence, or why this clue led nowhere.
    fn follow(&self, process: &Process, facts: &ProcessFacts, clue: &VersionClue) -> Result<(String, String), String> {
        match clue {
            VersionClue::Known(version, evidence) => Ok((version.clone(), evidence.clone())),
            VersionClue::KeyInFile(path, key) => match versions::key_in_file(process, path, key) {
                Ok(Some(version)) => Ok((version, format!("{key} in {path}"))),
                Ok(None) => Err(format!("no {key} in {path}")),
                Err(error) => Err(format!("{path}: {error}")),
            },
            VersionClue::Binary(place, pattern) => {
                let path = match place {
                    Place::Program => &facts.exe,
                    Place::Mapped(path) => path,
                };
                let elf = open_place(process, facts, place).map_err(|reason| format!("{path}: {reason}"))?;
                let key = (elf.identity().clone(), pattern.clone());
                let found = self.versions.get_or(&key, elf.identity(), || {
                    versions::in_binary(&elf, pattern).ok().flatten()
                });
                found
                    .map(|version| (version, format!("a constant in {path}")))
                    .ok_or_else(|| format!("no version in {path}"))
            }
        }
    }
}

fn open_place(process: &Process, facts: &ProcessFacts, place: &Place) -> Result<ElfFile, String> {
    let Place::Mapped(path) = place else {
        return process.exe().map_err(|error| error.to_string());
    };
    if facts.mapped.iter().any(|file| file.path == *path && file.deleted) {
        return Err("deleted or replaced since it was loaded".to_owned());
    }
    let root = TargetRoot::open(process.directory()).map_err(|error| error.to_string())?;
    let file = root.open_file(path).map_err(|error| error.to_string())?;
    ElfFile::from_file(file).map_err(|error| error.to_string())
}

fn note_surroundings(findings: &mut Findings, secure: Option<bool>, container: Option<&Container>) {
    if let Some(secure) = secure {
        findings.found(
            Subject::Secure,
            &secure.to_string(),
            "AT_SECURE in the auxiliary vector",
        );
    }
    if let Some(container) = container {
        findings.found(
            Subject::Container,
            &container.id,
            &format!("the control group {}", container.cgroup),
        );
    }
}

/// The path of the program; empty, with a finding, where it may not be read.
fn exe_path(process: &Process, findings: &mut Findings) -> Result<(String, bool), ProcessError> {
    Ok(findings
        .or_note(Subject::Program, process.exe_path())?
        .unwrap_or_default())
}

/// The findings so far.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn found(&mut self, subject: Subject, value: &str, evidence: &str) {
        self.0.push(Finding {
            subject,
            value: Some(value.to_owned()),
            evidence: evidence.to_owned(),
        });
    }

    fn unknown(&mut self, subject: Subject, reason: &str) {
        self.0.push(Finding {
            subject,
            value: None,
            evidence: reason.to_owned(),
        });
    }

    /// A file that may not be read costs what is in it; a process that is gone costs everything.
    fn or_note<T>(&mut self, subject: Subject, result: Result<T, ProcessError>) -> Result<Option<T>, ProcessError> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error @ ProcessError::Read { .. }) => {
                self.unknown(subject, &error.to_string());
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// A map of bounded size, shared by threads; what fills it runs outside its lock.
#[derive(Debug)]
struct Cache<K, V>(Mutex<HashMap<K, V>>);

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash + Clone, V: Clone> Cache<K, V> {
    /// What is kept under the key, which holds the file's identity, or what `make` learns about the file.
    fn get_or(&self, key: &K, identity: &ElfIdentity, make: impl FnOnce() -> V) -> V {
        if let Some(value) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key) {
            return value.clone();
        }
        #[expect(clippy::disallowed_methods, reason = "it is compared with the time stamps of files")]
        let now = SystemTime::now();
        let certain = identity.is_certain_at(now);
        let value = make();
        if !certain {
            return value;
        }
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if map.len() >= MAX_CACHED {
            map.clear();
        }
        map.insert(key.clone(), value.clone());
        value
    }
}
