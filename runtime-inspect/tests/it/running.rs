//! Processes that a test holds: they end with it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use runtime_inspect::{Inspection, Subject, inspect};

use crate::go_sample::{app, run, scratch};

const DEADLINE: Duration = Duration::from_secs(60);

/// A child process, killed and awaited when dropped.
pub struct Running(Child);

impl Running {
    /// Starts a sample and waits for its line `ready`.
    pub fn ready(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut line = String::new();
        let output = child.stdout.as_mut().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        let this = Self(child);
        assert_eq!(line.trim_end(), "ready", "{command:?}");
        this
    }

    /// Starts a server and waits until `is_up`.
    pub fn until(command: &mut Command, is_up: impl Fn() -> bool) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let this = Self(child.unwrap_or_else(|error| panic!("{command:?}: {error}")));
        let start = Instant::now();
        while !is_up() {
            assert!(start.elapsed() < DEADLINE, "not up in time: {command:?}");
            std::thread::park_timeout(Duration::from_millis(5));
        }
        this
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    pub fn inspect(&self) -> Inspection {
        inspect(self.pid()).unwrap()
    }

    /// Ends the process now.
    pub fn end(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Compiles a sample once a test run: `compiler... -o NAME SOURCE`.
pub fn compiled(name: &str, compiler: &[&str], source: &str) -> PathBuf {
    static BUILDING: LazyLock<Mutex<()>> = LazyLock::new(Mutex::default);
    let output = scratch().join(name);
    let _one_at_a_time = BUILDING.lock().unwrap_or_else(|error| error.into_inner());
    if !output.exists() || !is_newer(&output, &app(source)) {
        // Compiled aside and renamed, so that a program that still runs is not written to.
        let aside = scratch().join(format!("{name}.new"));
        run(Command::new(compiler[0])
            .args(&compiler[1..])
            .arg("-o")
            .arg(&aside)
            .arg(app(source)));
        std::fs::rename(&aside, &output).unwrap();
    }
    output
}

fn is_newer(a: &Path, b: &Path) -> bool {
    let time = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).unwrap();
    time(a) > time(b)
}

/// The evidence of a finding with a value.
pub fn evidence(inspection: &Inspection, subject: Subject) -> &str {
    let finding = inspection
        .findings
        .iter()
        .find(|finding| finding.subject == subject && finding.value.is_some());
    finding.map_or_else(
        || panic!("no {subject:?} in {:#?}", inspection.findings),
        |finding| &finding.evidence,
    )
}
