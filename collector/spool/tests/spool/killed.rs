//! A real process on the real disk, killed in the middle of its work again and again.

use crate::model::{body, items, number};
use collector_spool::{Directory, Options, Spool};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Names the queue's directory to the process that is to be killed.
const DIRECTORY: &str = "SPOOL_TEST_DIRECTORY";
const FIRST: &str = "SPOOL_TEST_FIRST";
/// The test below, which is both processes: the one that kills, and the one that is killed.
const THIS_TEST: &str = "killed::a_process_that_is_killed_at_any_moment_loses_nothing_that_it_accepted";
const ROUNDS: u64 = 40;
const OPTIONS: Options = Options {
    max_bytes: 1 << 28,
    max_record_bytes: 1 << 16,
    segment_bytes: 64 << 10,
    max_in_flight: 1 << 20,
    fsync: false,
};

fn open(directory: &Path) -> Spool<Directory> {
    let disk = Directory::open(directory).expect("the lock went with the process that was killed");
    let (spool, recovery) = Spool::open(disk, OPTIONS).expect("a queue opens after any crash");
    assert_eq!(recovery.quarantined, [], "a killed process damages nothing");
    spool
}

/// Says what it has done as soon as it is done, and of an acknowledgement also that it begins.
fn say(what: &str, number: u64) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "spool {what} {number}").expect("the other process reads");
    out.flush().expect("the other process reads");
}

/// The work of the process that is to be killed.
fn work_until_killed(directory: &Path) {
    let first = std::env::var(FIRST).expect("the first number");
    let mut spool = open(directory);
    for next in first.parse().expect("a number").. {
        spool
            .append(&[&body(next)], items(next), next as u8)
            .expect("there is room");
        say("appended", next);
        if next.is_multiple_of(3) {
            let record = spool.next().expect("it can be read").expect("a record");
            say("acknowledging", number(&record));
            spool.acknowledge(record.id).expect("it is in flight");
            say("acknowledged", number(&record));
        }
    }
}

fn start(directory: &Path, first: u64) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", THIS_TEST, "--nocapture"])
        .env(DIRECTORY, directory)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("this program starts again")
}

/// What is known of the queue.
#[derive(Default)]
struct Known {
    appended: BTreeSet<u64>,
    acknowledging: BTreeSet<u64>,
    acknowledged: BTreeSet<u64>,
}

impl Known {
    fn hear(&mut self, line: &str) {
        // The test's own output may stand before it on the line.
        let Some((_, said)) = line.split_once("spool ") else {
            return;
        };
        let Some((what, number)) = said.split_once(' ') else {
            return;
        };
        let Ok(number) = number.parse() else { return };
        let set = match what {
            "appended" => &mut self.appended,
            "acknowledging" => &mut self.acknowledging,
            _ => &mut self.acknowledged,
        };
        set.insert(number);
    }
}

#[test]
fn a_process_that_is_killed_at_any_moment_loses_nothing_that_it_accepted() {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        return work_until_killed(Path::new(&directory));
    }
    let temporary = tempfile::tempdir().expect("a directory");
    let mut rng = fastrand::Rng::with_seed(11);
    let mut known = Known::default();
    for round in 0..ROUNDS {
        let mut child = start(temporary.path(), round * 1_000_000);
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        for line in lines.by_ref().take(rng.usize(1..400)) {
            known.hear(&line.expect("a line"));
        }
        child.kill().expect("it runs until it is killed");
        child.wait().expect("it has ended");
        // What it had said before it died.
        lines.map_while(Result::ok).for_each(|line| known.hear(&line));
        check(temporary.path(), &mut known, round);
    }
    assert!(known.acknowledged.len() > 100, "it came to do something");
}

fn check(directory: &Path, known: &mut Known, round: u64) {
    let mut spool = open(directory);
    let mut come = BTreeSet::new();
    let mut ids = Vec::new();
    while let Some(record) = spool.next().expect("it can be read") {
        assert!(come.last() < Some(&number(&record)), "in order, round {round}");
        come.insert(number(&record));
        ids.push((record.id, number(&record)));
    }
    let owed = known.appended.difference(&known.acknowledging);
    let lost: Vec<_> = owed.filter(|number| !come.contains(number)).collect();
    assert_eq!(lost, Vec::<&u64>::new(), "lost in round {round}");
    let again: Vec<_> = come.intersection(&known.acknowledged).collect();
    assert_eq!(again, Vec::<&u64>::new(), "come again in round {round}");
    // An acknowledgement under way when the process died may hold or not.
    known.acknowledging.retain(|number| !come.contains(number));
    known.appended.extend(&come);
    // So that opening does not take ever longer.
    for (id, number) in ids.into_iter().skip(20) {
        spool.acknowledge(id).expect("it is in flight");
        known.acknowledging.insert(number);
        known.acknowledged.insert(number);
    }
}
