//! The table of tests, and how they are run: each in a process of its own, so that a crash or a hang costs one result.

use crate::{
    facilities,
    probes::{self, Way},
};
use anyhow::{Context, Result, bail};
use probe_loader::Facilities;
use std::{
    cell::LazyCell,
    io::{BufRead, BufReader, Read, Write},
    panic::{self, UnwindSafe},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    time::{Duration, Instant},
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

type Body = Box<dyn FnOnce() -> Result<Shown> + UnwindSafe>;

struct Test {
    name: String,
    body: Body,
    /// For a case of a probe, what it needs of the kernel.
    way: Option<&'static Way>,
}

/// Every test, in the order in which they run: first what the others stand on.
fn tests() -> Vec<Test> {
    let single = facilities::TESTS.iter().chain(probes::TESTS).map(|&(name, body)| Test {
        name: name.to_owned(),
        body: Box::new(body),
        way: None,
    });
    let cases = probes::cases().map(|(name, way, case)| Test {
        name,
        body: Box::new(move || probes::run(way, case)),
        way: Some(way),
    });
    single.chain(cases).collect()
}

/// A test that takes longer hangs: the slowest needs a second or two in an emulated machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// How much of a failed test's error output is reported.
const OUTPUT_TAIL: usize = 4096;

/// The names of all tests.
pub fn names() -> Vec<String> {
    tests().into_iter().map(|test| test.name).collect()
}

/// Runs every test whose name contains `only`, each in a child process, and reports to `out`.
pub fn run_all(only: &str, out: &mut dyn Write) -> Result<()> {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    report(out, &Message::Hello { release })?;
    // Found out once, since it takes a second in an emulated machine.
    let facilities = LazyCell::new(Facilities::detect);
    for test in tests().into_iter().filter(|test| test.name.contains(only)) {
        let name = test.name;
        report(out, &Message::Started { test: name.clone() })?;
        let outcome = match test.way.and_then(|way| probes::lack(way, &facilities)) {
            Some(lack) => Outcome::Absent(lack),
            None => run_in_child(&name, out).unwrap_or_else(|error| Outcome::Failed(format!("{error:#}"))),
        };
        report(out, &Message::Ended { test: name, outcome })?;
    }
    report(out, &Message::Finished)
}

/// Runs one test in this process and reports to the standard output.
pub fn run_one(name: &str) -> Result<()> {
    let Some(test) = tests().into_iter().find(|test| test.name == name) else {
        bail!("no test is named {name}");
    };
    // The panic's message is on the error output already; here it only has to become a result.
    let outcome = match panic::catch_unwind(test.body) {
        Ok(Ok(Shown::Yes)) => Outcome::Passed,
        Ok(Ok(Shown::Absent(why))) => Outcome::Absent(why),
        Ok(Err(error)) => Outcome::Failed(format!("{error:#}")),
        Err(_) => Outcome::Failed("panicked".into()),
    };
    let test = name.to_owned();
    report(&mut std::io::stdout(), &Message::Ended { test, outcome })
}

/// Reports from within a test how much work the verifier had with a program.
pub fn report_verified(program: String, instructions: u64) -> Result<()> {
    report(&mut std::io::stdout(), &Message::Verified { program, instructions })
}

/// Writes a message and sees to it that it is out before anything else happens.
fn report(out: &mut dyn Write, message: &Message) -> Result<()> {
    writeln!(out, "{message}").context("cannot report")?;
    out.flush().context("cannot report")
}

fn run_in_child(name: &str, out: &mut dyn Write) -> Result<Outcome> {
    let mut child = Command::new("/proc/self/exe")
        .args(["--run", name])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start the test")?;
    let messages = messages_of(child.stdout.take().context("no pipe to the test")?);
    let errors = text_of(child.stderr.take().context("no pipe to the test")?);
    let outcome = follow(&messages, out);
    let outcome = finish(&mut child, outcome)?;
    Ok(match outcome {
        Outcome::Failed(why) => {
            // Whatever holds the pipe open after the test's end is not waited for.
            let said = errors.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
            Outcome::Failed(format!("{why}\n{said}").trim_end().to_owned())
        }
        other => other,
    })
}

/// Forwards what the test reports until it gives its outcome; `None` if it ends without one, an error if it hangs.
fn follow(messages: &mpsc::Receiver<Message>, out: &mut dyn Write) -> Result<Option<Outcome>> {
    let begin = Instant::now();
    loop {
        match messages.recv_timeout(DEADLINE.saturating_sub(begin.elapsed())) {
            Ok(Message::Ended { outcome, .. }) => return Ok(Some(outcome)),
            Ok(message) => report(out, &message)?,
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
            Err(RecvTimeoutError::Timeout) => bail!("no result within {} s", DEADLINE.as_secs()),
        }
    }
}

fn finish(child: &mut Child, outcome: Result<Option<Outcome>>) -> Result<Outcome> {
    match outcome {
        Ok(Some(outcome)) => {
            child.wait().context("cannot wait for the test")?;
            Ok(outcome)
        }
        Ok(None) => {
            let status = child.wait().context("cannot wait for the test")?;
            Ok(Outcome::Failed(format!("ended without a result: {status}")))
        }
        Err(error) => {
            child.kill().context("cannot end the test")?;
            child.wait().context("cannot wait for the test")?;
            Ok(Outcome::Failed(format!("{error:#}")))
        }
    }
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
        // Nobody listens any more if the test passed.
        let _ = sender.send(String::from_utf8_lossy(tail).into_owned());
    });
    receiver
}
