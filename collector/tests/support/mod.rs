//! The running program, and who talks to it.

// Each test has a use for some of this.
#![allow(dead_code)]

pub mod http;

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_odigos-collector");

/// The program; it ends with this value.
pub struct Collector(Child);

impl Collector {
    pub fn start(configuration: &Path) -> Self {
        let mut command = Command::new(PROGRAM);
        command.arg("--config").arg(configuration);
        Collector::spawn(command)
    }

    /// The same by a command that becomes the program.
    pub fn spawn(mut command: Command) -> Self {
        command.env_remove("ODIGOS_LOG").stderr(Stdio::piped());
        Collector(command.spawn().expect("it starts"))
    }

    /// Ends it in the middle of whatever it does.
    pub fn kill(&mut self) {
        self.0.kill().expect("it runs until it is killed");
        self.0.wait().expect("it has ended");
    }

    /// Ends it as its service manager would, and gives its log.
    pub fn stop(mut self) -> String {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
        let (mut log, mut pipe) = (String::new(), self.0.stderr.take().expect("its log"));
        pipe.read_to_string(&mut log).expect("text");
        assert!(self.0.wait().expect("it has ended").success(), "{log}");
        log
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // Nothing is left to be killed where the test has come to its end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}
