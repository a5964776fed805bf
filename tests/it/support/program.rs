use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// How long anything may take; far more than it does, since the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// One of the product's binaries, built by the first test that needs one.
pub fn binary(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER
        .get_or_init(|| {
            let built = Command::new(env!("CARGO"))
                .args([
                    "build",
                    "--quiet",
                    "--locked",
                    "--package=odigos",
                    "--package=odiglet",
                    "--package=odigos-collector",
                ])
                .current_dir(env!("CARGO_MANIFEST_DIR"))
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

/// A port of loopback on which nothing listens.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A started program, which is killed when dropped.
pub struct Program {
    child: Child,
    errors: Option<BufReader<ChildStderr>>,
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
        let errors = child.stderr.take().map(BufReader::new);
        Program {
            child,
            errors,
            log: String::new(),
        }
    }

    /// Reads its standard error up to a line that contains `text`.
    pub fn wait_for(&mut self, text: &str) -> String {
        let errors = self.errors.as_mut().unwrap();
        loop {
            let mut line = String::new();
            let read = errors.read_line(&mut line).unwrap();
            assert!(read > 0, "it ended without saying {text:?}; it said:\n{}", self.log);
            self.log.push_str(&line);
            if line.contains(text) {
                return line;
            }
        }
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
        let mut rest = String::new();
        if let Some(errors) = &mut self.errors {
            errors.read_to_string(&mut rest).unwrap();
        }
        self.log.push_str(&rest);
        self.child.wait().unwrap()
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Program {
    /// Asks first, since what it started itself is its own to end.
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
            return;
        }
        self.errors = None;
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
