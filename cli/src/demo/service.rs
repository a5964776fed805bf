//! The sample programs: their sources come with the binary, their runtimes are the machine's.

use anyhow::{Context, Result, bail, ensure};
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How often an interruption is looked for.
const LOOK: Duration = Duration::from_millis(50);

/// A sample program in one language.
pub struct Recipe {
    pub name: &'static str,
    pub language: &'static str,
    file: &'static str,
    source: &'static str,
    /// What must be on the machine, and how it is told to run the source; empty to run what was compiled.
    runtime: &'static str,
    arguments: &'static [&'static str],
    compile: &'static [&'static str],
}

/// In the order in which they are started: each is told of those before it; the last is the front page.
pub static RECIPES: &[Recipe] = &[
    Recipe {
        name: "pricing",
        language: "Java",
        file: "Pricing.java",
        source: include_str!("../../demo/Pricing.java"),
        runtime: "java",
        arguments: &["Pricing.java"],
        compile: &[],
    },
    Recipe {
        name: "catalog",
        language: "Go",
        file: "catalog.go",
        source: include_str!("../../demo/catalog.go"),
        runtime: "go",
        arguments: &[],
        compile: &["build", "-o", "catalog", "catalog.go"],
    },
    Recipe {
        name: "cart",
        language: "Node.js",
        file: "cart.js",
        source: include_str!("../../demo/cart.js"),
        runtime: "node",
        arguments: &["cart.js"],
        compile: &[],
    },
    Recipe {
        name: "frontend",
        language: "Python",
        file: "frontend.py",
        source: include_str!("../../demo/frontend.py"),
        runtime: "python3",
        arguments: &["frontend.py"],
        compile: &[],
    },
];

/// A folder that is removed when dropped.
pub struct Folder(PathBuf);

impl Folder {
    /// Makes one that nobody else can write to.
    pub fn make() -> Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        let path = std::env::temp_dir().join(format!("odigos-demo-{}", std::process::id()));
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .with_context(|| path.display().to_string())?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is a few kilobytes in the temporary folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A running sample program, which ends when dropped.
pub struct Service {
    pub name: &'static str,
    pub port: u16,
    child: Child,
}

impl Recipe {
    /// Starts it and waits for its port, so long or until interrupted.
    pub fn start(
        &self,
        folder: &Folder,
        backends: &[String],
        patience: Duration,
        interrupted: &AtomicBool,
    ) -> Result<Service> {
        let runtime = find(self.runtime).with_context(|| format!("there is no {}", self.runtime))?;
        fs::write(folder.0.join(self.file), self.source).context("cannot write its source")?;
        if !self.compile.is_empty() {
            let output = Command::new(&runtime)
                .args(self.compile)
                .current_dir(&folder.0)
                .output()?;
            ensure!(
                output.status.success(),
                "{} fails: {}",
                self.runtime,
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        let program = if self.compile.is_empty() {
            runtime
        } else {
            folder.0.join(self.name)
        };
        let mut child = Command::new(&program)
            .args(self.arguments)
            .args(backends)
            .current_dir(&folder.0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| program.display().to_string())?;
        match read_port(&mut child, patience, interrupted) {
            Ok(port) => Ok(Service {
                name: self.name,
                port,
                child,
            }),
            Err(error) => {
                end(&mut child);
                Err(error)
            }
        }
    }
}

impl Service {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How the services started after it are told of it.
    pub fn as_argument(&self) -> String {
        format!("{}=http://127.0.0.1:{}", self.name, self.port)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn end(child: &mut Child) {
    // Either may say that it has ended already.
    let _ = child.kill();
    let _ = child.wait();
}

fn read_port(child: &mut Child, patience: Duration, interrupted: &AtomicBool) -> Result<u16> {
    let out = child.stdout.take().context("it has no standard output")?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = BufReader::new(out).read_line(&mut line).map(|_| line);
        // Nobody waits any more after the time is up.
        let _ = sender.send(read);
    });
    let deadline = Instant::now() + patience;
    loop {
        match receiver.recv_timeout(LOOK) {
            Ok(Ok(line)) if line.is_empty() => bail!("it ended before it listened"),
            Ok(line) => return line?.trim().parse().context("it did not say its port"),
            Err(_) if interrupted.load(Ordering::Relaxed) => bail!("interrupted"),
            Err(RecvTimeoutError::Timeout) if Instant::now() < deadline => {}
            Err(_) => bail!("it did not listen within {patience:?}"),
        }
    }
}

/// The program of that name on the PATH.
fn find(program: &str) -> Option<PathBuf> {
    let path: OsString = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| is_file(file))
}

fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file())
}
