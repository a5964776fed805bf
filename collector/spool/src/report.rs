//! What is told of a queue: what it holds, what it found, what it lost.

/// What a queue holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// Records that are not acknowledged, also those in flight.
    pub records: u64,
    /// The items of those.
    pub items: u64,
    /// Bytes on disk: the lengths of all files but the lock's.
    pub bytes: u64,
    /// How many of those bytes are quarantined files that nothing is read from any more. They make way when an append
    /// needs their room.
    pub evidence_bytes: u64,
}

/// What happened since the queue was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Appends refused because of the bound on bytes.
    pub refused_full: u64,
    /// Appends refused because the disk was full.
    pub refused_no_space: u64,
    /// Appends refused because the disk failed.
    pub refused_disk: u64,
    /// Segments quarantined, also those of [`Recovery`].
    pub quarantined: u64,
    /// Records that turned out to be unreadable after opening.
    pub lost_records: u64,
    /// The items of those.
    pub lost_items: u64,
    /// Syncs that failed.
    pub sync_failures: u64,
    /// Files that could not be removed when they were done with. It is tried again.
    pub remove_failures: u64,
}

/// What opening found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovery {
    /// What is there to be delivered, at opening.
    pub held: Held,
    /// Segments with something to deliver.
    pub segments: usize,
    /// Segments found damaged now.
    pub quarantined: Vec<Quarantined>,
    /// Files that an earlier opening had quarantined already. Their losses were reported then.
    pub quarantined_before: usize,
    /// The end of the last segment that was cut off.
    pub torn: Option<Torn>,
}

/// A segment that is damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// The file's name from now on, or the one it had if the disk would not rename it.
    pub name: String,
    /// What is wrong with the first damaged place.
    pub why: Why,
    /// The offset of that place.
    pub offset: u64,
    /// How many bytes cannot be read, or are missing.
    pub bytes: u64,
    /// Readable records before the first damaged place.
    pub records_before: u64,
    /// Readable records after it.
    pub records_after: u64,
    /// What the damage took.
    pub lost: Lost,
}

/// Records that cannot be read. Those in a stretch without framing may have been acknowledged before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lost {
    /// How many; at least so many if this is not `exact`.
    pub records: u64,
    /// Their items.
    pub items: u64,
    /// Whether the neighbours of every damaged place tell what it held. They do not at the end of the last segment, and
    /// where a segment's own header is gone.
    pub exact: bool,
}

/// What a crash left half written: it was never synced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    /// The file.
    pub name: String,
    /// Where it was cut.
    pub offset: u64,
    /// How much was cut off.
    pub bytes: u64,
}

/// What is wrong with a segment; the end of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// Its own header is damaged, both copies, so that nothing in it can be read.
    Header,
    /// The header of a record.
    Frame,
    /// The body of a record.
    Checksum,
    /// It is shorter than it was.
    Short,
    /// The disk will not read it.
    Unreadable,
}

impl Why {
    /// As it stands in the file's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Why::Header => "header",
            Why::Frame => "frame",
            Why::Checksum => "checksum",
            Why::Short => "short",
            Why::Unreadable => "unreadable",
        }
    }
}
