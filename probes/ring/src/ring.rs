use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// Set by the kernel while a producer still writes the record.
const BUSY: u32 = 1 << 31;
/// Set by the kernel on a record that was discarded.
const DISCARD: u32 = 1 << 30;
const RECORD_HEADER: usize = 8;

/// Why a ring could not be mapped.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// The size is not one a ring can have.
    #[error("ring size {0} is not a power of two of at least a page")]
    BadSize(usize),
    /// The descriptor is not a ring of that size, or memory ran out.
    #[error("cannot map the ring's {part}: {source}")]
    Map {
        /// Which of its mappings.
        part: &'static str,
        /// The system's reason.
        source: rustix::io::Errno,
    },
}

/// A mapped `BPF_MAP_TYPE_RINGBUF`.
#[derive(Debug)]
pub struct Ring {
    fd: OwnedFd,
    consumer: Arc<Mapping>,
    producer: Mapping,
    /// Where the next record to read begins; what lies before it and behind the ring's own position is kept.
    next: usize,
    size: usize,
    page: usize,
}

impl Ring {
    /// Maps the ring behind `fd`, whose data area has `size` bytes.
    pub fn map(fd: OwnedFd, size: usize) -> Result<Self, RingError> {
        let page = rustix::param::page_size();
        if !size.is_power_of_two() || size < page {
            return Err(RingError::BadSize(size));
        }
        let consumer =
            Mapping::new(&fd, 0, page, ProtFlags::READ | ProtFlags::WRITE).map_err(|source| RingError::Map {
                part: "consumer page",
                source,
            })?;
        // The kernel maps the data area twice in a row, so that a record that wraps is contiguous for the reader.
        let producer = Mapping::new(&fd, page as u64, page + 2 * size, ProtFlags::READ)
            .map_err(|source| RingError::Map { part: "data", source })?;
        Ok(Ring {
            fd,
            next: consumer.counter(0).load(Ordering::Acquire),
            consumer: Arc::new(consumer),
            producer,
            size,
            page,
        })
    }

    /// Bytes of the data area.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Bytes that wait to be read.
    pub fn pending(&self) -> usize {
        let produced = self.producer.counter(0).load(Ordering::Acquire);
        produced.wrapping_sub(self.next)
    }

    /// How many records the next `bytes` hold, which wait to be read.
    pub fn records_in(&self, bytes: usize) -> usize {
        let end = self.next.wrapping_add(bytes.min(self.pending()));
        let (mut position, mut count) = (self.next, 0);
        while end.wrapping_sub(position).cast_signed() > 0 {
            let (_, header) = self.record_at(position);
            count += usize::from(header & DISCARD == 0);
            position = after(position, header);
        }
        count
    }

    /// Bytes that were read and are kept.
    pub fn kept(&self) -> usize {
        self.next.wrapping_sub(self.consumer.counter(0).load(Ordering::Acquire))
    }

    /// All that was read so far, to be released when it need not be kept any longer.
    pub fn hold(&self) -> Hold {
        Hold {
            consumer: self.consumer.clone(),
            end: self.next,
        }
    }

    /// Hands each finished record to `on_record`, at most `limit` of them; returns how many there were.
    ///
    /// A record is released only after `on_record` has returned, and again if it panics it is not released: the next
    /// reader sees it. Takes `&mut self` because a ring has one reader.
    pub fn read(&mut self, limit: usize, mut on_record: impl FnMut(&[u8])) -> usize {
        let consumer = self.consumer.clone();
        self.walk(limit, &mut on_record, |position| {
            consumer.counter(0).store(position, Ordering::Release);
        })
    }

    /// Like [`Ring::read`], but keeps the records in the ring, for the reader that comes after a crash of this one, until
    /// a [`Hold`] of them is released.
    pub fn read_kept(&mut self, limit: usize, mut on_record: impl FnMut(&[u8])) -> usize {
        self.walk(limit, &mut on_record, |_| {})
    }

    fn walk(&mut self, limit: usize, on_record: &mut dyn FnMut(&[u8]), passed: impl Fn(usize)) -> usize {
        let mut count = 0;
        while count < limit && self.next != self.producer.counter(0).load(Ordering::Acquire) {
            let (offset, header) = self.record_at(self.next);
            if header & BUSY != 0 {
                break;
            }
            if header & DISCARD == 0 {
                let length = length(header).min(self.size);
                on_record(self.producer.bytes(offset + RECORD_HEADER, length));
                count += 1;
            }
            self.next = after(self.next, header);
            passed(self.next);
        }
        count
    }

    /// Where the record at this position is mapped, and its header.
    fn record_at(&self, position: usize) -> (usize, u32) {
        let offset = self.page + (position & (self.size - 1));
        (offset, self.producer.header(offset).load(Ordering::Acquire))
    }
}

fn length(header: u32) -> usize {
    (header & !(BUSY | DISCARD)) as usize
}

/// The position behind a record; its length is there from when it is reserved.
fn after(position: usize, header: u32) -> usize {
    position.wrapping_add((length(header) + RECORD_HEADER).next_multiple_of(8))
}

/// Records that were read and are kept in the ring.
#[derive(Debug, Clone)]
pub struct Hold {
    consumer: Arc<Mapping>,
    end: usize,
}

impl Hold {
    /// Lets the kernel write over these records and all before them.
    pub fn release(&self) {
        // Holds may be released in any order, from any thread; the position never goes back.
        self.consumer.counter(0).fetch_max(self.end, Ordering::AcqRel);
    }
}

impl AsFd for Ring {
    /// Readable when records wait (and a producer asked for a wake-up).
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A shared mapping that is unmapped when dropped.
#[derive(Debug)]
pub(crate) struct Mapping {
    base: *mut c_void,
    length: usize,
}

// SAFETY: the mapping is shared memory that stays valid until dropped; all access is through atomics or, for records, by
// the single reader that holds `&mut Ring`.
unsafe impl Send for Mapping {}
// SAFETY: shared references only give out atomics, and bytes that the kernel no longer writes.
unsafe impl Sync for Mapping {}

impl Mapping {
    pub(crate) fn new(fd: &OwnedFd, offset: u64, length: usize, protection: ProtFlags) -> rustix::io::Result<Self> {
        // SAFETY: a fresh mapping at an address that the kernel chooses touches no memory of ours.
        let base = unsafe { mmap(std::ptr::null_mut(), length, protection, MapFlags::SHARED, fd, offset)? };
        Ok(Mapping { base, length })
    }

    /// The naturally aligned counter at `offset`.
    pub(crate) fn counter(&self, offset: usize) -> &AtomicUsize {
        assert!(
            offset.is_multiple_of(8) && offset + 8 <= self.length,
            "counter outside of the mapping"
        );
        // SAFETY: in bounds and aligned by the assertion; the kernel accesses it with single 8-byte loads and stores.
        unsafe { &*self.base.cast::<u8>().add(offset).cast::<AtomicUsize>() }
    }

    fn header(&self, offset: usize) -> &AtomicU32 {
        assert!(
            offset.is_multiple_of(8) && offset + 8 <= self.length,
            "record header outside of the mapping"
        );
        // SAFETY: in bounds and aligned by the assertion; the kernel publishes it with a 4-byte exchange.
        unsafe { &*self.base.cast::<u8>().add(offset).cast::<AtomicU32>() }
    }

    fn bytes(&self, offset: usize, length: usize) -> &[u8] {
        assert!(offset + length <= self.length, "record outside of the mapping");
        // SAFETY: in bounds by the assertion; the record is committed and the kernel does not write it before the
        // consumer position has passed it, which only the holder of `&mut Ring` moves, and a `Hold`, which ends before
        // whatever is being read.
        unsafe { std::slice::from_raw_parts(self.base.cast::<u8>().add(offset), length) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this is the mapping that `new` made, and nothing borrows from it any more. A failure leaves it mapped,
        // which harms nobody.
        let _ = unsafe { munmap(self.base, self.length) };
    }
}
