use crate::model::{Model, SMALL, Sure, append, drain, number};
use collector_spool::sim::{Call, SimDisk};
use collector_spool::{AcknowledgeError, AppendError, Operation, Options, Spool};

const DURABLE: Options = Options { fsync: true, ..SMALL };

fn open(disk: &SimDisk, options: Options) -> Spool<SimDisk> {
    Spool::open(disk.clone(), options).expect("a queue opens").0
}

/// What failed may have been done all the same only if it was an acknowledgement or a sync; a record that was refused must
/// not come.
fn refuse_what_failed(model: &mut Model) {
    for fate in model.fates.values_mut() {
        if fate.appended == Sure::Perhaps {
            fate.appended = Sure::No;
        }
    }
}

#[test]
fn one_failing_call_anywhere_loses_nothing_and_leaves_the_queue_usable() {
    for seed in 0..2000 {
        let mut model = Model::new(seed, SMALL);
        let (mut spool, _) = model.open();
        model.disk.fail_once_after(seed % 130);
        model.operate(&mut spool, 60);
        model.disk.restart();
        refuse_what_failed(&mut model);
        assert_eq!(spool.counts().lost_records, 0);
        let before = spool.held().records;
        model.append(&mut spool);
        assert!(
            spool.held().records > before || spool.counts().refused_full > 0,
            "it is usable or full"
        );
        drop(spool);
        model.check(Sure::Done);
    }
}

#[test]
fn one_failing_call_anywhere_takes_back_no_promise_for_power_failures() {
    for seed in 0..2000 {
        let mut model = Model::new(seed, DURABLE);
        let (mut spool, _) = model.open();
        model.disk.fail_once_after(seed % 130);
        model.operate(&mut spool, 60);
        drop(spool);
        model.disk.cut_power();
        model.check(Sure::Synced);
    }
}

#[test]
fn a_disk_of_any_size_refuses_when_it_is_full_and_loses_nothing() {
    for seed in 0..1500 {
        let mut model = Model::new(seed, SMALL);
        let (mut spool, _) = model.open();
        let capacity = model.rng.u64(..30_000);
        model.disk.set_capacity(capacity);
        model.operate(&mut spool, 120);
        assert!(model.disk.used() <= capacity);
        assert_eq!(spool.held().bytes, model.disk.used());
        assert_eq!(spool.counts().refused_disk, 0);
        drop(spool);
        refuse_what_failed(&mut model);
        let (_, recovery) = model.check(Sure::Done);
        assert_eq!(
            (recovery.quarantined, recovery.torn),
            (Vec::new(), None),
            "what did not fit was cut off"
        );
    }
}

#[test]
fn acknowledging_on_a_full_disk_makes_room() {
    let disk = SimDisk::new(1);
    disk.set_capacity(12_000);
    let mut spool = open(&disk, SMALL);
    let mut next = 0;
    let error = loop {
        match append(&mut spool, next) {
            Ok(_) => next += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, AppendError::NoSpace(_)), "{error:?}");
    for expected in 0..next {
        let record = spool.next().expect("it can be read").expect("it was appended");
        assert_eq!(number(&record), expected);
        spool.acknowledge(record.id).expect("acknowledging takes no room");
    }
    append(&mut spool, next).expect("there is room again");
    assert_eq!(drain(&mut spool), [next]);
    assert_eq!(spool.counts().refused_no_space, 1);
}

#[test]
fn a_full_queue_refuses_counts_it_and_takes_again_when_there_is_room() {
    let disk = SimDisk::new(1);
    let mut spool = open(&disk, SMALL);
    let mut next = 0;
    while append(&mut spool, next).is_ok() {
        next += 1;
    }
    let error = append(&mut spool, next).expect_err("it is full");
    assert!(error.to_string().contains("of at most 65536 bytes"), "{error}");
    assert_eq!(spool.counts().refused_full, 2);
    assert!(disk.used() <= SMALL.max_bytes);
    while let Some(record) = spool.next().expect("it can be read") {
        spool.acknowledge(record.id).expect("it is in flight");
    }
    append(&mut spool, next).expect("there is room again");
}

#[test]
fn a_write_that_fails_and_cannot_be_cut_off_spoils_no_later_record() {
    for seed in 0..50 {
        let disk = SimDisk::new(seed);
        let mut spool = open(&disk, SMALL);
        append(&mut spool, 0).expect("there is room");
        disk.set_failing(Call::Truncate, true);
        disk.fail_once_after(0);
        let error = append(&mut spool, 1).expect_err("the disk fails");
        assert!(matches!(error, AppendError::Disk(_)), "{error:?}");
        append(&mut spool, 2).expect("a new segment is begun");
        assert_eq!(spool.held().bytes, disk.used());
        drop(spool);
        let (mut spool, recovery) = Spool::open(disk.clone(), SMALL).expect("it opens");
        assert_eq!(drain(&mut spool), [0, 2]);
        assert_eq!(recovery.quarantined, [], "the next segment says where the records end");
    }
}

#[test]
fn a_failed_sync_is_told_and_never_made_good_by_the_next() {
    let disk = SimDisk::new(1);
    let mut spool = open(&disk, DURABLE);
    append(&mut spool, 0).expect("there is room");
    spool.sync().expect("the disk works");
    append(&mut spool, 1).expect("there is room");
    append(&mut spool, 2).expect("there is room");
    disk.set_failing(Call::Sync, true);
    let error = spool.sync().expect_err("the disk fails");
    assert_eq!((error.records, error.items), (2, 5));
    assert_eq!(error.source.operation, Operation::Sync);
    disk.set_failing(Call::Sync, false);
    spool.sync().expect("there is nothing to sync");
    append(&mut spool, 3).expect("there is room");
    spool.sync().expect("the disk works again");
    drop(spool);
    disk.cut_power();
    let mut spool = open(&disk, DURABLE);
    let come = drain(&mut spool);
    assert!(
        come.contains(&0) && come.contains(&3),
        "what was synced is there: {come:?}"
    );
}

#[test]
fn a_failed_sync_of_the_directory_takes_every_new_record_with_it() {
    let disk = SimDisk::new(1);
    let mut spool = open(&disk, DURABLE);
    append(&mut spool, 0).expect("there is room");
    disk.set_failing(Call::SyncDirectory, true);
    let error = spool.sync().expect_err("the disk fails");
    assert_eq!((error.records, error.source.operation), (1, Operation::SyncDirectory));
}

#[test]
fn an_acknowledgement_that_cannot_be_written_holds_until_a_restart() {
    let disk = SimDisk::new(1);
    let mut spool = open(&disk, SMALL);
    for number in 0..3 {
        append(&mut spool, number).expect("there is room");
    }
    let record = spool.next().expect("it can be read").expect("it was appended");
    disk.set_failing(Call::Write, true);
    let error = spool.acknowledge(record.id).expect_err("the disk fails");
    assert!(matches!(error, AcknowledgeError::NotPersisted(_)), "{error:?}");
    assert_eq!(spool.held().records, 2);
    assert_eq!(drain(&mut spool), [1, 2]);
    let again = spool.acknowledge(record.id);
    assert!(matches!(again, Err(AcknowledgeError::NotInFlight)), "{again:?}");
}

#[test]
fn what_the_disk_will_not_read_is_tried_three_times_and_then_passed() {
    let disk = SimDisk::new(1);
    let mut spool = open(&disk, SMALL);
    for number in 0..20 {
        append(&mut spool, number).expect("there is room");
    }
    disk.set_failing(Call::Read, true);
    for _ in 0..2 {
        let error = spool.next().expect_err("the disk fails");
        assert!(
            error.to_string().contains("cannot read 0000000000000001.segment"),
            "{error}"
        );
    }
    while spool.held().records > 0 {
        let _ = spool.next();
    }
    let counts = spool.counts();
    assert_eq!(counts.lost_records, 20);
    disk.restart();
    drop(spool);
    let mut spool = open(&disk, SMALL);
    assert_eq!(
        drain(&mut spool),
        (0..20).collect::<Vec<_>>(),
        "a disk that reads again gives them back"
    );
}

#[test]
fn a_file_that_cannot_be_removed_is_counted_and_removed_later() {
    let disk = SimDisk::new(1);
    let mut spool = open(&disk, SMALL);
    for number in 0..20 {
        append(&mut spool, number).expect("there is room");
    }
    disk.set_failing(Call::Remove, true);
    while let Some(record) = spool.next().expect("it can be read") {
        spool.acknowledge(record.id).expect("it is in flight");
    }
    assert!(spool.counts().remove_failures > 0);
    assert_eq!(spool.held().bytes, disk.used());
    disk.set_failing(Call::Remove, false);
    let mut number = 20;
    while append(&mut spool, number).is_ok() {
        number += 1;
    }
    assert!(disk.read("0000000000000001.segment").is_none());
    assert_eq!(spool.held().bytes, disk.used());
}

#[test]
fn a_damaged_segment_that_cannot_be_renamed_is_read_under_its_name() {
    let disk = SimDisk::new(1);
    let mut spool = open(&disk, SMALL);
    for number in 0..20 {
        append(&mut spool, number).expect("there is room");
    }
    drop(spool);
    disk.flip("0000000000000001.segment", 1024 + 49, 0);
    disk.set_failing(Call::Rename, true);
    let (mut spool, recovery) = Spool::open(disk.clone(), SMALL).expect("it opens");
    assert_eq!(recovery.quarantined[0].name, "0000000000000001.segment");
    assert_eq!(drain(&mut spool), (1..20).collect::<Vec<_>>());
}
