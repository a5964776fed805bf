//! The layout of the files, in numbers of bytes; integers are little-endian.
//!
//! A segment is named `SEQUENCE.segment`, the sequence in 16 hexadecimal digits, and quarantined
//! `SEQUENCE.segment.quarantined-WHY`. It begins with [`SEGMENT_HEADER`] bytes that hold its header twice, at 0 and at 512,
//! because without its salt nothing in the segment can be told from chance, and a torn or bad sector takes only one:
//!
//! | at | bytes | |
//! |---|---|---|
//! | 0 | 8 | magic, `odgspool` |
//! | 8 | 4 | version |
//! | 12 | 4 | CRC-32 of bytes 0..12: these 16 bytes stay the same in every version |
//! | 16 | 8 | sequence |
//! | 24 | 8 | salt, random |
//! | 32 | 8 | length of the segment before this one when that was ended; 0 if there was none or it is not known |
//! | 40 | 8 | the number of records in that |
//! | 48 | 8 | the number of items in those |
//! | 56 | 4 | CRC-32 of bytes 0..56 |
//!
//! What lies behind the length that the successor's header states was never accepted: a write that failed half way.
//!
//! Records follow, each at a multiple of 8, padded with zeros:
//!
//! | at | bytes | |
//! |---|---|---|
//! | 0 | 8 | the segment's salt: a mark to find the next record by, which no payload can know |
//! | 8 | 4 | length of the body |
//! | 12 | 4 | items |
//! | 16 | 4 | number of records in the segment before this one |
//! | 20 | 8 | number of items in those; with the former it tells how much a damaged stretch held |
//! | 28 | 1 | the caller's byte |
//! | 29 | 3 | zero |
//! | 32 | 4 | CRC-32 of the body |
//! | 36 | 4 | CRC-32 of the record's offset in the file (8 bytes) and bytes 0..36 |
//! | 40 | 4 | acknowledged: 0 if not, else [`stamp`], written in place |
//! | 44 | 4 | zero |
//! | 48 | | the body |
//!
//! Acknowledging overwrites bytes that are there, so it takes no room and works on a full disk.

use crc32fast::Hasher;

/// The version that is written, and the newest that is read.
pub const VERSION: u32 = 1;
/// No record is longer, whatever the options say: what claims to be is damage.
pub const MAX_RECORD_BYTES: u32 = 64 << 20;

pub(crate) const SEGMENT_HEADER: u64 = 1024;
pub(crate) const RECORD_HEADER: usize = 48;
/// Of the acknowledgement in a record.
pub(crate) const STAMP_AT: u64 = 40;
/// Records begin at multiples of this.
pub(crate) const ALIGNMENT: u64 = 8;

const MAGIC: [u8; 8] = *b"odgspool";
const COPY: usize = 512;
const SUFFIX: &str = ".segment";
const QUARANTINED: &str = ".quarantined-";

/// What a segment's first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub sequence: u64,
    pub salt: u64,
    pub previous: Totals,
}

/// How much a segment held when it was ended. A length of 0 says that it is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Totals {
    pub length: u64,
    pub records: u64,
    pub items: u64,
}

/// What precedes a record's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordHeader {
    pub length: u32,
    pub items: u32,
    pub records_before: u32,
    pub items_before: u64,
    pub meta: u8,
    pub body_crc: u32,
    pub acknowledged: bool,
}

/// Why the first bytes of a segment are of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unusable {
    Damaged,
    /// A later version wrote it.
    Version(u32),
}

impl SegmentHeader {
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; SEGMENT_HEADER as usize];
        let mut one = [0; 60];
        one[..8].copy_from_slice(&MAGIC);
        one[8..12].copy_from_slice(&VERSION.to_le_bytes());
        let preamble = crc32fast::hash(&one[..12]);
        one[12..16].copy_from_slice(&preamble.to_le_bytes());
        let fields = [
            self.sequence,
            self.salt,
            self.previous.length,
            self.previous.records,
            self.previous.items,
        ];
        for (at, field) in (16..).step_by(8).zip(fields) {
            one[at..at + 8].copy_from_slice(&field.to_le_bytes());
        }
        let all = crc32fast::hash(&one[..56]);
        one[56..].copy_from_slice(&all.to_le_bytes());
        bytes[..one.len()].copy_from_slice(&one);
        bytes[COPY..COPY + one.len()].copy_from_slice(&one);
        bytes
    }

    /// From the first [`SEGMENT_HEADER`] bytes of a file, or fewer if it is shorter: the first copy that is whole.
    pub fn decode(bytes: &[u8]) -> Result<Self, Unusable> {
        let first = SegmentHeader::decode_copy(bytes);
        match first {
            Err(Unusable::Damaged) => SegmentHeader::decode_copy(bytes.get(COPY..).unwrap_or_default()),
            _ => first,
        }
    }

    fn decode_copy(bytes: &[u8]) -> Result<Self, Unusable> {
        let Some(bytes) = bytes.get(..60) else {
            return Err(Unusable::Damaged);
        };
        if bytes[..8] != MAGIC || crc32fast::hash(&bytes[..12]) != u32_at(bytes, 12) {
            return Err(Unusable::Damaged);
        }
        let version = u32_at(bytes, 8);
        if version != VERSION {
            return Err(Unusable::Version(version));
        }
        if crc32fast::hash(&bytes[..56]) != u32_at(bytes, 56) {
            return Err(Unusable::Damaged);
        }
        Ok(SegmentHeader {
            sequence: u64_at(bytes, 16),
            salt: u64_at(bytes, 24),
            previous: Totals {
                length: u64_at(bytes, 32),
                records: u64_at(bytes, 40),
                items: u64_at(bytes, 48),
            },
        })
    }
}

impl RecordHeader {
    /// Not acknowledged, whatever the field says.
    pub fn encode(&self, salt: u64, offset: u64) -> [u8; RECORD_HEADER] {
        let mut bytes = [0; RECORD_HEADER];
        bytes[..8].copy_from_slice(&salt.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.length.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.items.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.records_before.to_le_bytes());
        bytes[20..28].copy_from_slice(&self.items_before.to_le_bytes());
        bytes[28] = self.meta;
        bytes[32..36].copy_from_slice(&self.body_crc.to_le_bytes());
        let crc = header_crc(&bytes, offset);
        bytes[36..40].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Of the record at `offset` in the segment with this salt, if there is one.
    pub fn decode(bytes: &[u8], salt: u64, offset: u64) -> Option<Self> {
        let bytes = bytes.get(..RECORD_HEADER)?;
        if u64_at(bytes, 0) != salt || header_crc(bytes, offset) != u32_at(bytes, 36) {
            return None;
        }
        let length = u32_at(bytes, 8);
        (length <= MAX_RECORD_BYTES).then(|| RecordHeader {
            length,
            items: u32_at(bytes, 12),
            records_before: u32_at(bytes, 16),
            items_before: u64_at(bytes, 20),
            meta: bytes[28],
            body_crc: u32_at(bytes, 32),
            acknowledged: u32_at(bytes, 40) == stamp(salt, offset),
        })
    }

    /// From this record's offset to the next one's.
    pub fn frame(&self) -> u64 {
        frame(u64::from(self.length))
    }
}

/// What a record with a body of `length` takes in a segment.
pub(crate) fn frame(length: u64) -> u64 {
    (RECORD_HEADER as u64 + length).next_multiple_of(ALIGNMENT)
}

/// What marks the record at `offset` as acknowledged. Never 0, and not to be had by chance or by copying another's.
pub(crate) fn stamp(salt: u64, offset: u64) -> u32 {
    let mut crc = Hasher::new();
    crc.update(b"acknowledged");
    crc.update(&salt.to_le_bytes());
    crc.update(&offset.to_le_bytes());
    crc.finalize().max(1)
}

/// The offset is part of it, so that a record which a file system put elsewhere is not taken for the one that was there.
fn header_crc(bytes: &[u8], offset: u64) -> u32 {
    let mut crc = Hasher::new();
    crc.update(&offset.to_le_bytes());
    crc.update(&bytes[..36]);
    crc.finalize()
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut field = [0; 4];
    field.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(field)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut field = [0; 8];
    field.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(field)
}

/// What a file's name says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SegmentName {
    pub sequence: u64,
    pub quarantined: bool,
}

impl SegmentName {
    /// `None` for files that are not the queue's.
    pub fn parse(name: &str) -> Option<Self> {
        let digits = name.get(..16)?;
        let lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if !digits.bytes().all(lower_hex) {
            return None;
        }
        let rest = name[16..].strip_prefix(SUFFIX)?;
        if !rest.is_empty() && !rest.starts_with(QUARANTINED) {
            return None;
        }
        Some(SegmentName {
            sequence: u64::from_str_radix(digits, 16).ok()?,
            quarantined: !rest.is_empty(),
        })
    }
}

pub(crate) fn segment_name(sequence: u64) -> String {
    format!("{sequence:016x}{SUFFIX}")
}

pub(crate) fn quarantined_name(name: &str, why: &str) -> String {
    format!("{name}{QUARANTINED}{why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: SegmentHeader = SegmentHeader {
        sequence: 7,
        salt: 0x1234_5678_9abc_def0,
        previous: Totals {
            length: 4096,
            records: 3,
            items: 300,
        },
    };

    #[test]
    fn a_segments_header_survives_any_single_flipped_bit() {
        let good = HEADER.encode();
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SegmentHeader::decode(&bad), Ok(HEADER), "bit {bit}");
        }
    }

    #[test]
    fn a_segments_header_survives_the_loss_of_its_first_sector_but_not_of_both() {
        let mut bytes = HEADER.encode();
        bytes[..COPY].fill(0);
        assert_eq!(SegmentHeader::decode(&bytes), Ok(HEADER));
        bytes.truncate(COPY);
        assert_eq!(SegmentHeader::decode(&bytes), Err(Unusable::Damaged));
    }

    #[test]
    fn a_later_version_is_told_from_damage() {
        let mut bytes = HEADER.encode();
        bytes[8] = 2;
        let crc = crc32fast::hash(&bytes[..12]);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(SegmentHeader::decode(&bytes), Err(Unusable::Version(2)));
    }

    #[test]
    fn a_records_header_belongs_to_one_place_in_one_segment() {
        let header = RecordHeader {
            length: 5,
            items: 2,
            records_before: 1,
            items_before: 9,
            meta: 3,
            body_crc: 17,
            acknowledged: false,
        };
        let bytes = header.encode(HEADER.salt, 1024);
        assert_eq!(RecordHeader::decode(&bytes, HEADER.salt, 1024), Some(header));
        assert_eq!(RecordHeader::decode(&bytes, HEADER.salt, 1032), None);
        assert_eq!(RecordHeader::decode(&bytes, HEADER.salt + 1, 1024), None);
        assert_eq!(header.frame(), 56);
    }

    #[test]
    fn names_are_read_strictly() {
        let parse = |name: &str| SegmentName::parse(name).map(|name| (name.sequence, name.quarantined));
        assert_eq!(parse(&segment_name(0x1f)), Some((0x1f, false)));
        assert_eq!(parse(&quarantined_name(&segment_name(2), "checksum")), Some((2, true)));
        for name in [
            "lock",
            "1.segment",
            "00000000000000FF.segment",
            "+00000000000000f.segment",
            "0000000000000001.segment~",
            "ééééééééé.segment",
        ] {
            assert_eq!(parse(name), None, "{name}");
        }
    }
}
