//! Runs the guest's program: as init of a virtual machine, or as an ordinary process on this machine's kernel.

use crate::guest::Guest;
use anyhow::{Context, Result};
use odigos_tests::samples::{self, SAMPLES};
use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    time::{Duration, Instant},
};
use vmtests::{
    cpio::Archive,
    kernels::Series,
    patience::Patience,
    protocol::{Message, Outcome},
    report::Results,
    trouble::{End, Trouble},
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

/// What the kernel is told: to end the machine on a panic, and to leave out what costs an emulated CPU most. Not to be quiet:
/// what it says while it boots is the only sign that it makes progress, and all that is left of one that did not. And not
/// to check the timer, which it does by counting ten ticks against the processor's clock: that goes on while a loaded machine
/// does not let the emulator tick, and the kernel ends in a panic that its "IO-APIC + timer doesn't work".
const COMMAND_LINE: &str = "console=ttyS0 no_timer_check panic=-1 oops=panic mitigations=off random.trust_cpu=on";

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
    converse(command, None, deadline, &mut results)?;
    Ok(results)
}

/// Boots the kernel with the guest's program as init, and runs the tests there.
pub fn run_virtual(image: Image, guest: &Guest, only: &str, deadline: Duration) -> Result<Results> {
    let scratch = tempfile::tempdir().context("cannot make a temporary directory")?;
    let [initramfs, console, emulator] = ["initramfs", "console", "emulator"].map(|name| scratch.path().join(name));
    std::fs::write(&initramfs, archive(guest)?).context("cannot write the initramfs")?;

    let mut results = Results {
        title: image.title,
        series: image.series,
        ..Results::default()
    };
    let told = image.series.map_or("", |series| series.command_line);
    let arguments = format!("{COMMAND_LINE} {told} vmtests.only={only}");
    let mut command = qemu(&image.path, &initramfs, &console, &arguments);
    command.stderr(File::create(&emulator).context("cannot make a file for what the emulator says")?);
    let end = converse(command, Some(&console), deadline, &mut results)?;
    if !results.finished || matches!(end, End::Ended(_)) {
        let trouble = Trouble::new(end, results.reached(), text(&console), text(&emulator));
        results.trouble = Some(trouble);
    }
    Ok(results)
}

/// What a machine left in a file; nothing if it did not come so far as to make it.
fn text(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
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

fn qemu(image: &Path, initramfs: &Path, console: &Path, arguments: &str) -> Command {
    let mut command = Command::new("qemu-system-x86_64");
    command
        .args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"])
        // One thread for both processors. With a thread each, the emulator (before QEMU 8.1) may translate code while the other
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
        .args(["-append", arguments])
        // The kernel's messages and the tests' results on a serial port each, so that neither cuts the other in two.
        .args(["-serial", &format!("file:{}", console.display()), "-serial", "stdio"])
        .stdin(Stdio::null());
    command
}

/// How often the console is looked at.
const TICK: Duration = Duration::from_secs(1);

/// Reads the protocol until the program ends, or has to be ended since it makes no progress or is not done in time.
fn converse(mut command: Command, console: Option<&Path>, deadline: Duration, results: &mut Results) -> Result<End> {
    let begin = Instant::now();
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    let lines = read_lines(child.stdout.take().context("no pipe to the program")?);
    let mut patience = Patience::new(deadline);
    loop {
        match lines.recv_timeout(TICK) {
            Ok(line) => {
                if let Some(message) = Message::parse(&line) {
                    patience.message(begin.elapsed());
                    announce(&results.title, &message, begin.elapsed());
                    results.accept(message);
                }
            }
            Err(RecvTimeoutError::Disconnected) => {
                let status = child.wait().context("cannot wait for the program")?;
                println!("{}: {:6.1} s  ended", results.title, begin.elapsed().as_secs_f64());
                return Ok(End::Itself(status.code()));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        if let Some(metadata) = console.and_then(|console| console.metadata().ok()) {
            patience.console(metadata.len(), begin.elapsed());
        }
        if let Some(impatience) = patience.lost(begin.elapsed()) {
            child.kill().context("cannot end the program")?;
            child.wait().context("cannot wait for the program")?;
            return Ok(End::Ended(impatience));
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
