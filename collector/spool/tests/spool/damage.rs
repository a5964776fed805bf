use crate::model::{SMALL, append, drain, items, number};
use collector_spool::sim::SimDisk;
use collector_spool::{Options, Quarantined, Recovery, Spool, Why};
use std::collections::BTreeSet;

const FIRST: &str = "0000000000000001.segment";
const SECOND: &str = "0000000000000002.segment";
const HEADER: usize = 1024;
/// Enough for several segments.
const RECORDS: u64 = 20;

/// A log of the given records in segments of about four kilobytes, some of them acknowledged.
fn log(numbers: std::ops::Range<u64>, acknowledged: &[u64]) -> SimDisk {
    let disk = SimDisk::new(1);
    let (mut spool, _) = open(&disk);
    for number in numbers {
        append(&mut spool, number).expect("there is room");
    }
    while let Some(record) = spool.next().expect("it can be read") {
        if acknowledged.contains(&number(&record)) {
            spool.acknowledge(record.id).expect("it is in flight");
        }
    }
    disk
}

fn open(disk: &SimDisk) -> (Spool<SimDisk>, Recovery) {
    Spool::open(disk.clone(), SMALL).expect("a damaged queue opens")
}

fn names(disk: &SimDisk) -> Vec<String> {
    collector_spool::Disk::list(disk).expect("the disk works")
}

fn copy(disk: &SimDisk) -> SimDisk {
    let copy = SimDisk::new(2);
    for name in names(disk) {
        copy.put(&name, &disk.read(&name).expect("it is listed"));
    }
    copy
}

fn all_items(numbers: &BTreeSet<u64>) -> u64 {
    numbers.iter().map(|&number| u64::from(items(number))).sum()
}

/// What has come must be the expected but for one record, and that one must be told of.
fn check_told(expected: &BTreeSet<u64>, come: &[u64], recovery: &Recovery, place: &str) {
    assert!(come.is_sorted_by(|one, next| one < next), "{place}: {come:?}");
    let come: BTreeSet<u64> = come.iter().copied().collect();
    let missing: BTreeSet<u64> = expected.difference(&come).copied().collect();
    assert!(missing.len() <= 1, "{place}: one bit takes one record: {missing:?}");
    if missing.is_empty() {
        return;
    }
    match (&recovery.quarantined[..], &recovery.torn) {
        ([], Some(torn)) => assert!(torn.bytes > 0, "{place}"),
        ([one], None) => {
            assert!(one.lost.exact, "{place}: {one:?}");
            assert_eq!(
                (one.lost.records, one.lost.items),
                (1, all_items(&missing)),
                "{place}: {one:?}"
            );
        }
        _ => panic!("{place}: {missing:?} is missing, and {recovery:?}"),
    }
}

#[test]
fn a_bit_flipped_anywhere_before_opening_takes_at_most_its_record_and_is_told() {
    let acknowledged = [2, 5];
    let original = log(0..RECORDS, &acknowledged);
    let expected: BTreeSet<u64> = (0..RECORDS).filter(|number| !acknowledged.contains(number)).collect();
    for name in names(&original) {
        for byte in 0..original.read(&name).expect("it is listed").len() {
            let disk = copy(&original);
            assert!(disk.flip(&name, byte, byte as u8));
            let (mut spool, recovery) = open(&disk);
            assert_eq!(spool.held(), recovery.held);
            let come = drain(&mut spool);
            assert_eq!(spool.counts().lost_records, 0, "opening has found it");
            check_told(&expected, &come, &recovery, &format!("byte {byte} of {name}"));
        }
    }
}

#[test]
fn a_bit_flipped_anywhere_after_opening_takes_at_most_its_record_and_is_counted() {
    let original = log(0..RECORDS, &[]);
    for name in names(&original) {
        for byte in 0..original.read(&name).expect("it is listed").len() {
            let disk = copy(&original);
            let (mut spool, _) = open(&disk);
            disk.flip(&name, byte, byte as u8);
            let come = drain(&mut spool);
            let (held, counts) = (spool.held(), spool.counts());
            let place = format!("byte {byte} of {name}: {come:?}, {counts:?}");
            assert!(come.is_sorted_by(|one, next| one < next), "{place}");
            assert!(come.len() as u64 >= RECORDS - 1, "{place}");
            assert_eq!(held.records, come.len() as u64, "{place}");
            assert_eq!(counts.lost_records, RECORDS - come.len() as u64, "{place}");
            assert_eq!(counts.quarantined, counts.lost_records, "{place}");
        }
    }
}

/// Damages the first segment and opens; what is expected of the report, by the record that is hit.
fn check_quarantine(damage: impl FnOnce(&mut Vec<u8>), lost: &[u64], expect: impl FnOnce(&Quarantined)) {
    let disk = log(0..RECORDS, &[]);
    let mut bytes = disk.read(FIRST).expect("the first segment");
    damage(&mut bytes);
    disk.put(FIRST, &bytes);
    let (mut spool, recovery) = open(&disk);
    let [quarantined] = &recovery.quarantined[..] else {
        panic!("one segment is damaged: {recovery:?}");
    };
    expect(quarantined);
    assert_eq!(quarantined.lost.records, lost.len() as u64, "{quarantined:?}");
    let expected: Vec<u64> = (0..RECORDS).filter(|number| !lost.contains(number)).collect();
    assert_eq!(drain(&mut spool), expected, "{quarantined:?}");
    assert!(names(&disk).contains(&quarantined.name), "{:?}", names(&disk));
    assert!(!names(&disk).contains(&FIRST.to_owned()), "it was renamed");
}

/// Where the records of a segment begin.
fn offsets(bytes: &[u8]) -> Vec<usize> {
    let mut offsets = Vec::new();
    let mut at = HEADER;
    while at < bytes.len() {
        offsets.push(at);
        let length = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().expect("four bytes"));
        at += (48 + length as usize).next_multiple_of(8);
    }
    offsets
}

fn records_of_first() -> u64 {
    offsets(&log(0..RECORDS, &[]).read(FIRST).expect("the first segment")).len() as u64
}

#[test]
fn a_damaged_body_takes_its_record_and_what_follows_is_delivered() {
    check_quarantine(
        |bytes| {
            let at = offsets(bytes)[1];
            bytes[at + 50] ^= 1;
        },
        &[1],
        |quarantined| {
            assert_eq!(quarantined.why, Why::Checksum);
            assert_eq!(quarantined.name, format!("{FIRST}.quarantined-checksum"));
            assert_eq!(quarantined.records_before, 1);
            assert_eq!(quarantined.records_after, records_of_first() - 2);
            assert_eq!(quarantined.lost.items, u64::from(items(1)));
            assert!(quarantined.lost.exact);
        },
    );
}

#[test]
fn a_damaged_stretch_over_two_records_is_counted_by_its_neighbours() {
    check_quarantine(
        |bytes| {
            let offsets = offsets(bytes);
            bytes[offsets[0]..offsets[2]].fill(0xaa);
        },
        &[0, 1],
        |quarantined| {
            assert_eq!(quarantined.why, Why::Frame);
            assert_eq!(quarantined.records_before, 0);
            assert_eq!(quarantined.lost.items, u64::from(items(0) + items(1)));
            assert!(quarantined.lost.exact);
        },
    );
}

#[test]
fn a_segment_that_became_shorter_is_told_by_its_successor() {
    let last = records_of_first() - 1;
    check_quarantine(
        |bytes| {
            let end = offsets(bytes)[last as usize];
            bytes.truncate(end);
        },
        &[last],
        |quarantined| {
            assert_eq!(quarantined.why, Why::Short);
            assert_eq!(quarantined.lost.items, u64::from(items(last)));
            assert!(quarantined.lost.exact);
        },
    );
}

#[test]
fn a_segment_without_a_header_is_lost_as_a_whole_and_counted() {
    let all: Vec<u64> = (0..records_of_first()).collect();
    check_quarantine(
        |bytes| bytes[..HEADER].fill(0),
        &all,
        |quarantined| {
            assert_eq!(quarantined.why, Why::Header);
            assert!(quarantined.lost.exact, "the successor knows");
        },
    );
}

/// A body that holds a whole segment of a queue must not be taken for records when the way is looked for behind damage.
#[test]
fn a_payload_that_looks_like_records_is_never_delivered_as_such() {
    let trap = log(0..3, &[]).read(FIRST).expect("a segment");
    let options = Options {
        max_record_bytes: 10_000,
        segment_bytes: 100_000,
        ..SMALL
    };
    let disk = SimDisk::new(99);
    let (mut spool, _) = Spool::open(disk.clone(), options).expect("an empty disk");
    for _ in 0..2 {
        spool.append(&[&trap], 1, 0).expect("there is room");
    }
    disk.flip(FIRST, HEADER + 8, 0);
    let (mut spool, recovery) = Spool::open(disk, options).expect("a damaged queue opens");
    assert_eq!(recovery.quarantined[0].lost.records, 1);
    let record = spool.next().expect("it can be read").expect("the second record");
    assert_eq!(record.body, trap);
    assert_eq!(spool.next().expect("it can be read"), None);
}

#[test]
fn a_torn_end_is_cut_off_at_every_length() {
    let original = log(0..3, &[]);
    let bytes = original.read(FIRST).expect("the first segment");
    let offsets = offsets(&bytes);
    for length in HEADER..bytes.len() {
        let disk = SimDisk::new(3);
        disk.put(FIRST, &bytes[..length]);
        let (mut spool, recovery) = open(&disk);
        let whole = offsets.iter().skip(1).filter(|&&end| end <= length).count() as u64;
        assert_eq!(drain(&mut spool), (0..whole).collect::<Vec<_>>(), "{length} bytes");
        assert_eq!(recovery.quarantined, [], "{length} bytes");
        assert_eq!(recovery.torn.is_some(), !offsets.contains(&length), "{length} bytes");
        append(&mut spool, 7).expect("there is room");
        drop(spool);
        let (mut spool, recovery) = open(&disk);
        assert_eq!(recovery.torn, None, "it was cut off before");
        assert_eq!(drain(&mut spool).last(), Some(&7));
    }
}

#[test]
fn garbage_of_any_kind_opens_and_gives_nothing() {
    let mut rng = fastrand::Rng::with_seed(5);
    for length in (0..6000).step_by(97) {
        let disk = SimDisk::new(4);
        let bytes: Vec<u8> = (0..length).map(|_| rng.u8(..)).collect();
        disk.put(FIRST, &bytes);
        disk.put(SECOND, &bytes);
        disk.put("notes.txt", &bytes);
        let (mut spool, _) = open(&disk);
        assert_eq!(spool.next().expect("it can be read"), None);
        append(&mut spool, 1).expect("there is room");
        assert_eq!(drain(&mut spool), [1]);
        assert!(disk.read("notes.txt").is_some(), "other files are left alone");
    }
}

#[test]
fn a_quarantined_segment_is_told_once_and_delivered_until_acknowledged() {
    let disk = log(0..8, &[]);
    disk.flip(FIRST, HEADER + 49, 3);
    let (spool, recovery) = open(&disk);
    assert_eq!(recovery.quarantined.len(), 1);
    drop(spool);
    let (mut spool, recovery) = open(&disk);
    assert_eq!((recovery.quarantined.len(), recovery.quarantined_before), (0, 1));
    while let Some(record) = spool.next().expect("it can be read") {
        spool.acknowledge(record.id).expect("it is in flight");
    }
    let evidence = spool.held().evidence_bytes;
    assert!(evidence > 0, "the damaged file stays to be looked at");
    drop(spool);
    let (mut spool, recovery) = open(&disk);
    assert_eq!((recovery.held.records, recovery.held.evidence_bytes), (0, evidence));
    assert_eq!(spool.next().expect("it can be read"), None);
}

#[test]
fn a_quarantined_file_makes_way_when_its_room_is_needed() {
    let disk = log(0..8, &[]);
    disk.flip(FIRST, HEADER + 49, 3);
    let (mut spool, _) = open(&disk);
    while let Some(record) = spool.next().expect("it can be read") {
        spool.acknowledge(record.id).expect("it is in flight");
    }
    let mut number = 100;
    while append(&mut spool, number).is_ok() {
        number += 1;
    }
    let held = spool.held();
    assert_eq!(held.evidence_bytes, 0);
    assert!(
        held.bytes > SMALL.max_bytes - 4096 && held.bytes <= SMALL.max_bytes,
        "{held:?}"
    );
}

#[test]
fn what_a_failed_write_has_left_is_cut_off_while_there_is_a_successor_that_says_so() {
    let disk = log(0..RECORDS, &[]);
    let whole = disk.read(FIRST).expect("the first segment");
    disk.put(FIRST, &[&whole[..], &[7; 100]].concat());
    let (mut spool, recovery) = open(&disk);
    assert_eq!((recovery.quarantined, recovery.torn), (vec![], None));
    assert_eq!(disk.read(FIRST), Some(whole));
    assert_eq!(drain(&mut spool), (0..RECORDS).collect::<Vec<_>>());
    assert_eq!(spool.held().bytes, disk.used());
}

#[test]
fn a_queue_of_a_later_version_is_refused_and_nothing_is_touched() {
    let disk = log(0..RECORDS, &[]);
    let last = names(&disk).pop().expect("a segment");
    let mut bytes = disk.read(&last).expect("it is listed");
    bytes[8] = 2;
    let crc = crc32(&bytes[..12]);
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    disk.put(&last, &bytes);
    // What would otherwise be quarantined.
    disk.flip(FIRST, HEADER + 49, 3);
    let before: Vec<_> = names(&disk).into_iter().map(|name| disk.read(&name)).collect();
    let error = Spool::open(disk.clone(), SMALL).expect_err("it is from the future");
    let text = error.to_string();
    assert!(text.contains(&last) && text.contains("the format 2"), "{text}");
    let after: Vec<_> = names(&disk).into_iter().map(|name| disk.read(&name)).collect();
    assert_eq!(before, after);
}

/// Bit by bit, as the standard defines it.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
    })
}
