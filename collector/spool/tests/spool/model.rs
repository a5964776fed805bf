//! What must come out of a queue, whatever happens to it.

use collector_spool::sim::SimDisk;
use collector_spool::{AppendError, Options, Record, RecordId, Recovery, Spool};
use fastrand::Rng;
use std::collections::BTreeMap;

pub const SMALL: Options = Options {
    max_bytes: 64 << 10,
    max_record_bytes: 3000,
    segment_bytes: 4096,
    max_in_flight: 100_000,
    fsync: false,
};

/// How sure something is that was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sure {
    No,
    /// It was tried, and did not return with success.
    Perhaps,
    /// It has returned.
    Done,
    /// And so has a sync after it.
    Synced,
}

#[derive(Debug, Clone, Copy)]
pub struct Fate {
    pub appended: Sure,
    pub acknowledged: Sure,
}

/// The body of the record with this number: the number, and bytes that follow from it.
pub fn body(number: u64) -> Vec<u8> {
    let mut rng = Rng::with_seed(number);
    let length = match rng.u8(..) {
        0..20 => 0,
        20..200 => rng.usize(..200),
        _ => rng.usize(..2900),
    };
    let mut body = number.to_le_bytes().to_vec();
    body.extend((0..length).map(|_| rng.u8(..)));
    body
}

pub fn items(number: u64) -> u32 {
    number as u32 % 7 + 1
}

/// The number of a record, which must be just as it was appended.
pub fn number(record: &Record) -> u64 {
    let number = u64::from_le_bytes(record.body[..8].try_into().expect("a body begins with its number"));
    assert_eq!(record.body, body(number), "the body of record {number}");
    assert_eq!(record.items, items(number));
    assert_eq!(record.meta, number as u8);
    number
}

/// Appends the record with this number, in two pieces.
pub fn append(spool: &mut Spool<SimDisk>, number: u64) -> Result<RecordId, AppendError> {
    let body = body(number);
    let (first, second) = body.split_at(body.len() / 2);
    spool.append(&[first, second], items(number), number as u8)
}

/// A queue, and what is known of every record that was put into it.
pub struct Model {
    pub disk: SimDisk,
    pub options: Options,
    pub fates: BTreeMap<u64, Fate>,
    pub next: u64,
    pub rng: Rng,
}

impl Model {
    pub fn new(seed: u64, options: Options) -> Self {
        Model {
            disk: SimDisk::new(seed),
            options,
            fates: BTreeMap::new(),
            next: 0,
            rng: Rng::with_seed(seed),
        }
    }

    pub fn open(&self) -> (Spool<SimDisk>, Recovery) {
        Spool::open(self.disk.clone(), self.options).expect("a queue opens after any crash")
    }

    /// Does random things until `operations` are done, whether they succeed or not.
    pub fn operate(&mut self, spool: &mut Spool<SimDisk>, operations: usize) {
        let mut in_flight: Vec<(RecordId, u64)> = Vec::new();
        for _ in 0..operations {
            match self.rng.u8(..100) {
                0..45 => self.append(spool),
                45..65 => self.take(spool, &mut in_flight),
                65..85 => self.acknowledge(spool, &mut in_flight),
                85..90 => self.release(spool, &mut in_flight),
                _ => self.sync(spool),
            }
            assert!(spool.held().bytes <= self.options.max_bytes, "{:?}", spool.held());
        }
    }

    pub fn append(&mut self, spool: &mut Spool<SimDisk>) {
        let number = self.next;
        self.next += 1;
        let appended = match append(spool, number) {
            Ok(_) => Sure::Done,
            Err(AppendError::Full { .. }) => return,
            Err(AppendError::TooLarge { .. }) => panic!("no record is too large"),
            Err(AppendError::NoSpace(_) | AppendError::Disk(_)) => Sure::Perhaps,
        };
        let acknowledged = Sure::No;
        self.fates.insert(number, Fate { appended, acknowledged });
    }

    fn take(&mut self, spool: &mut Spool<SimDisk>, in_flight: &mut Vec<(RecordId, u64)>) {
        if let Ok(Some(record)) = spool.next() {
            let number = number(&record);
            let fate = self.fates[&number];
            assert_ne!(fate.acknowledged, Sure::Done, "record {number} was acknowledged");
            in_flight.push((record.id, number));
        }
    }

    fn acknowledge(&mut self, spool: &mut Spool<SimDisk>, in_flight: &mut Vec<(RecordId, u64)>) {
        if in_flight.is_empty() {
            return;
        }
        let (id, number) = in_flight.swap_remove(self.rng.usize(..in_flight.len()));
        let done = spool.acknowledge(id).is_ok();
        let fate = self.fates.get_mut(&number).expect("it was appended");
        fate.acknowledged = if done { Sure::Done } else { Sure::Perhaps };
    }

    fn release(&mut self, spool: &mut Spool<SimDisk>, in_flight: &mut Vec<(RecordId, u64)>) {
        if let Some((id, _)) = in_flight.pop() {
            assert!(spool.release(id), "it was in flight");
        }
    }

    pub fn sync(&mut self, spool: &mut Spool<SimDisk>) {
        let synced = spool.sync().is_ok() && self.options.fsync;
        for fate in self.fates.values_mut() {
            for sure in [&mut fate.appended, &mut fate.acknowledged] {
                *sure = match *sure {
                    Sure::Done if synced => Sure::Synced,
                    // What a failed sync has left open stays open.
                    Sure::Done if self.options.fsync => Sure::Perhaps,
                    sure => sure,
                };
            }
        }
    }

    /// Opens the queue after a crash and takes out everything. What was at least `sure`ly appended and certainly not
    /// acknowledged must come, what was at least `sure`ly acknowledged must not; all in order and once.
    pub fn check(&mut self, sure: Sure) -> (Spool<SimDisk>, Recovery) {
        let (mut spool, recovery) = self.open();
        let held = spool.held();
        assert_eq!(held, recovery.held);
        assert_eq!(held.bytes, self.disk.used(), "bytes on disk");
        assert!(held.bytes <= self.options.max_bytes, "{held:?}");
        let come = drain(&mut spool);
        assert!(come.is_sorted_by(|one, next| one < next), "in order and once: {come:?}");
        assert_eq!(
            held.records,
            come.len() as u64,
            "what is said to be held comes: {come:?}"
        );
        assert_eq!(
            held.items,
            come.iter().map(|&number| u64::from(items(number))).sum::<u64>()
        );
        for (number, fate) in &self.fates {
            let comes = come.binary_search(number).is_ok();
            let must = fate.appended >= sure && fate.acknowledged == Sure::No;
            let must_not = fate.acknowledged >= sure || fate.appended == Sure::No;
            assert!(comes || !must, "record {number} is lost: {fate:?}, {recovery:?}");
            assert!(
                !comes || !must_not,
                "record {number} comes again: {fate:?}, {recovery:?}"
            );
        }
        self.settle(&come, sure);
        (spool, recovery)
    }

    /// What came is in the queue for certain from now on, and nothing else is.
    fn settle(&mut self, come: &[u64], sure: Sure) {
        let fate = Fate {
            appended: sure,
            acknowledged: Sure::No,
        };
        self.fates = come.iter().map(|&number| (number, fate)).collect();
    }
}

/// The numbers of everything that comes, acknowledging nothing.
pub fn drain(spool: &mut Spool<SimDisk>) -> Vec<u64> {
    let mut come = Vec::new();
    while let Some(record) = spool.next().expect("the disk works") {
        come.push(number(&record));
    }
    come
}
