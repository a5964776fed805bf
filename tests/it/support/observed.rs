use super::servers::{get, start_python};
use super::{Program, binary, free_port};
use std::io::Read;
use std::process::{Command, ExitStatus, Stdio};

/// `odigos run` on a server that was there before it, which belongs to the test.
pub struct Observed {
    run: Program,
    server: Program,
    /// Where the server listens.
    pub port: u16,
}

/// A run that has ended.
pub struct Finished {
    pub status: ExitStatus,
    /// What it wrote on standard output, where that was a pipe.
    pub out: String,
    /// What it wrote on standard error, the loss account at its end.
    pub log: String,
}

impl Observed {
    /// Traces only the server, with these options besides; its standard output is a pipe.
    pub fn start(options: &[&str]) -> Self {
        Observed::start_by(&mut Command::new(binary("odigos")), Stdio::piped(), options)
    }

    /// The same by a command that is to be completed, with its standard output going there.
    pub fn start_by(command: &mut Command, out: Stdio, options: &[&str]) -> Self {
        let port = free_port();
        let server = start_python(port);
        command.arg("run").args(["--port", &port.to_string()]).args(options);
        let run = start(command, out);
        Observed { run, server, port }
    }

    /// Selects only by these options.
    pub fn start_selecting(port: u16, options: &[&str]) -> Self {
        let server = start_python(port);
        let run = start(Command::new(binary("odigos")).arg("run").args(options), Stdio::piped());
        Observed { run, server, port }
    }

    pub fn pid(&self) -> u32 {
        self.run.pid()
    }

    pub fn server_pid(&self) -> u32 {
        self.server.pid()
    }

    /// Asks the server for each path on a connection of its own.
    pub fn ask(&self, paths: &[&str]) {
        for path in paths {
            get(self.port, path);
        }
    }

    /// Asks the run to end.
    pub fn stop(self) -> Finished {
        self.run.signal(rustix::process::Signal::TERM);
        self.wait()
    }

    /// Ends the run at once, as a crash would; the server runs on until it is dropped.
    pub fn crash(mut self) -> Program {
        self.run.kill();
        self.server
    }

    /// Waits until the run ends by itself.
    pub fn wait(mut self) -> Finished {
        let mut out = String::new();
        if let Some(mut pipe) = self.run.take_output() {
            pipe.read_to_string(&mut out).unwrap();
        }
        Finished {
            status: self.run.wait(),
            out,
            log: self.run.log.clone(),
        }
    }
}

fn start(command: &mut Command, out: Stdio) -> Program {
    let mut run = Program::start(command.stdout(out));
    // The command holds the other end, which is to be closed when the run ends.
    command.stdout(Stdio::null());
    run.wait_for("ready");
    run
}
