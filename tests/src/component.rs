//! A component of the control plane as a process, for tests on a real apiserver.

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A running `odigos-controllers`; killed when it is dropped.
#[derive(Debug)]
pub struct Component {
    child: Child,
    admin: SocketAddr,
    log: PathBuf,
}

impl Component {
    /// Starts it; `folder` keeps its log.
    pub fn start(component: &str, namespace: &str, kubeconfig: &Path, folder: &Path) -> Result<Self> {
        // Several may run on one machine, and the apiserver reaches none of them there.
        Self::start_with(
            component,
            namespace,
            kubeconfig,
            folder,
            &["--webhook-listen=127.0.0.1:0"],
        )
    }

    /// Starts it with further arguments.
    pub fn start_with(
        component: &str,
        namespace: &str,
        kubeconfig: &Path,
        folder: &Path,
        arguments: &[&str],
    ) -> Result<Self> {
        let admin = free_address()?;
        let log = folder.join(format!("{component}-{}.log", admin.port()));
        let child = Command::new(binary()?)
            .args([
                component,
                "--namespace",
                namespace,
                "--metrics-listen",
                &admin.to_string(),
            ])
            .args(arguments)
            .env("KUBECONFIG", kubeconfig)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log)?)
            .spawn()
            .context("cannot start odigos-controllers: build the package controllers first")?;
        Ok(Self { child, admin, log })
    }

    /// Waits until it leads.
    pub fn leads(&mut self, within: Duration) -> Result<Duration> {
        let start = Instant::now();
        wait(within, || {
            if let Some(status) = self.child.try_wait()? {
                bail!("it has ended with {status}\n{}", self.log());
            }
            Ok(self.metric("odigos_controller_leader").unwrap_or_default() > 0.0)
        })
        .with_context(|| format!("it does not lead\n{}", self.log()))?;
        Ok(start.elapsed())
    }

    /// The sum of a figure over all labels whose line has `name` in front.
    pub fn metric(&self, name: &str) -> Result<f64> {
        let text = self.request("/metrics")?;
        let lines = text.lines().filter(|line| line.starts_with(name));
        Ok(lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum())
    }

    /// The answer to a GET, with its head.
    pub fn request(&self, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.admin, Duration::from_secs(2))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    }

    /// The process, for what the kernel says of it.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Ends it as Kubernetes does, and waits for it.
    pub fn terminate(&mut self) -> Result<ExitStatus> {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM)?;
        Ok(self.child.wait()?)
    }

    /// kill -9.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Component {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {}\n{}", self.log.display(), self.log());
        }
    }
}

/// Waits for a condition; it may fail as well.
pub fn wait(within: Duration, mut condition: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + within;
    while !condition()? {
        if Instant::now() > deadline {
            bail!("not within {within:?}");
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    Ok(())
}

/// The binary, which is built beside the tests.
fn binary() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let built = own.parent().and_then(Path::parent).context("the test lies nowhere")?;
    Ok(built.join("odigos-controllers"))
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
