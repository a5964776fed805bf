//! What a record costs on its way through the queue: `cargo bench -p collector-spool [DIRECTORY]`.
//!
//! One thread, on the real disk (by default a temporary directory), without fsync; records of 44 KB, as 100 spans make them.

use collector_spool::{Directory, Options, Spool};
use rustix::time::{ClockId, clock_gettime};
use std::path::PathBuf;
use std::time::Instant;

const RECORD: usize = 44_000;
const RECORDS: usize = 10_000;
const RUNS: usize = 5;

/// The median of several runs, by the wall's clock and by this process's own.
fn report(what: &str, mut runs: Vec<(f64, f64)>) {
    runs.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (wall, cpu) = runs[runs.len() / 2];
    let megabytes = (RECORD * RECORDS) as f64 / 1e6;
    println!(
        "{what}: {:.0} MB/s, {:.1} us/record; CPU {:.1} us/record",
        megabytes / wall,
        wall * 1e6 / RECORDS as f64,
        cpu * 1e6 / RECORDS as f64
    );
}

fn timed(work: impl FnOnce()) -> (f64, f64) {
    let (wall, cpu) = (Instant::now(), cpu_time());
    work();
    (wall.elapsed().as_secs_f64(), cpu_time() - cpu)
}

fn cpu_time() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn main() {
    let temporary = tempfile::tempdir().expect("a temporary directory");
    let named = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let directory = named.map_or_else(|| temporary.path().join("queue"), PathBuf::from);
    let (mut appending, mut opening, mut delivering) = (Vec::new(), Vec::new(), Vec::new());
    let mut rng = fastrand::Rng::with_seed(7);
    let record: Vec<u8> = (0..RECORD).map(|_| rng.u8(..)).collect();
    let open = || {
        let disk = Directory::open(&directory).expect("a directory");
        Spool::open(disk, Options::default()).expect("a queue").0
    };
    for _ in 0..RUNS {
        let mut spool = open();
        appending.push(timed(|| {
            for _ in 0..RECORDS {
                spool.append(&[&record], 100, 0).expect("there is room");
            }
        }));
        drop(spool);
        let mut spool = None;
        opening.push(timed(|| spool = Some(open())));
        let mut spool = spool.expect("it was opened");
        delivering.push(timed(|| {
            while let Some(record) = spool.next().expect("it can be read") {
                spool.acknowledge(record.id).expect("it is in flight");
            }
        }));
        assert_eq!(spool.held().records, 0, "everything was delivered");
    }
    report("append", appending);
    report("open, reading everything", opening);
    report("next and acknowledge", delivering);
}
