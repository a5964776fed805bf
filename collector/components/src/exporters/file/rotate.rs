//! A file that is put aside under another name when it is full.

use crate::exporters::calendar::Moment;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// When a file is full, and how many of those are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rotation {
    pub(super) max_bytes: u64,
    /// How old a file may become after its rotation; 0 is any age.
    pub(super) max_days: u64,
    /// How many are kept; 0 is any number.
    pub(super) max_backups: usize,
}

/// The file, opened.
#[derive(Debug)]
pub(super) struct RotatingFile {
    path: PathBuf,
    rotation: Option<Rotation>,
    file: File,
    /// Of a regular file; a pipe or a device has none.
    length: Option<u64>,
    /// The last write ended within a line.
    torn: bool,
}

/// Why the file could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the file {path}")]
pub(super) struct OpenError {
    path: String,
    source: io::Error,
}

impl RotatingFile {
    /// With a rotation, what the file holds is kept.
    pub(super) fn open(
        path: &Path,
        append: bool,
        rotation: Option<Rotation>,
        create_directory: Option<u32>,
    ) -> Result<Self, OpenError> {
        let failed = |source| OpenError {
            path: path.display().to_string(),
            source,
        };
        if let (Some(mode), Some(parent)) = (create_directory, path.parent()) {
            let made = DirBuilder::new().recursive(true).mode(mode).create(parent);
            made.map_err(failed)?;
        }
        let file = open(path).map_err(failed)?;
        let found = file.metadata().map_err(failed)?;
        let mut length = found.is_file().then_some(found.len());
        if !append && rotation.is_none() && length.is_some() {
            file.set_len(0).map_err(failed)?;
            length = Some(0);
        }
        Ok(RotatingFile {
            path: path.to_owned(),
            rotation: rotation.filter(|_| length.is_some()),
            file,
            length,
            torn: false,
        })
    }

    /// Writes a record as a whole, or nothing of it where the file can be cut.
    pub(super) fn write(&mut self, record: &[u8], is_line: bool) -> io::Result<()> {
        self.rotate_before(record.len() as u64);
        if self.torn && is_line {
            self.file.write_all(b"\n")?;
        }
        self.torn = false;
        let written = self.file.write_all(record);
        match (&written, self.length) {
            (Ok(()), Some(length)) => self.length = Some(length + record.len() as u64),
            (Ok(()), None) => {}
            (Err(_), Some(length)) => self.torn = self.file.set_len(length).is_err(),
            (Err(_), None) => self.torn = true,
        }
        written
    }

    /// Puts the file aside if it would become too long. If that fails it grows on, and the next write tries again.
    fn rotate_before(&mut self, more: u64) {
        let (Some(rotation), Some(length)) = (self.rotation, self.length) else {
            return;
        };
        if length == 0 || length + more <= rotation.max_bytes {
            return;
        }
        match self.rotate() {
            Ok(()) => self.remove_old(rotation, now()),
            Err(error) => {
                let path = self.path.display();
                tracing::warn!(%path, %error, "the file cannot be rotated; it grows on");
            }
        }
    }

    fn rotate(&mut self) -> io::Result<()> {
        // After a rotation that failed half way, or if somebody else has moved it, there is nothing to be put aside.
        if self.path.exists() {
            std::fs::rename(&self.path, self.free_name(now()))?;
        }
        self.file = open(&self.path)?;
        self.length = Some(self.file.metadata()?.len());
        Ok(())
    }

    /// A name that no file has: the moment's, or the next one's.
    fn free_name(&self, mut now: SystemTime) -> PathBuf {
        loop {
            let (before, after) = self.affixes();
            let path = self.path.with_file_name(format!("{before}{}{after}", stamp(now)));
            if !path.exists() {
                return path;
            }
            now += Duration::from_millis(1);
        }
    }

    /// What stands before and behind the moment in the names of rotated files.
    fn affixes(&self) -> (String, String) {
        let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
        let extension = self
            .path
            .extension()
            .map(|_| format!(".{}", text(self.path.extension())));
        (
            format!("{}-", text(self.path.file_stem())),
            extension.unwrap_or_default(),
        )
    }

    /// Removes the rotated files that are too many or too old.
    fn remove_old(&self, rotation: Rotation, now: SystemTime) {
        let oldest = match rotation.max_days {
            0 => None,
            days => now.checked_sub(Duration::from_secs(days * 86_400)).map(stamp),
        };
        let most = match rotation.max_backups {
            0 => usize::MAX,
            most => most,
        };
        for (index, (moment, path)) in self.rotated().into_iter().enumerate() {
            let is_old = oldest.as_ref().is_some_and(|oldest| moment < *oldest);
            if index < most && !is_old {
                continue;
            }
            if let Err(error) = std::fs::remove_file(&path) {
                tracing::warn!(path = %path.display(), %error, "an old file cannot be removed");
            }
        }
    }

    /// The rotated files with their moments, the youngest first.
    fn rotated(&self) -> Vec<(String, PathBuf)> {
        let (before, after) = self.affixes();
        let directory = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let entries = std::fs::read_dir(directory.unwrap_or(Path::new(".")))
            .into_iter()
            .flatten();
        let mut found: Vec<(String, PathBuf)> = entries
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let name = entry.file_name().into_string().ok()?;
                let moment = name.strip_prefix(&before)?.strip_suffix(&after)?;
                is_stamp(moment).then(|| (moment.to_owned(), entry.path()))
            })
            .collect();
        found.sort_by(|a, b| b.cmp(a));
        found
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// As lumberjack writes it, which upstream rotates with: sorted by name is sorted by time.
#[expect(
    clippy::disallowed_methods,
    reason = "files are named by the time of day, and are old by it"
)]
fn now() -> SystemTime {
    SystemTime::now()
}

fn stamp(time: SystemTime) -> String {
    let moment = Moment::of(time);
    format!(
        "{:04}-{:02}-{:02}T{:02}-{:02}-{:02}.{:03}",
        moment.year,
        moment.month,
        moment.day,
        moment.hour,
        moment.minute,
        moment.second,
        moment.nanosecond / 1_000_000
    )
}

fn is_stamp(text: &str) -> bool {
    const SHAPE: &[u8] = b"0000-00-00T00-00-00.000";
    text.len() == SHAPE.len()
        && text.bytes().zip(SHAPE).all(|(byte, shape)| match shape {
            b'0' => byte.is_ascii_digit(),
            other => byte == *other,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rotating(path: &Path, max_bytes: u64, max_backups: usize) -> RotatingFile {
        let rotation = Rotation {
            max_bytes,
            max_days: 0,
            max_backups,
        };
        RotatingFile::open(path, false, Some(rotation), None).unwrap()
    }

    #[test]
    fn no_line_is_lost_however_often_the_file_is_rotated() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.b.jsonl");
        let mut file = rotating(&path, 40, 0);
        for number in 0..200 {
            file.write(format!("line {number}\n").as_bytes(), true).unwrap();
        }
        let mut text: String = file
            .rotated()
            .into_iter()
            .rev()
            .map(|(_, path)| {
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                assert!(name.starts_with("a.b-20") && name.ends_with(".jsonl"), "{name}");
                let text = std::fs::read_to_string(path).unwrap();
                assert!(text.len() <= 40 && text.ends_with('\n'), "{text}");
                text
            })
            .collect();
        text += &std::fs::read_to_string(&path).unwrap();
        let expected: String = (0..200).map(|number| format!("line {number}\n")).collect();
        assert_eq!(text, expected);
    }

    #[test]
    fn only_so_many_rotated_files_are_kept_and_no_other_file_is_touched() {
        let directory = tempfile::tempdir().unwrap();
        let other = directory.path().join("a-notes.txt");
        std::fs::write(&other, "mine").unwrap();
        let mut file = rotating(&directory.path().join("a.txt"), 4, 3);
        for _ in 0..20 {
            file.write(b"four", false).unwrap();
        }
        assert_eq!(file.rotated().len(), 3);
        assert!(other.exists());
    }

    #[test]
    fn files_that_are_too_old_are_removed() {
        let directory = tempfile::tempdir().unwrap();
        let file = rotating(&directory.path().join("a.txt"), 4, 0);
        let (old, new) = ["2023-11-13T00-00-00.000", "2023-11-14T00-00-00.000"]
            .map(|moment| directory.path().join(format!("a-{moment}.txt")))
            .into();
        for path in [&old, &new] {
            std::fs::write(path, "").unwrap();
        }
        let rotation = Rotation {
            max_bytes: 4,
            max_days: 1,
            max_backups: 0,
        };
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        file.remove_old(rotation, now);
        assert!(!old.exists() && new.exists());
    }

    #[test]
    fn a_file_that_is_there_is_continued_and_one_that_was_moved_away_is_begun_anew() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.txt");
        std::fs::write(&path, "before\n").unwrap();
        let mut file = rotating(&path, 10, 0);
        file.write(b"now\n", true).unwrap();
        assert_eq!(file.rotated().len(), 1);
        std::fs::remove_file(&path).unwrap();
        file.write(b"longer than ten\n", true).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "longer than ten\n");
    }
}
