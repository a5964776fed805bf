//! Which ports a process listens on, from procfs. Only read where a user selects by port, and then only once a process:
//! what starts to listen later is reported by the kernel side.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path;

/// TCP_LISTEN in /proc/net/tcp (include/net/tcp_states.h).
const LISTEN: &str = "0A";

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
        let Ok(descriptors) = fs::read_dir(root.join("fd")) else {
            return BTreeSet::new();
        };
        descriptors
            .flatten()
            .filter_map(|fd| socket_inode(&fd.path()))
            .filter_map(|inode| sockets.get(&inode).copied())
            .collect()
    }
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
