//! When the configuration is to be read again: on SIGHUP, and when one of its files has changed.

use rustix::fs::stat;
use std::path::PathBuf;
use std::time::Duration;
use tokio::signal::unix::{self, SignalKind};

/// How often the files are looked at. A file that still changes from one look to the next is left alone until it does not.
const LOOK: Duration = Duration::from_secs(1);

/// Tells when to read the configuration again.
#[derive(Debug)]
pub struct Reloads {
    hangup: unix::Signal,
    files: Files,
}

/// The files of the configuration that is in use.
#[derive(Debug)]
struct Files {
    paths: Vec<PathBuf>,
    /// As they were when they were read.
    used: Vec<Mark>,
    /// As they were at the last look.
    seen: Vec<Mark>,
}

/// What changes when a file is written or replaced, also where a link to it is; nothing if it is not there.
type Mark = Option<(u64, u64, i64, i64, u64)>;

impl Reloads {
    /// Watches from now on. Must be called within a tokio runtime.
    pub fn install(files: Vec<PathBuf>) -> std::io::Result<Self> {
        Ok(Reloads {
            hangup: unix::signal(SignalKind::hangup())?,
            files: Files::new(files),
        })
    }

    /// Waits until the configuration is to be read again, and returns why.
    pub async fn next(&mut self) -> &'static str {
        loop {
            tokio::select! {
                _ = self.hangup.recv() => return "SIGHUP",
                () = tokio::time::sleep(LOOK) => {
                    if self.files.look() {
                        return "a file has changed";
                    }
                }
            }
        }
    }

    /// These are the files now.
    pub fn watch(&mut self, files: Vec<PathBuf>) {
        self.files = Files::new(files);
    }
}

impl Files {
    fn new(mut paths: Vec<PathBuf>) -> Self {
        paths.sort();
        paths.dedup();
        let used: Vec<Mark> = paths.iter().map(mark).collect();
        Files {
            paths,
            seen: used.clone(),
            used,
        }
    }

    /// Whether the files have changed and are at rest.
    fn look(&mut self) -> bool {
        let now: Vec<Mark> = self.paths.iter().map(mark).collect();
        let at_rest = now == self.seen;
        self.seen = now;
        if at_rest && self.seen != self.used {
            self.used.clone_from(&self.seen);
            return true;
        }
        false
    }
}

fn mark(path: &PathBuf) -> Mark {
    let stat = stat(path).ok()?;
    Some((
        stat.st_dev,
        stat.st_ino,
        stat.st_size,
        stat.st_mtime,
        stat.st_mtime_nsec,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_has_changed_is_told_of_once_and_at_rest() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("c.yaml");
        std::fs::write(&path, "a").unwrap();
        let mut files = Files::new(vec![path.clone(), path.clone()]);
        assert!(!files.look());
        std::fs::write(&path, "ab").unwrap();
        assert!(!files.look(), "it may still be in the making");
        assert!(files.look());
        assert!(!files.look(), "it was told of");
    }

    #[test]
    fn a_link_to_another_file_is_a_change() {
        let directory = tempfile::tempdir().unwrap();
        let [old, new, link] = ["old", "new", "link"].map(|name| directory.path().join(name));
        std::fs::write(&old, "same").unwrap();
        std::fs::write(&new, "same").unwrap();
        std::os::unix::fs::symlink(&old, &link).unwrap();
        let mut files = Files::new(vec![link.clone()]);
        std::fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(&new, &link).unwrap();
        assert!(!files.look());
        assert!(files.look());
    }
}
