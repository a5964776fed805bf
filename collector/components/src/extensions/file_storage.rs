//! `file_storage`: a directory in which exporters keep their queues over a restart.
//!
//! ```yaml
//! extensions:
//!   file_storage:
//!     directory: /var/lib/otelcol/file_storage
//!     create_directory: true
//!     directory_permissions: "0750"   # of what is made
//!     fsync: false                    # whether what is kept survives a loss of power too
//! ```
//!
//! The format is our own, a segment log for each exporter in a folder of its own. It gives room back by itself, so that
//! `compaction`, which upstream's format needs, has no effect; neither has `timeout`, since no two ever wait for a file.
//! Damage costs only what it hit and never keeps the collector from starting, so that `recreate` has no effect either.

use collector_config::Section;
use collector_engine::{Ended, Extension, ExtensionFactory, Host, StorageRoot};
use rustix::fs::{Access, access};
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The line in the table.
pub const FACTORY: ExtensionFactory = ExtensionFactory {
    kind: "file_storage",
    configure,
};

const DIRECTORY: &str = "/var/lib/otelcol/file_storage";

struct FileStorage {
    root: StorageRoot,
    /// The permissions of what is made, if anything is.
    create: Option<u32>,
}

/// Why the directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the directory {directory}: {what}")]
struct StorageError {
    directory: String,
    what: &'static str,
    source: io::Error,
}

fn configure(section: &mut Section<'_, '_>) -> Box<dyn Extension> {
    let directory = section.text("directory").unwrap_or(DIRECTORY);
    if directory.is_empty() {
        section.error("directory", "must not be empty");
    }
    let permissions = section.permissions("directory_permissions", 0o750);
    let create = section.flag("create_directory", true);
    section.duration("timeout", Duration::from_secs(1));
    section.flag("recreate", false);
    section.section("compaction", accept_compaction);
    Box::new(FileStorage {
        root: StorageRoot {
            directory: PathBuf::from(directory),
            fsync: section.flag("fsync", false),
        },
        create: create.then_some(permissions),
    })
}

fn accept_compaction(section: &mut Section<'_, '_>) {
    for flag in ["on_start", "on_rebound", "cleanup_on_start"] {
        section.flag(flag, false);
    }
    section.text("directory");
    for count in [
        "max_transaction_size",
        "rebound_needed_threshold_mib",
        "rebound_trigger_threshold_mib",
    ] {
        section.count(count, 0);
    }
    section.duration("check_interval", Duration::from_secs(5));
}

impl FileStorage {
    fn check(&self) -> Result<(), StorageError> {
        let directory: &Path = &self.root.directory;
        let failed = |what| {
            move |source| StorageError {
                directory: directory.display().to_string(),
                what,
                source,
            }
        };
        if let Some(mode) = self.create {
            let made = DirBuilder::new().recursive(true).mode(mode).create(directory);
            made.map_err(failed("it cannot be made"))?;
        }
        let found = std::fs::metadata(directory).map_err(failed("set create_directory, or make it"))?;
        if !found.is_dir() {
            return Err(failed("it is not a directory")(io::ErrorKind::NotADirectory.into()));
        }
        let allowed = access(directory, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK);
        allowed.map_err(|errno| failed("its files cannot be read and written")(errno.into()))
    }
}

impl Extension for FileStorage {
    fn open(&mut self, _: &Host) -> Ended {
        Ok(self.check()?)
    }

    fn storage(&self) -> Option<StorageRoot> {
        Some(self.root.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use collector_config::{Errors, Node};

    fn read(text: &str) -> Result<Box<dyn Extension>, String> {
        let node = Node::parse(text, "").unwrap();
        let mut errors = Errors::default();
        let mut section = Section::open("extensions::file_storage", &node, &mut errors);
        let extension = configure(&mut section);
        section.finish();
        errors.unless_any(extension).map_err(|errors| errors.to_string())
    }

    #[test]
    fn the_settings_are_upstreams() {
        let root = read("").unwrap().storage().unwrap();
        assert_eq!((root.directory.to_str(), root.fsync), (Some(DIRECTORY), false));
        let all = "directory: /x, create_directory: false, directory_permissions: '0700', timeout: 2s, fsync: true, \
            recreate: true, compaction: {on_start: true, on_rebound: true, directory: /tmp, max_transaction_size: 65536, \
            rebound_needed_threshold_mib: 100, rebound_trigger_threshold_mib: 10, check_interval: 5s, cleanup_on_start: true}";
        let root = read(&format!("{{{all}}}")).unwrap().storage().unwrap();
        assert_eq!((root.directory.to_str(), root.fsync), (Some("/x"), true));
        for (settings, expected) in [
            ("directory: ''", "directory: must not be empty"),
            (
                "directory_permissions: rwx",
                "expected an octal number such as \"0750\", found \"rwx\"",
            ),
            ("fsinc: true", "unknown key"),
        ] {
            let error = read(settings).err().unwrap();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_directory_that_cannot_be_used_is_named_with_the_way_out() {
        let directory = tempfile::tempdir().unwrap();
        let check = |path: &Path, create| {
            let storage = FileStorage {
                root: StorageRoot {
                    directory: path.to_owned(),
                    fsync: false,
                },
                create,
            };
            storage.check().map_err(|error| kit::logging::chain(&error))
        };
        let missing = directory.path().join("a/b");
        let error = check(&missing, None).unwrap_err();
        assert!(
            error.contains("a/b: set create_directory, or make it: No such file"),
            "{error}"
        );
        assert_eq!(check(&missing, Some(0o700)), Ok(()));
        assert_eq!(check(&missing, None), Ok(()));
        let file = directory.path().join("f");
        std::fs::write(&file, "").unwrap();
        let error = check(&file, None).unwrap_err();
        assert!(error.contains("f: it is not a directory"), "{error}");
    }
}
