//! Where a receiver listens, and its sockets: one for each worker.

use crate::net::listen::{self, ListenError};
use collector_config::Endpoint as Address;
use collector_engine::Host;
use rustix::fs::{Mode, chmod};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, socket_with};
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// An address; an empty host is all of them.
    Tcp(Address),
    /// The path of a socket file.
    Unix(PathBuf),
}

/// A socket that listens.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(Arc<TcpListener>),
    /// One for all workers: the kernel spreads nothing over unix sockets.
    Unix(Arc<UnixSocket>),
}

/// The file goes with the socket.
#[derive(Debug)]
pub(super) struct UnixSocket {
    pub(super) socket: UnixListener,
    _file: SocketFile,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Tcp(address) => address.fmt(f),
            Endpoint::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

impl Endpoint {
    /// Reads `endpoint` and `transport`; the error says what is wrong with the endpoint.
    pub(super) fn parse(written: &str, unix: bool) -> Result<Endpoint, String> {
        let path = match (written.strip_prefix("unix://"), unix) {
            (Some(path), _) => Some(path),
            (None, true) => Some(written.strip_prefix("unix:").unwrap_or(written)),
            (None, false) => written.strip_prefix("unix:"),
        };
        if let Some(path) = path {
            let shown = written.escape_debug();
            return match path.starts_with('/') && path.len() < 108 {
                true => Ok(Endpoint::Unix(path.into())),
                false => Err(format!("\"{shown}\" is not an absolute path of less than 108 bytes")),
            };
        }
        Address::parse(written).map(Endpoint::Tcp)
    }

    /// One listener for each worker.
    pub(super) fn listen(&self, host: &Host) -> Result<Vec<Listener>, ListenError> {
        let listeners = match self {
            Endpoint::Tcp(address) => listen::resolve(address).and_then(|address| {
                let listeners = host.listeners(&address.to_string(), || tcp(address, host.workers()))?;
                Ok(listeners.into_iter().map(Listener::Tcp).collect())
            }),
            Endpoint::Unix(path) => host
                .listeners(&path.to_string_lossy(), || Ok(vec![unix(path)?]))
                .map(|sockets| {
                    let sockets = sockets.iter().cycle().take(host.workers().max(1));
                    sockets.cloned().map(Listener::Unix).collect()
                }),
        };
        listeners.map_err(|source| ListenError {
            place: self.to_string(),
            source,
        })
    }
}

/// The kernel spreads connections over sockets that share a port. Any process of this user may share it too, so that the
/// port is free must be asked without sharing.
fn tcp(address: SocketAddr, workers: usize) -> io::Result<Vec<TcpListener>> {
    if workers <= 1 {
        return Ok(vec![listen::socket(address, false)?]);
    }
    let address = listen::socket(address, false)?.local_addr()?;
    (0..workers).map(|_| listen::socket(address, true)).collect()
}

fn unix(path: &Path) -> io::Result<UnixSocket> {
    remove_stale(path)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    // Nobody can connect before it listens, so nobody sees the file with other rights.
    chmod(path, Mode::from_raw_mode(0o660))?;
    let file = SocketFile::new(path)?;
    rustix::net::listen(&socket, listen::BACKLOG)?;
    Ok(UnixSocket {
        socket: socket.into(),
        _file: file,
    })
}

/// Removes the socket file of a process that is gone, and nothing else.
fn remove_stale(path: &Path) -> io::Result<()> {
    let Ok(found) = path.symlink_metadata() else {
        return Ok(());
    };
    let in_use = |message| Err(io::Error::new(io::ErrorKind::AddrInUse, message));
    if !found.file_type().is_socket() {
        return in_use("a file that is no socket is in its place");
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path),
        Err(error) => Err(error),
        Ok(_) => in_use("another process listens there"),
    }
}

/// Removes a socket's file at the end, if it is still the one that was made.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    inode: (u64, u64),
}

impl SocketFile {
    fn new(path: &Path) -> io::Result<Self> {
        let made = path.symlink_metadata()?;
        Ok(SocketFile {
            path: path.to_owned(),
            inode: (made.dev(), made.ino()),
        })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours = |found: std::fs::Metadata| (found.dev(), found.ino()) == self.inode;
        if self.path.symlink_metadata().is_ok_and(is_ours) {
            // A file that cannot be removed is replaced by the next process.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read() {
        let tcp = |host: &str, port| {
            let host = host.to_owned();
            Some(Endpoint::Tcp(Address { host, port }))
        };
        for (written, unix, expected) in [
            ("localhost:4317", false, tcp("localhost", 4317)),
            (":4317", false, tcp("", 4317)),
            ("[::1]:4317", false, tcp("::1", 4317)),
            ("unix:///run/a.sock", false, Some(Endpoint::Unix("/run/a.sock".into()))),
            ("/run/a.sock", true, Some(Endpoint::Unix("/run/a.sock".into()))),
            ("a.sock", true, None),
            ("localhost", false, None),
            ("localhost:99999", false, None),
            ("", false, None),
        ] {
            assert_eq!(Endpoint::parse(written, unix).ok(), expected, "{written}");
        }
    }

    #[test]
    fn workers_share_a_port_that_nobody_else_has() {
        let listeners = tcp(([127, 0, 0, 1], 0).into(), 2).unwrap();
        let [one, two] = listeners.as_slice() else {
            panic!("{listeners:?}")
        };
        let address = one.local_addr().unwrap();
        assert_eq!(two.local_addr().unwrap(), address);
        for workers in [1, 2] {
            let error = tcp(address, workers).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AddrInUse, "{error}");
        }
    }

    #[test]
    fn a_stale_socket_file_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("otlp.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let socket = unix(&path).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o660);
        assert!(UnixStream::connect(&path).is_ok());
        assert_eq!(unix(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(socket);
        assert!(!path.exists(), "the file outlived its socket");
        std::fs::write(&path, "precious").unwrap();
        assert!(unix(&path).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    }
}
