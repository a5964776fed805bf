use super::{Program, Span, binary, in_file, until};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// `odigos run` with its spans going into a file, and a server started under it. Only that server and a curl of the
/// test's own are traced, whatever else goes on on this machine.
pub struct Traced {
    run: Program,
    /// The exported spans.
    pub file: PathBuf,
    /// Where the server listens.
    pub port: u16,
    /// How curl asks it.
    pub scheme: &'static str,
    /// The test's own curl.
    pub curl: PathBuf,
    folder: TempDir,
}

impl Traced {
    pub fn start(folder: TempDir, options: &[&str], server: &[&str], port: u16) -> Self {
        Traced::start_by(Command::new(binary("odigos")), folder, options, server, port)
    }

    /// The same, where the binary is run by a command that ends with it.
    pub fn start_by(mut command: Command, folder: TempDir, options: &[&str], server: &[&str], port: u16) -> Self {
        let file = folder.path().join("spans.jsonl");
        let curl = folder.path().join("curl");
        fs::copy("/usr/bin/curl", &curl).unwrap();
        command
            .args(["run", "--output", "quiet", "--export"])
            .arg(format!("file:{}", file.display()));
        command.args(["--port", &port.to_string(), "--exe"]).arg(&curl);
        command.args(options).arg("--").args(server);
        let mut run = Program::start(command.current_dir(folder.path()).stdout(Stdio::null()));
        run.wait_for("ready");
        until("the server listens", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).ok()
        });
        Traced {
            run,
            file,
            port,
            scheme: "http",
            curl,
            folder,
        }
    }

    pub fn curl(&self, arguments: &[&str], path: &str) {
        let output = Command::new(&self.curl)
            .args(["--silent", "--show-error", "--output", "/dev/null"])
            .args(arguments)
            .arg(format!("{}://127.0.0.1:{}{path}", self.scheme, self.port))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "curl {arguments:?} {path}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// Stops the run as a debugger would, or lets it go on.
    pub fn signal(&self, signal: rustix::process::Signal) {
        self.run.signal(signal);
    }

    /// Ends the run at once, as a crash would; returns what its command goes on to use: the folder, and the pipe that is
    /// its standard error.
    pub fn crash(mut self) -> (TempDir, Program) {
        self.run.kill();
        (self.folder, self.run)
    }

    /// Ends the run, and returns all spans and the loss account.
    pub fn finish(self) -> (Vec<Span>, String) {
        let (log, _folder, file) = self.end();
        (in_file(&file), log)
    }

    /// Ends the run; returns the loss account and the file of the spans, in its folder.
    pub fn end(mut self) -> (String, TempDir, PathBuf) {
        self.run.stop();
        (self.run.log.clone(), self.folder, self.file)
    }
}

/// Every span that ended in the kernel was exported, or dropped and counted with the reason.
pub fn check_account(log: &str) {
    let value = |name: &str| account(log, name);
    let dropped =
        value("ring_full") + value("state_full") + value("unreadable") + value("unfinished") + value("unmatched");
    assert_eq!(value("seen"), value("emitted") + dropped, "{log}");
    assert_eq!(
        value("emitted"),
        value("exported") + value("not_selected") + value("undecided"),
        "{log}"
    );
}

/// A count of the loss account.
pub fn account(log: &str, name: &str) -> u64 {
    let parts = log.split([',', ':', '\n']).map(str::trim);
    let found = parts
        .filter_map(|part| part.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
        .next();
    found.unwrap_or_else(|| panic!("no {name} in the account:\n{log}"))
}
