use crate::model::{Model, SMALL, Sure};
use collector_spool::Options;

/// How a machine ends.
#[derive(Debug, Clone, Copy)]
enum End {
    /// All that was written is there.
    Killed,
    /// All that was synced is there.
    PowerCut,
}

const DURABLE: Options = Options { fsync: true, ..SMALL };

fn model(seed: u64, end: End) -> Model {
    match end {
        End::Killed => Model::new(seed, SMALL),
        End::PowerCut => Model::new(seed, DURABLE),
    }
}

/// Works for a while, stops in the middle of the given call, and opens again. What is in doubt stays so: the next run
/// begins with what came.
fn crash(model: &mut Model, end: End, after_calls: u64, operations: usize) {
    let (mut spool, _) = model.open();
    model.disk.crash_after(after_calls);
    model.operate(&mut spool, operations);
    drop(spool);
    match end {
        End::Killed => {
            model.disk.restart();
            let (spool, recovery) = model.check(Sure::Done);
            assert_eq!(recovery.quarantined, [], "a killed process damages nothing");
            assert_eq!(spool.counts().lost_records, 0);
        }
        End::PowerCut => {
            model.disk.cut_power();
            model.check(Sure::Synced);
        }
    }
}

fn calls_without_crash(seed: u64, end: End, operations: usize) -> u64 {
    let mut model = model(seed, end);
    let (mut spool, _) = model.open();
    let before = model.disk.calls();
    model.operate(&mut spool, operations);
    model.disk.calls() - before
}

fn crash_at_every_call(end: End) {
    for seed in 0..25 {
        let operations = 80;
        for after_calls in 0..=calls_without_crash(seed, end, operations) {
            crash(&mut model(seed, end), end, after_calls, operations);
        }
    }
}

fn crash_again_and_again(end: End) {
    for seed in 1000..4000 {
        let mut model = model(seed, end);
        for _ in 0..4 {
            let after_calls = model.rng.u64(..120);
            crash(&mut model, end, after_calls, 70);
        }
    }
}

#[test]
fn a_process_killed_at_any_call_loses_and_repeats_nothing() {
    crash_at_every_call(End::Killed);
}

#[test]
fn a_power_failure_at_any_call_loses_and_repeats_nothing_that_was_synced() {
    crash_at_every_call(End::PowerCut);
}

#[test]
fn a_queue_survives_being_killed_again_and_again() {
    crash_again_and_again(End::Killed);
}

#[test]
fn a_queue_survives_power_failures_again_and_again() {
    crash_again_and_again(End::PowerCut);
}

/// What opening changes (cutting, renaming, removing) may itself be interrupted.
#[test]
fn a_crash_while_opening_after_a_power_failure_loses_nothing_either() {
    for seed in 0..400 {
        let mut model = model(seed, End::PowerCut);
        let (mut spool, _) = model.open();
        let calls = model.rng.u64(20..120);
        model.disk.crash_after(calls);
        model.operate(&mut spool, 80);
        drop(spool);
        model.disk.cut_power();
        let calls = model.rng.u64(..30);
        model.disk.crash_after(calls);
        // It fails, or ends before the crash.
        let _ = collector_spool::Spool::open(model.disk.clone(), model.options);
        model.disk.cut_power();
        model.check(Sure::Synced);
    }
}

/// A queue on a disk without fsync promises nothing for power failures, but opens, and delivers nothing damaged.
#[test]
fn a_power_failure_without_fsync_may_lose_but_never_spoils() {
    for seed in 0..1000 {
        let mut model = Model::new(seed, SMALL);
        let (mut spool, _) = model.open();
        model.operate(&mut spool, 80);
        drop(spool);
        model.disk.cut_power();
        model.check(Sure::Synced);
    }
}
