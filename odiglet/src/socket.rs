//! The socket on which the collector connects: one agent at a time, and only for those who may.

use anyhow::{Context, Result, bail};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

/// The owner and its group may connect.
const MODE: u32 = 0o660;

/// Takes the place of a predecessor that has gone. The lock is held as long as the file is open.
pub fn listen(path: &Path) -> Result<(UnixListener, File)> {
    let lock = lock(path)?;
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot remove the old socket {}", path.display()));
        }
        _ => {}
    }
    let listener = UnixListener::bind(path).with_context(|| format!("cannot listen on {}", path.display()))?;
    fs::set_permissions(path, Permissions::from_mode(MODE)).with_context(|| path.display().to_string())?;
    Ok((listener, lock))
}

/// Two agents would take each other's pins.
pub fn lock(socket: &Path) -> Result<File> {
    let path = socket.with_extension("lock");
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    }
    let file = File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(Errno::WOULDBLOCK) => bail!("another agent is running: it holds {}", path.display()),
        Err(error) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
    }
}
