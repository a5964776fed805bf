//! A queue on disk whose files hold anything at all: it opens or says why not, hands out no more than there is, goes on to
//! work, and is the same when it is opened again.
#![no_main]

use collector_spool::sim::SimDisk;
use collector_spool::{Disk, Options, Spool};
use libfuzzer_sys::fuzz_target;

const OPTIONS: Options = Options {
    max_bytes: 64 << 10,
    max_record_bytes: 3000,
    segment_bytes: 4096,
    max_in_flight: 100_000,
    fsync: true,
};
/// Where records may begin.
const ALIGNMENT: usize = 8;
const SEGMENT_HEADER: usize = 1024;
const RECORD_HEADER: usize = 48;

/// What is done to one file: its place in the list, which of the things below, where, and with what.
type Damage = (u8, u8, u16, Vec<u8>);

/// A queue that was used: records of these lengths, of which those are acknowledged whose number has this remainder.
fn used(lengths: &[u16], remainder: u8) -> SimDisk {
    let disk = SimDisk::new(1);
    let (mut spool, _) = Spool::open(disk.clone(), OPTIONS).expect("an empty disk");
    for (number, length) in lengths.iter().take(40).enumerate() {
        let body = vec![number as u8; usize::from(length % 3000)];
        if spool.append(&[&body], number as u32, number as u8).is_err() {
            break;
        }
    }
    while let Some(record) = spool.next().expect("nothing is damaged yet") {
        if record.meta % 4 == remainder % 4 {
            spool.acknowledge(record.id).expect("it is in flight");
        }
    }
    disk
}

fn damage(disk: &SimDisk, (file, what, at, bytes): &Damage) {
    let names = disk.list().expect("the disk works");
    let Some(name) = usize::from(*file).checked_rem(names.len()).map(|index| &names[index]) else {
        return;
    };
    let mut file = disk.read(name).expect("it is listed");
    let at = usize::from(*at).min(file.len());
    match what % 7 {
        0 => write(&mut file, at, bytes),
        1 => file.truncate(at),
        2 => return disk.put(&String::from_utf8_lossy(bytes), &file),
        3 => return disk.put("00000000000000ff.segment", bytes),
        4 => craft_segment(&mut file, bytes),
        5 => craft_record(&mut file, at / ALIGNMENT * ALIGNMENT, bytes),
        // As a file system does that has lost the data and kept the length.
        _ => file[at..].fill(0),
    }
    disk.put(name, &file);
}

fn write(file: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    file.resize(file.len().max(at + bytes.len()), 0);
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Overwrites the fields of the segment's header, with checksums that are right, which chance would not find.
fn craft_segment(file: &mut Vec<u8>, fields: &[u8]) {
    let mut header = file.get(..60).unwrap_or(&[0; 60]).to_vec();
    let fields = &fields[..fields.len().min(40)];
    header[16..16 + fields.len()].copy_from_slice(fields);
    let crc = crc32fast::hash(&header[..56]);
    header[56..60].copy_from_slice(&crc.to_le_bytes());
    write(file, 0, &header);
}

/// The same for a record and its body.
fn craft_record(file: &mut Vec<u8>, at: usize, fields: &[u8]) {
    let at = at.max(SEGMENT_HEADER);
    let mut header = [0; RECORD_HEADER];
    header[..8].copy_from_slice(file.get(24..32).unwrap_or(&[0; 8]));
    let (fields, body) = fields.split_at(fields.len().min(21));
    header[8..8 + fields.len()].copy_from_slice(fields);
    header[32..36].copy_from_slice(&crc32fast::hash(body).to_le_bytes());
    let mut crc = crc32fast::Hasher::new();
    crc.update(&(at as u64).to_le_bytes());
    crc.update(&header[..36]);
    header[36..40].copy_from_slice(&crc.finalize().to_le_bytes());
    write(file, at, &header);
    write(file, at + RECORD_HEADER, body);
}

/// The bodies of what the queue hands out: all, or those of every second record, while the others are acknowledged.
fn drain(spool: &mut Spool<SimDisk>, keep: bool) -> Vec<Vec<u8>> {
    let (mut bodies, mut number) = (Vec::new(), 0);
    while let Some(record) = spool.next().expect("the disk works") {
        number += 1;
        assert!(number <= 1 << 16, "it has no end");
        if keep || number % 2 == 0 {
            bodies.push(record.body);
        } else {
            spool.acknowledge(record.id).expect("it is in flight");
        }
    }
    bodies
}

fuzz_target!(|input: (Vec<u16>, u8, Vec<Damage>)| {
    let (lengths, remainder, damages) = &input;
    let disk = used(lengths, *remainder);
    damages.iter().take(20).for_each(|one| damage(&disk, one));
    let Ok((spool, recovery)) = Spool::open(disk.clone(), OPTIONS) else {
        return;
    };
    assert_eq!(spool.held(), recovery.held);
    drop(spool);
    // Opening has put away what was damaged, and nothing else has happened since.
    let (mut spool, again) = Spool::open(disk.clone(), OPTIONS).expect("it opened before");
    assert_eq!(again.held, recovery.held);
    let before = drain(&mut spool, true);
    drop(spool);
    let (mut spool, _) = Spool::open(disk.clone(), OPTIONS).expect("it opened before");
    assert_eq!(drain(&mut spool, true), before, "what was not acknowledged comes again");
    drop(spool);
    let (mut spool, _) = Spool::open(disk.clone(), OPTIONS).expect("it opened before");
    drain(&mut spool, false);
    if spool.append(&[b"new"], 1, 0).is_ok() {
        let new = spool.next().expect("the disk works").expect("it was appended");
        assert_eq!(new.body, b"new");
    }
    drop(spool);
    Spool::open(disk, OPTIONS).expect("it opened before");
});
