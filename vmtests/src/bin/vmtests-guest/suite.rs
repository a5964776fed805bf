//! The table of tests, and how they are run: in a process that a crash or a hang ends, with a new one for the rest.

use crate::{
    facilities,
    probes::{self, Loaded, Probing},
};
use anyhow::{Context, Result, bail};
use rustix::{
    io::Errno,
    process::{Pid, Signal, kill_process_group},
};
use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Read, Write},
    os::unix::process::CommandExt,
    panic::{self, AssertUnwindSafe},
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        mpsc::{self, RecvTimeoutError},
    },
    time::Duration,
};
use vmtests::protocol::{Message, Outcome};

/// What a test gives when nothing went wrong.
pub enum Shown {
    /// What was to be shown was shown.
    Yes,
    /// The kernel lacks what the test needs, with the kernel's own words.
    Absent(String),
}

/// A test that needs no argument, with its name.
pub type Named = (&'static str, fn() -> Result<Shown>);

struct Test {
    name: String,
    body: Body,
}

enum Body {
    Plain(fn() -> Result<Shown>),
    Probing(Probing),
}

/// Every test, in the order in which they run: first what the others stand on.
fn tests() -> impl Iterator<Item = Test> {
    let plain = facilities::TESTS.iter().chain(probes::TESTS).map(|&(name, body)| Test {
        name: name.to_owned(),
        body: Body::Plain(body),
    });
    let probing = probes::all().map(|(name, test)| Test {
        name,
        body: Body::Probing(test),
    });
    plain.chain(probing)
}

/// A test that is silent for longer hangs: the slowest needs a few seconds in an emulated machine, most of them for loading
/// the probes, and half a minute where that machine shares its processor with ten others.
const DEADLINE: Duration = Duration::from_secs(120);

/// How much of the error output of a process that ended in a test is reported.
const OUTPUT_TAIL: usize = 4096;

/// The names of all tests.
pub fn names() -> Vec<String> {
    tests().map(|test| test.name).collect()
}

/// Runs every test whose name contains `only` in child processes, and reports to `out`.
pub fn run_all(only: &str, out: &mut dyn Write) -> Result<()> {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    report(out, &Message::Hello { release })?;
    let mut left: VecDeque<String> = names().into_iter().filter(|name| name.contains(only)).collect();
    while !left.is_empty() {
        run_in_child(&mut left, out)?;
    }
    report(out, &Message::Finished)
}

/// Runs tests in this process, in the order of the table, and reports each to `out`.
pub fn run(names: &[&str], out: &mut dyn Write) -> Result<()> {
    if let Some(unknown) = names.iter().find(|name| tests().all(|test| test.name != **name)) {
        bail!("no test is named {unknown}");
    }
    keep_words_of_panics();
    let mut loaded = Loaded::default();
    for Test { name: test, body } in tests().filter(|test| names.contains(&test.name.as_str())) {
        report(out, &Message::Started { test: test.clone() })?;
        let outcome = outcome_of(&body, &mut loaded);
        report(out, &Message::Ended { test, outcome })?;
    }
    Ok(())
}

/// Reports from within a test how much work the verifier had with a program.
pub fn report_verified(program: String, instructions: u64) -> Result<()> {
    report(&mut std::io::stdout(), &Message::Verified { program, instructions })
}

fn outcome_of(body: &Body, loaded: &mut Loaded) -> Outcome {
    let attempt = panic::catch_unwind(AssertUnwindSafe(|| match body {
        Body::Plain(test) => test(),
        Body::Probing(test) => loaded.run(test),
    }));
    match attempt {
        Ok(Ok(Shown::Yes)) => Outcome::Passed,
        Ok(Ok(Shown::Absent(why))) => Outcome::Absent(why),
        Ok(Err(error)) => Outcome::Failed(format!("{error:#}")),
        Err(_) => {
            // In whatever state the panic has left the probes.
            *loaded = Loaded::default();
            Outcome::Failed(words_of_panics())
        }
    }
}

/// What panics said since it was last asked for.
static WORDS: Mutex<String> = Mutex::new(String::new());

fn keep_words_of_panics() {
    panic::set_hook(Box::new(|info| {
        if let Ok(mut words) = WORDS.lock() {
            words.push_str(&format!("{info}\n"));
        }
    }));
}

fn words_of_panics() -> String {
    WORDS
        .lock()
        .map(|mut words| std::mem::take(&mut *words))
        .unwrap_or_default()
}

/// Writes a message and sees to it that it is out before anything else happens.
fn report(out: &mut dyn Write, message: &Message) -> Result<()> {
    writeln!(out, "{message}").context("cannot report")?;
    out.flush().context("cannot report")
}

/// Runs the tests that are left in a new process, and takes out those that are done: all, or all up to one that crashed
/// or hung.
fn run_in_child(left: &mut VecDeque<String>, out: &mut dyn Write) -> Result<()> {
    let mut child = Command::new("/proc/self/exe")
        .arg("--run")
        .args(left.iter())
        // With what the tests start, so that nothing of it outlives them.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start the tests")?;
    let messages = messages_of(child.stdout.take().context("no pipe to the tests")?);
    let errors = text_of(child.stderr.take().context("no pipe to the tests")?);
    let hung = follow(&messages, left, out)?;
    let why = end(&mut child, hung)?;
    if let Some(test) = left.pop_front() {
        // Whatever holds the pipe open after the process's end is not waited for.
        let said = errors.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
        let outcome = Outcome::Failed(format!("{why}\n{said}").trim_end().to_owned());
        report(out, &Message::Ended { test, outcome })?;
    }
    Ok(())
}

/// Forwards what is reported until the process ends, or is silent for too long, which is true.
fn follow(messages: &mpsc::Receiver<Message>, left: &mut VecDeque<String>, out: &mut dyn Write) -> Result<bool> {
    loop {
        match messages.recv_timeout(DEADLINE) {
            Ok(message) => {
                report(out, &message)?;
                if let Message::Ended { test, .. } = message {
                    left.retain(|name| *name != test);
                }
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(false),
            Err(RecvTimeoutError::Timeout) => return Ok(true),
        }
    }
}

/// Ends the process, unless it has ended, and what it has started; says how it came to its end.
fn end(child: &mut Child, hung: bool) -> Result<String> {
    match kill_process_group(Pid::from_child(child), Signal::KILL) {
        // The process itself may have left nobody behind.
        Ok(()) | Err(Errno::SRCH) => {}
        Err(error) => return Err(error).context("cannot end the tests"),
    }
    let status = child.wait().context("cannot wait for the tests")?;
    Ok(if hung {
        format!("no result within {} s", DEADLINE.as_secs())
    } else {
        format!("ended without a result: {status}")
    })
}

fn messages_of(stdout: impl Read + Send + 'static) -> mpsc::Receiver<Message> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if Message::parse(&line).is_some_and(|message| sender.send(message).is_err()) {
                return;
            }
        }
    });
    receiver
}

fn text_of(mut stderr: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stderr.read_to_end(&mut bytes);
        let tail = &bytes[bytes.len().saturating_sub(OUTPUT_TAIL)..];
        // Nobody listens any more if all tests gave a result.
        let _ = sender.send(String::from_utf8_lossy(tail).into_owned());
    });
    receiver
}
