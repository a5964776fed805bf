//! A disk in memory that fails when it is told to, the same way for the same seed.
//!
//! What is written is seen at once, as through a page cache, and is durable when it was synced. [`SimDisk::cut_power`]
//! then keeps or loses each unsynced sector, each unsynced change of a length and each unsynced change of the directory by
//! chance, in no order: more than a real disk does, so that nothing relies on its manners. [`SimDisk::crash_after`] stops
//! everything in the middle of an operation.

use crate::{Disk, DiskFile};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a power failure keeps or loses as a whole.
pub const SECTOR: usize = 512;

/// What can be made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    /// [`Disk::list`].
    List,
    /// [`Disk::create`].
    Create,
    /// [`Disk::open`].
    Open,
    /// [`Disk::rename`].
    Rename,
    /// [`Disk::remove`].
    Remove,
    /// [`Disk::sync_directory`].
    SyncDirectory,
    /// [`DiskFile::length`].
    Length,
    /// [`DiskFile::read_at`].
    Read,
    /// [`DiskFile::write_at`].
    Write,
    /// [`DiskFile::truncate`].
    Truncate,
    /// [`DiskFile::sync`].
    Sync,
}

/// A disk; its clones are the same disk.
#[derive(Debug, Clone)]
pub struct SimDisk(Arc<Mutex<State>>);

/// A file on it.
#[derive(Debug, Clone)]
pub struct SimFile {
    disk: SimDisk,
    file: usize,
}

#[derive(Debug)]
struct State {
    random: Random,
    files: Vec<Contents>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    /// Changes of the names since these were synced.
    changes: Vec<Change>,
    capacity: u64,
    calls: u64,
    crash_at: u64,
    fail_at: u64,
    failing: BTreeSet<u8>,
}

#[derive(Debug, Default)]
struct Contents {
    bytes: Vec<u8>,
    durable: Vec<u8>,
    /// Sectors written since the last sync.
    dirty: BTreeSet<usize>,
    length_dirty: bool,
}

#[derive(Debug)]
enum Change {
    Add(String, usize),
    Remove(String),
    Rename(String, String),
}

/// SplitMix64.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    fn coin(&mut self) -> bool {
        self.next() & 1 == 0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

/// What the fault of a call is.
enum Fault {
    Io,
    Crash,
}

impl Fault {
    fn error(&self) -> io::Error {
        match self {
            Fault::Io => io::Error::from(rustix::io::Errno::IO),
            Fault::Crash => io::Error::other("the simulated machine has stopped"),
        }
    }
}

impl SimDisk {
    /// An empty disk without faults and without a limit.
    pub fn new(seed: u64) -> Self {
        SimDisk(Arc::new(Mutex::new(State {
            random: Random(seed),
            files: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            changes: Vec::new(),
            capacity: u64::MAX,
            calls: 0,
            crash_at: u64::MAX,
            fail_at: u64::MAX,
            failing: BTreeSet::new(),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many calls were made.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// The call after `calls` more is done only in part, and that and all after it fail, until [`SimDisk::restart`].
    pub fn crash_after(&self, calls: u64) {
        let mut state = self.state();
        state.crash_at = state.calls.saturating_add(calls);
    }

    /// The call after `calls` more fails with EIO; a write is done in part.
    pub fn fail_once_after(&self, calls: u64) {
        let mut state = self.state();
        state.fail_at = state.calls.saturating_add(calls);
    }

    /// All calls of a kind fail with EIO, or no longer.
    pub fn set_failing(&self, call: Call, failing: bool) {
        let mut state = self.state();
        if failing {
            state.failing.insert(call as u8);
        } else {
            state.failing.remove(&(call as u8));
        }
    }

    /// The most bytes in all files; a write beyond is done in part and fails with ENOSPC. Making a file takes none.
    pub fn set_capacity(&self, bytes: u64) {
        self.state().capacity = bytes;
    }

    /// Bytes in all files that have a name.
    pub fn used(&self) -> u64 {
        self.state().used()
    }

    /// Ends what `crash_after`, `fail_once_after` and `set_failing` began. As after a killed process, all that was written
    /// is there.
    pub fn restart(&self) {
        let mut state = self.state();
        state.crash_at = u64::MAX;
        state.fail_at = u64::MAX;
        state.failing.clear();
    }

    /// Loses by chance what was not synced, and restarts.
    pub fn cut_power(&self) {
        self.restart();
        let state = &mut *self.state();
        for change in std::mem::take(&mut state.changes) {
            if state.random.coin() {
                change.apply(&mut state.durable_names);
            }
        }
        state.names = state.durable_names.clone();
        for file in &mut state.files {
            file.cut_power(&mut state.random);
        }
    }

    /// The bytes of a file.
    pub fn read(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.state();
        let file = *state.names.get(name)?;
        Some(state.files[file].bytes.clone())
    }

    /// Puts a file there, durably, in place of one that has this name.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        let mut state = self.state();
        let file = state.files.len();
        state.files.push(Contents {
            bytes: bytes.to_vec(),
            durable: bytes.to_vec(),
            ..Contents::default()
        });
        state.names.insert(name.to_owned(), file);
        state.durable_names.insert(name.to_owned(), file);
    }

    /// Turns a bit of a file round, durably. Says whether there is such a bit.
    pub fn flip(&self, name: &str, byte: usize, bit: u8) -> bool {
        let mut state = self.state();
        let Some(&file) = state.names.get(name) else {
            return false;
        };
        let file = &mut state.files[file];
        let mask = 1 << (bit % 8);
        if let Some(byte) = file.durable.get_mut(byte) {
            *byte ^= mask;
        }
        file.bytes.get_mut(byte).map(|byte| *byte ^= mask).is_some()
    }
}

impl State {
    fn used(&self) -> u64 {
        self.names
            .values()
            .map(|&file| self.files[file].bytes.len() as u64)
            .sum()
    }

    /// Counts a call, and says whether it fails.
    fn call(&mut self, call: Call) -> Option<Fault> {
        let index = self.calls;
        self.calls += 1;
        if index >= self.crash_at {
            // Only the first is done in part.
            let first = index == self.crash_at;
            self.crash_at = self.crash_at.min(index);
            return Some(if first { Fault::Crash } else { Fault::Io });
        }
        let fails = index == self.fail_at || self.failing.contains(&(call as u8));
        fails.then_some(Fault::Io)
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.names);
        self.changes.push(change);
    }
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Change::Add(name, file) => {
                names.insert(name.clone(), *file);
            }
            Change::Remove(name) => {
                names.remove(name);
            }
            Change::Rename(from, to) => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.clone(), file);
                }
            }
        }
    }
}

impl Contents {
    fn write(&mut self, bytes: &[u8], offset: usize) {
        let end = offset + bytes.len();
        if end > self.bytes.len() {
            self.bytes.resize(end, 0);
            self.length_dirty = true;
        }
        self.bytes[offset..end].copy_from_slice(bytes);
        if !bytes.is_empty() {
            self.dirty.extend(offset / SECTOR..=(end - 1) / SECTOR);
        }
    }

    fn truncate(&mut self, length: usize) {
        self.bytes.resize(length, 0);
        self.length_dirty = true;
        self.dirty.insert(length / SECTOR);
    }

    fn sync(&mut self) {
        self.durable.resize(self.bytes.len(), 0);
        for sector in std::mem::take(&mut self.dirty) {
            self.persist(sector);
        }
        self.length_dirty = false;
    }

    fn persist(&mut self, sector: usize) {
        let start = sector * SECTOR;
        let end = (start + SECTOR).min(self.bytes.len()).min(self.durable.len());
        if start < end {
            self.durable[start..end].copy_from_slice(&self.bytes[start..end]);
        }
    }

    /// The pages count as clean from now on, whether or not they have reached the disk.
    fn fail_sync(&mut self, random: &mut Random) {
        for sector in std::mem::take(&mut self.dirty) {
            if random.coin() {
                self.persist(sector);
            }
        }
        self.length_dirty = false;
    }

    fn cut_power(&mut self, random: &mut Random) {
        if self.length_dirty {
            let (new, old) = (self.bytes.len(), self.durable.len());
            let between = old + random.below(new.saturating_sub(old) + 1);
            let length = [new, old, between][random.below(3)];
            self.durable.resize(length, 0);
        }
        for sector in std::mem::take(&mut self.dirty) {
            if random.coin() {
                self.persist(sector);
            }
        }
        self.length_dirty = false;
        self.bytes = self.durable.clone();
    }
}

impl Disk for SimDisk {
    type File = SimFile;

    fn list(&self) -> io::Result<Vec<String>> {
        let mut state = self.state();
        match state.call(Call::List) {
            Some(fault) => Err(fault.error()),
            None => Ok(state.names.keys().cloned().collect()),
        }
    }

    fn create(&self, name: &str) -> io::Result<SimFile> {
        let mut state = self.state();
        if let Some(fault) = state.call(Call::Create) {
            return Err(fault.error());
        }
        if state.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = state.files.len();
        state.files.push(Contents::default());
        state.change(Change::Add(name.to_owned(), file));
        Ok(self.file(file))
    }

    fn open(&self, name: &str) -> io::Result<SimFile> {
        let mut state = self.state();
        if let Some(fault) = state.call(Call::Open) {
            return Err(fault.error());
        }
        let file = state.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(self.file(*file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        if let Some(fault) = state.call(Call::Rename) {
            return Err(fault.error());
        }
        if state.names.contains_key(to) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if !state.names.contains_key(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.change(Change::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        if let Some(fault) = state.call(Call::Remove) {
            return Err(fault.error());
        }
        if !state.names.contains_key(name) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.change(Change::Remove(name.to_owned()));
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        let mut state = self.state();
        if let Some(fault) = state.call(Call::SyncDirectory) {
            return Err(fault.error());
        }
        state.durable_names = state.names.clone();
        state.changes.clear();
        Ok(())
    }

    fn random(&self) -> u64 {
        self.state().random.next()
    }
}

impl SimDisk {
    fn file(&self, file: usize) -> SimFile {
        SimFile {
            disk: self.clone(),
            file,
        }
    }
}

impl DiskFile for SimFile {
    fn length(&self) -> io::Result<u64> {
        let mut state = self.disk.state();
        match state.call(Call::Length) {
            Some(fault) => Err(fault.error()),
            None => Ok(state.files[self.file].bytes.len() as u64),
        }
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.state();
        if let Some(fault) = state.call(Call::Read) {
            return Err(fault.error());
        }
        let bytes = &state.files[self.file].bytes;
        let rest = bytes.get(offset as usize..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn write_at(&self, pieces: &[&[u8]], offset: u64) -> io::Result<()> {
        let state = &mut *self.disk.state();
        let all = pieces.concat();
        let fault = state.call(Call::Write);
        let crashed_before = state.calls > state.crash_at.saturating_add(1);
        let length = state.files[self.file].bytes.len() as u64;
        let grows = (offset + all.len() as u64).saturating_sub(length);
        let excess = (state.used() + grows).saturating_sub(state.capacity).min(grows);
        let error = match fault {
            Some(fault) => Some(fault.error()),
            None if excess > 0 => Some(io::Error::from(rustix::io::Errno::NOSPC)),
            None => None,
        };
        let some = match &error {
            Some(_) if crashed_before => 0,
            Some(_) => state.random.below(all.len() + 1 - excess as usize),
            None => all.len(),
        };
        state.files[self.file].write(&all[..some], offset as usize);
        error.map_or(Ok(()), Err)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        if let Some(fault) = state.call(Call::Truncate) {
            return Err(fault.error());
        }
        state.files[self.file].truncate(length as usize);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let state = &mut *self.disk.state();
        match state.call(Call::Sync) {
            // Some of it is on the disk by chance, and is not lost when the power is cut.
            Some(Fault::Crash) => Err(Fault::Crash.error()),
            Some(Fault::Io) => {
                if state.calls <= state.crash_at {
                    state.files[self.file].fail_sync(&mut state.random);
                }
                Err(Fault::Io.error())
            }
            None => {
                state.files[self.file].sync();
                Ok(())
            }
        }
    }
}
