use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, sendto, socket_with};

/// What the service manager is told, in the words of `sd_notify(3)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// Start-up is done.
    Ready,
    /// The program is ending.
    Stopping,
}

/// Tells the service manager that started this process, if one did (`NOTIFY_SOCKET`). A failure is logged: the program
/// works on without.
pub fn notify(state: Readiness) {
    if let Ok(address) = std::env::var("NOTIFY_SOCKET")
        && !address.is_empty()
        && let Err(error) = send(&address, state)
    {
        tracing::warn!(%error, address, ?state, "the service manager cannot be told");
    }
}

fn send(address: &str, state: Readiness) -> rustix::io::Result<()> {
    // A leading `@` stands for the abstract namespace's leading zero byte.
    let target = match address.strip_prefix('@') {
        Some(name) => SocketAddrUnix::new_abstract_name(name.as_bytes())?,
        None => SocketAddrUnix::new(address)?,
    };
    let message = match state {
        Readiness::Ready => "READY=1",
        Readiness::Stopping => "STOPPING=1",
    };
    let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    sendto(&socket, message.as_bytes(), SendFlags::NOSIGNAL, &target).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn the_manager_receives_the_state_and_a_missing_manager_is_an_error_of_send() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        send(path.to_str().unwrap(), Readiness::Ready).unwrap();
        let mut buffer = [0; 64];
        let length = manager.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"READY=1");
        assert!(send("/nonexistent/notify", Readiness::Stopping).is_err());
    }
}
