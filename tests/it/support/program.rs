use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// How long anything may take; far more than it does, since the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// One of the product's binaries, built by the first test that needs one.
pub fn binary(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER
        .get_or_init(|| {
            let built = Command::new(env!("CARGO"))
                // As scripts/build.sh has it, so that what was built for one is there for the other.
                .args([
                    "build",
                    "--quiet",
                    "--locked",
                    "--bin=odigos",
                    "--bin=odiglet",
                    "--bin=odigos-collector",
                ])
                .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
                .status()
                .unwrap();
            assert!(built.success(), "the binaries do not build");
            // The test binary lies in `deps`, beside which the binaries are.
            let own = std::env::current_exe().unwrap();
            own.parent().and_then(Path::parent).unwrap().to_owned()
        })
        .join(name)
}

/// Tries until `attempt` gives something, and fails with `what` when the time is up.
pub fn until<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = attempt() {
            return value;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// A port of loopback on which nothing listens, and that no other test was given: until its server listens, the kernel may
/// offer it again.
pub fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let offer = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let port = offer();
        if given.insert(port) {
            return port;
        }
    }
}

/// A started program, which is killed when dropped.
pub struct Program {
    child: Child,
    /// The lines of its standard error, with their ends.
    errors: Receiver<String>,
    /// What was read of its standard error so far.
    pub log: String,
}

impl Program {
    /// Starts it with its standard error to be read here.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let errors = lines(child.stderr.take().unwrap());
        Program {
            child,
            errors,
            log: String::new(),
        }
    }

    /// Reads its standard error up to a line that contains `text`.
    pub fn wait_for(&mut self, text: &str) -> String {
        self.line_with(text, PATIENCE)
            .unwrap_or_else(|what| panic!("{what}; it said:\n{}", self.log))
    }

    fn line_with(&mut self, text: &str, patience: Duration) -> Result<String, String> {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.errors.recv_timeout(left).map_err(|error| match error {
                RecvTimeoutError::Timeout => format!("it did not say {text:?} within {patience:?}"),
                RecvTimeoutError::Disconnected => format!("it ended without saying {text:?}"),
            })?;
            self.log.push_str(&line);
            if line.contains(text) {
                return Ok(line);
            }
        }
    }

    /// Its standard output, if that is a pipe which nobody has taken yet.
    pub fn take_output(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Asks it to end and waits.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(rustix::process::Signal::TERM);
        self.wait()
    }

    /// Waits for its end; the rest of its standard error is in `log` then.
    pub fn wait(&mut self) -> ExitStatus {
        self.log.extend(self.errors.iter());
        self.child.wait().unwrap()
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Reads on a thread of its own, so that whoever waits for a line can stop waiting, and the program never does. The thread
/// ends when nobody can write any longer.
fn lines(errors: ChildStderr) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut errors = BufReader::new(errors);
        let mut line = Vec::new();
        while errors.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
            line.clear();
        }
    });
    receiver
}

impl Drop for Program {
    /// Asks first, since what it started itself is its own to end.
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
            return;
        }
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let deadline = Instant::now() + Duration::from_secs(15);
        while self.child.try_wait().is_ok_and(|ended| ended.is_none()) && Instant::now() < deadline {
            std::thread::park_timeout(Duration::from_millis(5));
        }
        // It may have ended; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn waiting_for_a_line_ends_in_time_or_with_the_program() {
    let mut command = Command::new("sh");
    let mut silent = Program::start(command.args(["-c", "echo first >&2; echo second >&2; exec sleep 600"]));
    assert_eq!(silent.wait_for("first"), "first\n");
    let patience = Duration::from_millis(50);
    let late = silent.line_with("third", patience).unwrap_err();
    assert_eq!(late, "it did not say \"third\" within 50ms");
    silent.kill();
    let ended = silent.line_with("third", PATIENCE).unwrap_err();
    assert_eq!(ended, "it ended without saying \"third\"");
    assert_eq!(silent.log, "first\nsecond\n");
}
