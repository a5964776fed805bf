//! Runs the guest's program: as init of a virtual machine, or as an ordinary process on this machine's kernel.

use crate::guest::Guest;
use anyhow::{Context, Result};
use odigos_tests::samples::{self, SAMPLES};
use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    time::{Duration, Instant},
};
use vmtests::{
    advice::advice,
    cpio::Archive,
    kernels::Series,
    protocol::{Message, Outcome},
    report::Results,
};

/// A kernel to boot.
pub struct Image {
    /// How its column is titled.
    pub title: String,
    /// What is known of it.
    pub series: Option<&'static Series>,
    /// The file.
    pub path: PathBuf,
}

/// How much of the console a failure shows.
const CONSOLE_TAIL_LINES: usize = 40;

/// What the kernel is told: to end the machine on a panic, and to leave out what costs an emulated CPU most.
const COMMAND_LINE: &str = "console=ttyS0 quiet panic=-1 oops=panic mitigations=off random.trust_cpu=on";

/// Runs the tests on this machine's kernel.
pub fn run_host(guest: &Guest, only: &str, deadline: Duration) -> Result<Results> {
    let mut command = Command::new(&guest.program);
    command
        .args(["--all", "--only", only])
        .env(samples::FOLDER_VARIABLE, guest.samples.path())
        .stdin(Stdio::null());
    let mut results = Results {
        title: "host".into(),
        ..Results::default()
    };
    converse(command, deadline, &mut results)?;
    Ok(results)
}

/// Boots the kernel with the guest's program as init, and runs the tests there.
pub fn run_virtual(image: Image, guest: &Guest, only: &str, deadline: Duration) -> Result<Results> {
    let scratch = tempfile::tempdir().context("cannot make a temporary directory")?;
    let (initramfs, console) = (scratch.path().join("initramfs"), scratch.path().join("console"));
    std::fs::write(&initramfs, archive(guest)?).context("cannot write the initramfs")?;

    let mut results = Results {
        title: image.title,
        series: image.series,
        ..Results::default()
    };
    let ended = converse(qemu(&image.path, &initramfs, &console, only), deadline, &mut results)?;
    if !ended || !results.finished {
        let console = std::fs::read(&console).unwrap_or_default();
        results.trouble = Some(trouble(&results, ended, &String::from_utf8_lossy(&console)));
    }
    Ok(results)
}

fn trouble(results: &Results, ended: bool, console: &str) -> String {
    let what = if ended {
        "ended before its time"
    } else {
        "did not end in time"
    };
    let running = results.running.as_deref().unwrap_or("no test");
    let advice = advice(results.release.is_some(), console).unwrap_or_default();
    format!(
        "the machine {what}, while running {running}; its console says:\n{}\n{advice}",
        tail(console)
    )
}

fn archive(guest: &Guest) -> Result<Vec<u8>> {
    let read = |path: &Path| std::fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let mut archive = Archive::default();
    archive.directory("dev");
    // The kernel opens this for init before anything is mounted.
    archive.device("dev/console", 5, 1);
    archive.program("init", &read(&guest.program)?);
    let folder = samples::FOLDER.trim_start_matches('/');
    archive.directory(folder);
    for sample in SAMPLES {
        let content = read(&guest.samples.path().join(sample.name))?;
        archive.program(&format!("{folder}/{}", sample.name), &content);
    }
    Ok(archive.finish())
}

fn qemu(image: &Path, initramfs: &Path, console: &Path, only: &str) -> Command {
    let mut command = Command::new("qemu-system-x86_64");
    command
        .args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"])
        // One thread for both processors. With a thread each, the emulator (7.2 at least) may translate code while the other
        // processor writes to it, and goes on executing what was there: the kernel, which patches itself at boot and
        // with every probe, then dies of a breakpoint that it had already taken away. It costs no time here.
        .args(["-accel", "tcg,thread=single", "-m", "1G", "-smp", "2"])
        // The fewer features the kernel finds, the less there is to emulate: a third less than with all that the emulator
        // has. A source of random numbers saves it the wait for others.
        .args(["-cpu", "qemu64,+rdrand"])
        .arg("-kernel")
        .arg(image)
        .arg("-initrd")
        .arg(initramfs)
        .args(["-append", &format!("{COMMAND_LINE} vmtests.only={only}")])
        // The kernel's messages and the tests' results on a serial port each, so that neither cuts the other in two.
        .args(["-serial", &format!("file:{}", console.display()), "-serial", "stdio"])
        .stdin(Stdio::null());
    command
}

/// How long a kernel may take to start the tests; many times what it takes on a busy machine.
const BOOT: Duration = Duration::from_secs(90);

/// Reads the protocol until the program ends. False if it had to be ended, since it had not begun or not ended in time.
fn converse(mut command: Command, deadline: Duration, results: &mut Results) -> Result<bool> {
    let begin = Instant::now();
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    let lines = read_lines(child.stdout.take().context("no pipe to the program")?);
    loop {
        let deadline = if results.release.is_none() {
            BOOT.min(deadline)
        } else {
            deadline
        };
        let left = deadline.saturating_sub(begin.elapsed());
        match lines.recv_timeout(left) {
            Ok(line) => {
                if let Some(message) = Message::parse(&line) {
                    announce(&results.title, &message, begin.elapsed());
                    results.accept(message);
                }
            }
            Err(RecvTimeoutError::Disconnected) => {
                child.wait().context("cannot wait for the program")?;
                println!("{}: {:6.1} s  ended", results.title, begin.elapsed().as_secs_f64());
                return Ok(true);
            }
            Err(RecvTimeoutError::Timeout) => {
                child.kill().context("cannot end the program")?;
                child.wait().context("cannot wait for the program")?;
                return Ok(false);
            }
        }
    }
}

fn read_lines(stdout: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut stdout = BufReader::new(stdout);
        let mut line = Vec::new();
        while stdout.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
            line.clear();
        }
    });
    receiver
}

fn announce(title: &str, message: &Message, at: Duration) {
    let at = at.as_secs_f64();
    match message {
        Message::Hello { release } => println!("{title}: {at:6.1} s  running Linux {release}"),
        Message::Ended { test, outcome } => match outcome {
            Outcome::Passed => println!("{title}: {at:6.1} s  {test} ... ok"),
            Outcome::Absent(why) => println!("{title}: {at:6.1} s  {test} ... absent: {why}"),
            Outcome::Failed(_) => println!("{title}: {at:6.1} s  {test} ... FAILED"),
        },
        Message::Started { .. } | Message::Verified { .. } | Message::Finished => {}
    }
}

fn tail(console: &str) -> String {
    let lines: Vec<&str> = console.lines().collect();
    lines[lines.len().saturating_sub(CONSOLE_TAIL_LINES)..].join("\n")
}
