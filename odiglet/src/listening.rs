//! Which ports a process listens on, from procfs. Only read where a user selects by port, and then only once a process:
//! what starts to listen later is reported by the kernel side.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path;

/// TCP_LISTEN in /proc/net/tcp (include/net/tcp_states.h).
const LISTEN: &str = "0A";
/// __SO_ACCEPTCON and SOCK_STREAM in /proc/net/unix (include/uapi/linux/net.h and include/linux/net.h).
const ACCEPTS: u32 = 1 << 16;
const STREAM: &str = "0001";

/// Listening sockets by network namespace: inode of the socket -> port. Read once a namespace.
#[derive(Debug, Default)]
pub struct Listeners {
    by_namespace: HashMap<String, BTreeMap<u64, u16>>,
}

impl Listeners {
    /// The ports of one process. What cannot be read is taken as not listening: the process is gone, or not ours to see.
    pub fn ports(&mut self, pid: u32) -> BTreeSet<u16> {
        let root = Path::new("/proc").join(pid.to_string());
        let Ok(namespace) = fs::read_link(root.join("ns/net")) else {
            return BTreeSet::new();
        };
        let sockets = self
            .by_namespace
            .entry(namespace.to_string_lossy().into_owned())
            .or_insert_with(|| {
                ["net/tcp", "net/tcp6"]
                    .iter()
                    .flat_map(|file| read_table(&root.join(file)))
                    .collect()
            });
        if sockets.is_empty() {
            return BTreeSet::new();
        }
        sockets_of(&root)
            .filter_map(|inode| sockets.get(&inode).copied())
            .collect()
    }
}

/// Whether a process accepts connections on a Unix socket.
pub fn listens_on_unix(pid: u32) -> bool {
    let root = Path::new("/proc").join(pid.to_string());
    let table = fs::read_to_string(root.join("net/unix")).unwrap_or_default();
    let listening = parse_unix_table(&table);
    !listening.is_empty() && sockets_of(&root).any(|inode| listening.contains(&inode))
}

/// The inodes of the sockets that a process has open.
fn sockets_of(root: &Path) -> impl Iterator<Item = u64> {
    let descriptors = fs::read_dir(root.join("fd")).into_iter().flatten().flatten();
    descriptors.filter_map(|fd| socket_inode(&fd.path()))
}

fn socket_inode(descriptor: &Path) -> Option<u64> {
    let target = fs::read_link(descriptor).ok()?;
    target
        .to_str()?
        .strip_prefix("socket:[")?
        .strip_suffix(']')?
        .parse()
        .ok()
}

fn read_table(path: &Path) -> Vec<(u64, u16)> {
    fs::read_to_string(path)
        .map(|table| parse_table(&table))
        .unwrap_or_default()
}

/// Inode and port of each listening socket. Columns: slot, local address, remote address, state, ..., inode (the tenth).
fn parse_table(table: &str) -> Vec<(u64, u16)> {
    let listening = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if fields.get(3) != Some(&LISTEN) {
            return None;
        }
        let port = u16::from_str_radix(fields.get(1)?.rsplit(':').next()?, 16).ok()?;
        Some((fields.get(9)?.parse().ok()?, port))
    };
    table.lines().skip(1).filter_map(listening).collect()
}

/// Inodes of the stream sockets that listen. Columns: slot, references, protocol, flags, type, state, inode, path.
fn parse_unix_table(table: &str) -> BTreeSet<u64> {
    let listening = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let flags = u32::from_str_radix(fields.get(3)?, 16).ok()?;
        let accepts = flags & ACCEPTS != 0 && fields.get(4) == Some(&STREAM);
        accepts.then(|| fields.get(6)?.parse().ok()).flatten()
    };
    table.lines().skip(1).filter_map(listening).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_listening_socket_of_this_process_is_found() {
        let four = TcpListener::bind("127.0.0.1:0").unwrap();
        let six = TcpListener::bind("[::1]:0").unwrap();
        let ports = Listeners::default().ports(std::process::id());
        for listener in [four, six] {
            let port = listener.local_addr().unwrap().port();
            assert!(ports.contains(&port), "{port} in {ports:?}");
        }
    }

    #[test]
    fn a_process_with_a_listening_unix_socket_is_told_from_one_without() {
        let folder = tempfile::tempdir().unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
        assert!(listens_on_unix(std::process::id()));
        assert!(!listens_on_unix(u32::MAX));
        let table = "Num RefCount Protocol Flags Type St Inode Path\n\
            0: 00000002 00000000 00010000 0001 01 4242 /run/a\n\
            0: 00000002 00000000 00010000 0005 01 4243 /run/b\n\
            0: 00000003 00000000 00000000 0001 03 4244\n\
            garbage";
        assert_eq!(parse_unix_table(table), BTreeSet::from([4242]));
    }

    #[test]
    fn a_process_that_is_not_there_listens_on_nothing() {
        assert_eq!(Listeners::default().ports(u32::MAX), BTreeSet::new());
    }

    #[test]
    fn a_damaged_table_gives_what_can_be_read() {
        let table = "  sl  local_address rem_address st tx rx tr tm re uid to inode\n\
            0: 0100007F:1F90 00000000:0000 0A 0:0 0:0 0 0 0 4242 1\n\
            1: 0100007F:1F91 00000000:0000 01 0:0 0:0 0 0 0 4243 1\n\
            2: garbage\n3: x:zz y 0A";
        assert_eq!(parse_table(table), [(4242, 8080)]);
    }
}
