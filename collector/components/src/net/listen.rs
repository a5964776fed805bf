//! Sockets that listen.

use collector_config::Endpoint;
use collector_engine::Host;
use rustix::io::Errno;
use rustix::net::sockopt::{set_ipv6_v6only, set_socket_reuseaddr, set_socket_reuseport};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;

/// Connections that wait to be taken.
pub(crate) const BACKLOG: i32 = 1024;

/// Why a place cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {place}")]
pub struct ListenError {
    /// Where.
    pub place: String,
    /// Why.
    pub source: io::Error,
}

/// A socket that listens on `endpoint` and does not block. Whoever listens keeps it for as long as they do.
pub fn tcp(endpoint: &Endpoint, host: &Host) -> Result<Arc<TcpListener>, ListenError> {
    let listeners = resolve(endpoint)
        .and_then(|address| host.listeners(&address.to_string(), || Ok(vec![socket(address, false)?])));
    let listener = listeners.and_then(|listeners| {
        let first = listeners.into_iter().next();
        first.ok_or_else(|| io::ErrorKind::NotFound.into())
    });
    listener.map_err(|source| ListenError {
        place: endpoint.to_string(),
        source,
    })
}

/// The address; IPv4 where a name has both, as upstream takes it.
pub(crate) fn resolve(endpoint: &Endpoint) -> io::Result<SocketAddr> {
    if endpoint.host.is_empty() {
        return Ok((IpAddr::V6(Ipv6Addr::UNSPECIFIED), endpoint.port).into());
    }
    let found: Vec<SocketAddr> = (endpoint.host.as_str(), endpoint.port).to_socket_addrs()?.collect();
    let v4 = found.iter().find(|address| address.is_ipv4());
    v4.or(found.first())
        .copied()
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address"))
}

/// A socket on one address. A `shared` one lets others of this user share its port.
pub(crate) fn socket(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = match socket_with(family, SocketType::STREAM, flags, None) {
        // All addresses of a machine without IPv6.
        Err(Errno::AFNOSUPPORT) if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) => {
            return self::socket(([0, 0, 0, 0], address.port()).into(), shared);
        }
        other => other?,
    };
    if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        set_ipv6_v6only(&socket, false)?;
    }
    set_socket_reuseaddr(&socket, true)?;
    set_socket_reuseport(&socket, shared)?;
    bind(&socket, &address)?;
    listen(&socket, BACKLOG)?;
    Ok(TcpListener::from(socket))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(written: &str) -> io::Result<TcpListener> {
        socket(resolve(&Endpoint::parse(written).unwrap())?, false)
    }

    fn listening(written: &str) -> SocketAddr {
        bound(written).unwrap().local_addr().unwrap()
    }

    #[test]
    fn a_name_with_both_kinds_of_addresses_is_that_of_ipv4() {
        assert_eq!(listening("localhost:0").ip(), IpAddr::from([127, 0, 0, 1]));
    }

    #[test]
    fn no_host_is_all_addresses() {
        let address = listening(":0");
        let socket = bound(&format!(":{}", address.port())).unwrap();
        std::net::TcpStream::connect(("127.0.0.1", address.port())).unwrap();
        drop(socket);
    }
}
