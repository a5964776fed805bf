//! What the queue asks of a disk.

use std::io;

/// A flat directory that belongs to one queue. Names are plain file names.
pub trait Disk {
    /// A file that is open for reading and writing.
    type File: DiskFile;

    /// The names of all files, in any order.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes an empty file; an error if there is one with this name.
    fn create(&self, name: &str) -> io::Result<Self::File>;

    /// Opens a file that is there.
    fn open(&self, name: &str) -> io::Result<Self::File>;

    /// Gives a file another name; an error if that is taken.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file. Those who have it open keep it.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Returns when files that were made, renamed or removed stay so whatever happens.
    fn sync_directory(&self) -> io::Result<()>;

    /// A number that nobody outside can guess.
    fn random(&self) -> u64;
}

/// A file of a [`Disk`].
pub trait DiskFile {
    /// Its length in bytes.
    fn length(&self) -> io::Result<u64>;

    /// Fills `buffer` from `offset` on, and returns how much; less than asked only at the file's end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes the pieces one after the other, in one call if it can be. After an error any part of them may be there.
    fn write_at(&self, pieces: &[&[u8]], offset: u64) -> io::Result<()>;

    /// Cuts it off, or fills it up with zeros.
    fn truncate(&self, length: u64) -> io::Result<()>;

    /// Returns when what was written stays whatever happens. After an error nothing is known of what was written since
    /// the last success, and another call that succeeds says nothing of it either.
    fn sync(&self) -> io::Result<()>;
}
