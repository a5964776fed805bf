use crate::model::{SMALL, append, body, drain, number};
use collector_spool::sim::SimDisk;
use collector_spool::{AcknowledgeError, AppendError, Error, Options, Record, Spool};

fn filled(records: u64, options: Options) -> (SimDisk, Spool<SimDisk>) {
    let disk = SimDisk::new(1);
    let mut spool = open(&disk, options);
    for number in 0..records {
        append(&mut spool, number).expect("there is room");
    }
    (disk, spool)
}

fn open(disk: &SimDisk, options: Options) -> Spool<SimDisk> {
    Spool::open(disk.clone(), options).expect("a queue opens").0
}

fn take(spool: &mut Spool<SimDisk>) -> Record {
    spool.next().expect("it can be read").expect("there is a record")
}

#[test]
fn records_come_in_order_while_others_are_appended() {
    let (_, mut spool) = filled(1, SMALL);
    for next in 1..200 {
        append(&mut spool, next).expect("there is room");
        let record = take(&mut spool);
        assert_eq!(number(&record), next - 1);
        spool.acknowledge(record.id).expect("it is in flight");
        assert_eq!(spool.held().records, 1);
    }
    assert!(spool.held().bytes < 2 * SMALL.segment_bytes, "{:?}", spool.held());
}

#[test]
fn acknowledging_in_any_order_leaves_the_others() {
    let (disk, mut spool) = filled(30, SMALL);
    let records: Vec<Record> = (0..30).map(|_| take(&mut spool)).collect();
    for record in records.iter().rev().filter(|record| !number(record).is_multiple_of(3)) {
        spool.acknowledge(record.id).expect("it is in flight");
    }
    drop(spool);
    let expected: Vec<u64> = (0..30).step_by(3).collect();
    assert_eq!(drain(&mut open(&disk, SMALL)), expected);
}

#[test]
fn a_segment_is_removed_when_all_its_records_are_acknowledged() {
    let (disk, mut spool) = filled(30, SMALL);
    let full = disk.used();
    while let Some(record) = spool.next().expect("it can be read") {
        let last = number(&record) == 29;
        spool.acknowledge(record.id).expect("it is in flight");
        assert_eq!(spool.held().records == 0, last);
    }
    assert!(disk.used() <= SMALL.segment_bytes && full > 4 * SMALL.segment_bytes);
    drop(spool);
    open(&disk, SMALL);
    assert_eq!(disk.used(), 0, "nothing is left of a queue that was emptied");
}

#[test]
fn a_record_given_back_comes_before_new_ones_and_keeps_its_id() {
    let (_, mut spool) = filled(3, SMALL);
    let (first, second) = (take(&mut spool), take(&mut spool));
    assert!(spool.release(second.id) && spool.release(first.id));
    assert!(!spool.release(first.id), "it is not in flight");
    assert_eq!([take(&mut spool), take(&mut spool)], [first.clone(), second]);
    assert_eq!(number(&take(&mut spool)), 2);
    spool.acknowledge(first.id).expect("it is in flight");
    let again = spool.acknowledge(first.id);
    assert!(matches!(again, Err(AcknowledgeError::NotInFlight)), "{again:?}");
}

#[test]
fn no_more_are_handed_out_than_may_be_in_flight() {
    let options = Options {
        max_in_flight: 2,
        ..SMALL
    };
    let (_, mut spool) = filled(4, options);
    let (first, second) = (take(&mut spool), take(&mut spool));
    assert_eq!(spool.next().expect("it can be read"), None);
    assert_eq!(spool.in_flight(), 2);
    spool.release(first.id);
    assert_eq!(number(&take(&mut spool)), 0, "what was given back counts, and comes");
    spool.acknowledge(second.id).expect("it is in flight");
    assert_eq!(number(&take(&mut spool)), 2);
}

#[test]
fn what_was_handed_out_and_not_acknowledged_comes_again_after_a_restart() {
    let (disk, mut spool) = filled(5, SMALL);
    assert_eq!(drain(&mut spool), [0, 1, 2, 3, 4]);
    assert_eq!(spool.next().expect("it can be read"), None);
    drop(spool);
    assert_eq!(drain(&mut open(&disk, SMALL)), [0, 1, 2, 3, 4]);
}

#[test]
fn pieces_come_as_one_body_and_may_be_none() {
    let (_, mut spool) = filled(0, SMALL);
    spool.append(&[], 0, 9).expect("there is room");
    let many: Vec<Vec<u8>> = (0..2000).map(|piece| vec![piece as u8]).collect();
    let many: Vec<&[u8]> = many.iter().map(Vec::as_slice).collect();
    spool.append(&many, u32::MAX, 255).expect("there is room");
    let empty = take(&mut spool);
    assert_eq!((empty.body.len(), empty.items, empty.meta), (0, 0, 9));
    let long = take(&mut spool);
    assert_eq!((long.body, long.items, long.meta), (many.concat(), u32::MAX, 255));
}

#[test]
fn a_record_that_is_too_large_is_refused_by_its_size() {
    let (disk, mut spool) = filled(0, SMALL);
    let error = spool.append(&[&[0; 3001]], 1, 0).expect_err("it is too large");
    assert!(matches!(
        error,
        AppendError::TooLarge {
            bytes: 3001,
            limit: 3000
        }
    ));
    assert_eq!(disk.used(), 0);
}

#[test]
fn a_record_larger_than_a_segment_gets_one_of_its_own() {
    let options = Options {
        max_record_bytes: 20_000,
        ..SMALL
    };
    let (disk, mut spool) = filled(1, options);
    spool.append(&[&[7; 20_000]], 1, 0).expect("there is room");
    append(&mut spool, 1).expect("there is room");
    drop(spool);
    let mut spool = open(&disk, SMALL);
    assert_eq!(take(&mut spool).body, body(0));
    assert_eq!(
        take(&mut spool).body,
        vec![7; 20_000],
        "a smaller bound holds for appending only"
    );
    assert_eq!(take(&mut spool).body, body(1));
}

#[test]
fn options_that_contradict_each_other_are_refused_by_name() {
    let check = |options, expected: &str| {
        let error = Spool::open(SimDisk::new(1), options).expect_err("they contradict each other");
        assert!(matches!(error, Error::Options { .. }));
        assert!(error.to_string().starts_with(expected), "{error}");
    };
    check(
        Options {
            max_record_bytes: 0,
            ..SMALL
        },
        "max_record_bytes is 0: ",
    );
    check(
        Options {
            max_record_bytes: u32::MAX,
            ..SMALL
        },
        "max_record_bytes is 4294967295: ",
    );
    check(
        Options {
            segment_bytes: 10,
            ..SMALL
        },
        "segment_bytes is 10: ",
    );
    check(
        Options {
            max_bytes: 1 << 50,
            ..SMALL
        },
        "segment_bytes is 4096: with max_bytes ",
    );
    check(
        Options {
            max_in_flight: 0,
            ..SMALL
        },
        "max_in_flight is 0: ",
    );
}

#[test]
fn a_smaller_bound_than_what_is_there_refuses_until_there_is_room() {
    let (disk, spool) = filled(30, SMALL);
    drop(spool);
    let options = Options {
        max_bytes: 10_000,
        ..SMALL
    };
    let mut spool = open(&disk, options);
    assert!(matches!(append(&mut spool, 30), Err(AppendError::Full { .. })));
    while let Some(record) = spool.next().expect("it can be read") {
        spool.acknowledge(record.id).expect("it is in flight");
    }
    append(&mut spool, 30).expect("there is room again");
}
